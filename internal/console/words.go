package console

import (
	"bytes"
	"cmp"
	"fmt"
	"strings"
	"time"

	"github.com/org/deploy-action/internal/event"
	"github.com/org/deploy-action/internal/spec"
)

// mark begins a line of our own.
type mark struct{ sign, colour string }

// Colours are the SGR codes of ECMA-48.
var (
	begun   = mark{"▶", "36"}
	done    = mark{"✓", "32"}
	failed  = mark{"✗", "31"}
	again   = mark{"↻", "33"}
	warning = mark{"!", "33"}
	info    = mark{"·", "36"}
	passed  = mark{"–", dim} // neither done nor failed
)

const (
	bold = "1"
	dim  = "2"
)

func outcomeMark(r *event.Result) mark {
	switch {
	case r.Ignored:
		return warning
	case r.Outcome == event.Succeeded:
		return done
	case r.Outcome == event.Failed, r.Outcome == event.Stranded:
		return failed
	}
	return passed
}

func (c *Console) paint(code, text string) string {
	if !c.options.Colour || code == "" {
		return text
	}
	return "\x1b[" + code + "m" + text + reset
}

func (c *Console) bold(text string) string { return c.paint(bold, text) }
func (c *Console) dim(text string) string  { return c.paint(dim, text) }

// own prints a line of ours. Where the text goes on over several lines, the
// others are set in and led by a bar.
func (c *Console) own(prefix string, m mark, text string) {
	lead := prefix
	if m.sign != "" {
		lead += c.paint(m.colour, m.sign) + " "
	}
	for line := range strings.SplitSeq(text, "\n") {
		c.relay(lead, line)
		lead = prefix + "    │ "
	}
}

// relay prints a line that anybody may have written.
func (c *Console) relay(prefix, line string) {
	line = harmless(line, c.options.Colour)
	if c.options.GitHub {
		prefix, line = "", disarmed(prefix+line)
	}
	c.out.WriteString(prefix)
	c.out.WriteString(line)
	c.out.Truncate(len(bytes.TrimRight(c.out.Bytes(), " ")))
	c.out.WriteByte('\n')
}

// serverPrefix stands before what a server put out.
func serverPrefix(server string) string {
	if server == "" {
		return ""
	}
	return strip(server) + " │ "
}

// place is a position in the spec, as the beginning of a line.
func place(p spec.Pos) string {
	if p.File == "" {
		return ""
	}
	return fmt.Sprintf("%s:%d: ", p.File, p.Line)
}

func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

// kept is what became of an artifact: "artifact app: 12 files, 3.4 MB → 1.1 MB,
// kept as 20261123t184500z-k3v9qz; 1 older let go".
func kept(a event.Artifact) string {
	if a.Missing {
		return fmt.Sprintf("artifact %s: nothing matches its path, so nothing is kept", a.Name)
	}
	text := fmt.Sprintf("artifact %s: %s, %s → %s, kept as %s", a.Name, count(a.Files, "file"), size(a.Size), size(a.Packed), cmp.Or(a.Path, a.Run))
	if n := len(a.Removed); n > 0 {
		text += fmt.Sprintf("; %d older let go", n)
	}
	return text
}

// size writes bytes with the figures that matter: 812 B, 3.4 MB, 120 GB.
func size(n int64) string {
	if n < 1000 {
		return fmt.Sprintf("%d B", n)
	}
	f, unit := float64(n)/1000, 0
	for units := "kMGTPE"; f >= 999.5 && unit < len(units)-1; unit++ {
		f /= 1000
	}
	if f >= 100 {
		return fmt.Sprintf("%.0f %cB", f, "kMGTPE"[unit])
	}
	return decimal(f) + fmt.Sprintf(" %cB", "kMGTPE"[unit])
}

// clock writes a duration that is still growing: in whole seconds.
func clock(d time.Duration) string {
	switch {
	case d < time.Minute:
		return fmt.Sprintf("%d s", d/time.Second)
	case d < time.Hour:
		return fmt.Sprintf("%d m %02d s", d/time.Minute, d%time.Minute/time.Second)
	}
	return fmt.Sprintf("%d h %02d m", d/time.Hour, d%time.Hour/time.Minute)
}

// human writes a duration with the figures that matter: 0.4 ms, 12 ms, 1.2 s,
// 3 m 05 s.
func human(d time.Duration) string {
	number, unit := split(d, d)
	return number + unit
}

// change writes two durations in the unit of the longer one: 4 → 5 ms.
func change(before, after time.Duration) string {
	longer := max(before, after)
	from, _ := split(before, longer)
	to, unit := split(after, longer)
	return from + " → " + to + unit
}

// split writes d as a number and a unit, the one that suits a duration of scale.
func split(d, scale time.Duration) (number, unit string) {
	switch {
	case scale >= time.Hour:
		d = d.Round(time.Minute)
		return fmt.Sprintf("%d h %02d", d/time.Hour, d%time.Hour/time.Minute), " m"
	case scale >= time.Minute:
		d = d.Round(time.Second)
		return fmt.Sprintf("%d m %02d", d/time.Minute, d%time.Minute/time.Second), " s"
	case scale >= time.Second:
		return decimal(d.Seconds()), " s"
	case scale >= 10*time.Millisecond:
		return fmt.Sprintf("%.0f", d.Seconds()*1e3), " ms"
	}
	return decimal(d.Seconds() * 1e3), " ms"
}

func decimal(f float64) string { return strings.TrimSuffix(fmt.Sprintf("%.1f", f), ".0") }
