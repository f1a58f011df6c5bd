package console

import (
	"fmt"
	"strings"

	"github.com/org/deploy-action/internal/event"
)

// runFinished sums the run up: what became of it, what serves now, what it cost,
// what was done about a failure, and what was kept.
func (c *Console) runFinished(r *event.Result) {
	c.out.WriteByte('\n')
	text := fmt.Sprintf("%s %s in %s", c.bold(c.run.about.Title()), r.Outcome, human(r.Took))
	if stages := c.stages(); stages != "" && c.run.about.Pipeline != "" {
		text += ": " + stages
	}
	c.own("", outcomeMark(r), text)
	if r.Reason != "" {
		c.own("", mark{}, "  "+r.Reason)
	}
	for _, s := range c.run.switches {
		c.summary(s)
	}
	for _, back := range c.run.rollbacks {
		c.own("", mark{}, "  "+back.text())
	}
	for _, a := range c.run.artifacts {
		c.own("", mark{}, "  "+kept(a))
	}
	c.hint("", r.Hint)
}

// text says what a rollback strategy came to.
func (r rollback) text() string {
	if r.result.Reason == "" {
		return fmt.Sprintf("%s %s in %s", r.name, r.result.Outcome, human(r.result.Took))
	}
	return fmt.Sprintf("%s %s after %s: %s", r.name, r.result.Outcome, human(r.result.Took), r.result.Reason)
}

// endings are what stages can count as, in the order they are told.
var endings = []string{"succeeded", "failed", "failed and ignored", "stranded", "cancelled", "blocked", "skipped"}

// stages counts the stages: "9 succeeded, 1 skipped".
func (c *Console) stages() string {
	var parts []string
	for _, ending := range endings {
		if n := c.run.tally[ending]; n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", n, ending))
		}
	}
	return strings.Join(parts, ", ")
}

// summary answers the operator's question, which release serves, and what the
// switch cost those who were there.
func (c *Console) summary(s event.Switch) {
	c.own("", mark{}, "  "+serving(s))
	if t := s.Traffic; t != nil {
		c.own("", mark{}, "  "+traffic(*t))
		if t.FirstError != "" {
			c.own("", mark{}, "  first error: "+t.FirstError)
		}
	}
	for _, line := range proxies(s) {
		c.own("", mark{}, "  "+line)
	}
	if s.URL != "" {
		c.own("", mark{}, "  "+c.dim(s.URL))
	}
}

func serving(s event.Switch) string {
	switch {
	case s.Outcome == event.Stranded:
		return fmt.Sprintf("%s: needs a hand; last seen serving: %s", s.Environment, s.Serving)
	case s.Unseen():
		return fmt.Sprintf("%s: not moved; what serves could not be told", s.Environment)
	case s.Serving == event.SlotRelease{}:
		return fmt.Sprintf("%s: nothing serves", s.Environment)
	case s.PutBack:
		return fmt.Sprintf("%s: put back, %s serves", s.Environment, s.Serving)
	case s.Outcome != event.Succeeded && s.Serving == s.From:
		return fmt.Sprintf("%s: not moved, %s serves", s.Environment, s.Serving)
	case s.From == event.SlotRelease{}:
		return fmt.Sprintf("%s: %s serves", s.Environment, s.Serving)
	}
	return fmt.Sprintf("%s: %s serves, before it %s", s.Environment, s.Serving, s.From)
}

// proxies say how far apart several moved or, where one needs a hand, what each of
// them serves.
func proxies(s event.Switch) []string {
	switch {
	case len(s.Proxies) < 2:
		return nil
	case s.Outcome == event.Stranded:
		var lines []string
		for _, p := range s.Proxies {
			lines = append(lines, fmt.Sprintf("%s (%s): %s", p.Server, p.Kind, p.Now()))
		}
		return lines
	case s.Outcome == event.Succeeded && s.Gap > 0:
		return []string{fmt.Sprintf("%d proxies moved within %s", len(s.Proxies), human(s.Gap))}
	}
	return nil
}

// traffic is what the prober saw: "412 requests, 0 failed, p99 4 → 5 ms, longest
// gap 52 ms".
func traffic(t event.Traffic) string {
	text := fmt.Sprintf("%s, %d failed", count(t.Requests, "request"), t.Failed)
	if t.P99Before > 0 && t.P99After > 0 {
		text += ", p99 " + change(t.P99Before, t.P99After)
	}
	if t.LongestGap > 0 {
		text += ", longest gap " + human(t.LongestGap)
	}
	return text
}
