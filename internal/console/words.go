package console

import (
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
	passed  = mark{"–", "2"} // neither done nor failed
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

func (c *Console) bold(text string) string { return c.paint("1", text) }
func (c *Console) dim(text string) string  { return c.paint("2", text) }

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
	text := strings.TrimRight(prefix+c.clean(line), " ")
	if c.options.GitHub && strings.HasPrefix(strings.TrimSpace(text), "::") {
		text = "│ " + text // or the runner takes it for a command
	}
	c.write(text + "\n")
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
