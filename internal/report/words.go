package report

import (
	"fmt"
	"strconv"
	"time"

	"github.com/org/deploy-action/internal/event"
	"github.com/org/deploy-action/internal/spec"
)

// took is d as a person says it: "840 ms", "3.2 s", "2 min 05 s", "1 h 02 min".
func took(d time.Duration) string {
	switch {
	case d < time.Second:
		return fmt.Sprintf("%d ms", d.Milliseconds())
	case d < time.Minute:
		return strconv.FormatFloat(d.Truncate(100*time.Millisecond).Seconds(), 'f', -1, 64) + " s"
	case d < time.Hour:
		return fmt.Sprintf("%d min %02d s", d/time.Minute, d%time.Minute/time.Second)
	}
	return fmt.Sprintf("%d h %02d min", d/time.Hour, d%time.Hour/time.Minute)
}

// millis is a latency: "4 ms", "0.4 ms".
func millis(d time.Duration) string {
	return latency(d) + " ms"
}

func latency(d time.Duration) string {
	if d < 10*time.Millisecond {
		return strconv.FormatFloat(float64(d.Round(100*time.Microsecond).Microseconds())/1000, 'f', -1, 64)
	}
	return strconv.FormatInt(d.Round(time.Millisecond).Milliseconds(), 10)
}

// count is n with its noun.
func count(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return strconv.Itoa(n) + " " + many
}

// size writes a size as people read it, in powers of ten.
func size(n int64) string {
	switch {
	case n >= 1e9:
		return fmt.Sprintf("%.1f GB", float64(n)/1e9)
	case n >= 1e6:
		return fmt.Sprintf("%.1f MB", float64(n)/1e6)
	case n >= 1e3:
		return fmt.Sprintf("%.1f kB", float64(n)/1e3)
	}
	return count(int(n), "byte", "bytes")
}

// place is "deploy.hcl:12", empty for nowhere.
func place(p spec.Pos) string {
	if p.File == "" || p.Line == 0 {
		return p.File
	}
	return p.File + ":" + strconv.Itoa(p.Line)
}

// at is " (deploy.hcl:12)", empty for nowhere.
func at(p spec.Pos) string {
	if where := place(p); where != "" {
		return " (" + where + ")"
	}
	return ""
}

// slot is "green (20261124t…)", or "nothing".
func slot(s event.SlotRelease) string {
	switch {
	case s.Slot == "":
		return "nothing"
	case s.Release == "":
		return short(s.Slot)
	}
	return short(s.Slot) + " (" + short(s.Release) + ")"
}

// mark is the sign of an outcome.
func mark(o event.Outcome) string {
	switch o {
	case event.Succeeded:
		return "✅"
	case event.Failed, event.Stranded:
		return "❌"
	case event.Skipped:
		return "⏭️"
	case event.Blocked:
		return "⛔"
	case event.Cancelled:
		return "🚫"
	}
	return "❔"
}
