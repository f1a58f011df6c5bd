package report

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/org/deploy-action/internal/event"
)

// scale turns times into places on a line from 0 to 100 %.
type scale struct {
	began time.Time
	span  time.Duration
}

func newScale(a *account) scale {
	return scale{a.began, max(a.ended.Sub(a.began), time.Millisecond)}
}

// row is a line of a table with its part of the timeline.
type row struct {
	Anchor   string // empty: there are no details
	Name     string
	Kind     string
	Why      string
	Leg      bool
	Legs     bool // sums up the rows of legs that follow
	Critical bool
	Look     look
	Attempts string
	Waited   string
	Took     string
	Bars     []bar
}

// bar is a piece of a timeline.
type bar struct {
	Class string // "wait", "pause", "mark", "commit", or that of an outcome
	X, W  string // in percent
	Title string
}

// tick is a mark on the axis.
type tick struct{ X, Anchor, Text string }

// rows are the lines of a table of stages, the legs of a matrix under a line
// that sums them up.
func (c scale) rows(a *account, stages []*stage) []row {
	marks := make(map[string][]bar)
	for _, s := range a.switches {
		marks[s.stage] = append(marks[s.stage], c.marks(s)...)
	}
	var all []row
	for _, family := range families(stages) {
		legs := len(family) > 1
		if legs {
			all = append(all, c.legs(family))
		}
		for _, s := range family {
			r := c.row(a, s)
			r.Leg, r.Bars = legs, append(r.Bars, marks[s.Name]...)
			all = append(all, r)
		}
	}
	return all
}

func (c scale) row(a *account, s *stage) row {
	r := row{
		Anchor: s.anchor(), Name: short(s.Name), Kind: short(s.kind()), Why: short(s.why()),
		Critical: s.critical && len(a.chain) > 1, Look: s.look(), Attempts: "–", Waited: "–", Took: "–", Bars: c.bars(a, s),
	}
	if s.Rollback {
		r.Name = short(s.Strategy())
	}
	if s.idle() {
		r.Anchor, r.Why = "", a.idleBecause()
	}
	if s.started.IsZero() {
		return r
	}
	r.Attempts = strconv.Itoa(max(s.attempts(), 1))
	if s.finished {
		r.Took = took(s.result.Took)
	}
	if s.worthWaiting() {
		r.Waited = took(s.waited())
	}
	return r
}

// worthWaiting reports whether s waited for a place long enough to be told.
func (s *stage) worthWaiting() bool { return s.waited() >= 100*time.Millisecond }

// legs is the line that sums up the legs of a matrix.
func (c scale) legs(family []*stage) row {
	r := row{
		Name: short(family[0].Leg), Kind: count(len(family), "leg", "legs"), Legs: true,
		Look: worstLook(family), Attempts: "–", Waited: "–", Took: "–",
	}
	r.Look.Word = short(tally(family))
	if first, lasted := together(family); lasted > 0 {
		r.Took, r.Bars = took(lasted), []bar{c.bar("span", first, lasted, "")}
	}
	return r
}

// bars show when s ran: the wait for a place, every attempt and the pause after
// it. What never ended lasts until the log ends.
func (c scale) bars(a *account, s *stage) []bar {
	if s.started.IsZero() {
		return nil
	}
	var all []bar
	if s.worthWaiting() {
		all = append(all, c.bar("wait", s.ready, s.waited(), "waited "+took(s.waited())+" for a place"))
	}
	tries := s.tries()
	if len(tries) == 0 {
		end := s.ended
		if !s.finished {
			end = a.ended
		}
		return append(all, c.bar(s.look().Class, s.started, end.Sub(s.started), ""))
	}
	for i, t := range tries {
		all = append(all, c.attempt(a, s, t, i == len(tries)-1)...)
	}
	return all
}

func (c scale) attempt(a *account, s *stage, t attempt, last bool) []bar {
	class, lasted := "bad", t.took
	if last {
		class = s.look().Class
	}
	if t.outcome == "" {
		lasted = a.ended.Sub(t.began)
	}
	title := fmt.Sprintf("attempt %d of %d: %s", t.number, t.of, took(lasted))
	all := []bar{c.bar(class, t.began, lasted, title+because(t.reason))}
	if t.wait > 0 && !last {
		all = append(all, c.bar("pause", t.began.Add(t.took), t.wait, "waited "+took(t.wait)+" before the next attempt"))
	}
	return all
}

// marks are the steps of a switch; the commit, where traffic moves, stands out.
func (c scale) marks(s switched) []bar {
	var all []bar
	began := s.at.Add(-s.Took)
	for _, item := range s.Timeline {
		class := "mark"
		if item.Name == commit {
			class = "commit"
		}
		all = append(all, c.bar(class, began.Add(item.At), 0, short(item.Name)+because(item.Text)))
	}
	return all
}

// commit is the step of a switch in which traffic moves.
const commit = "commit"

func (c scale) bar(class string, from time.Time, lasted time.Duration, title string) bar {
	x := c.at(from)
	return bar{class, percent(x), percent(max(min(c.at(from.Add(lasted)), 100)-x, 0.2)), title}
}

// at is where t is, within the line whatever the log says.
func (c scale) at(t time.Time) float64 {
	return min(max(100*float64(t.Sub(c.began))/float64(c.span), 0), 100)
}

// axis marks round times, nine at most.
func (c scale) axis() []tick {
	var all []tick
	step := c.step()
	for t := time.Duration(0); t <= c.span; t += step {
		tick := tick{percent(c.at(c.began.Add(t))), "middle", clock(t, step)}
		switch {
		case t == 0:
			tick.Anchor = "start"
		case c.span-t < step/4:
			tick.Anchor = "end"
		}
		all = append(all, tick)
	}
	return all
}

// step is the distance of the marks: the first round one that needs no more
// than nine of them.
func (c scale) step() time.Duration {
	for unit := time.Millisecond; unit < time.Second; unit *= 10 {
		for _, n := range []time.Duration{1, 2, 5} {
			if c.span <= 8*n*unit {
				return n * unit
			}
		}
	}
	step := time.Second
	for _, n := range []time.Duration{1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200} {
		if step = n * time.Second; c.span <= 8*step {
			return step
		}
	}
	for c.span > 8*step {
		step *= 2
	}
	return step
}

// clock is a time since the start: "250 ms", "45 s", "1:30", "2:05:00".
func clock(t, step time.Duration) string {
	switch {
	case step < time.Second:
		return strconv.FormatInt(t.Milliseconds(), 10) + " ms"
	case t >= time.Hour:
		return fmt.Sprintf("%d:%02d:%02d", t/time.Hour, t/time.Minute%60, t/time.Second%60)
	case t >= time.Minute || step >= time.Minute:
		return fmt.Sprintf("%d:%02d", t/time.Minute, t/time.Second%60)
	}
	return strconv.FormatInt(int64(t/time.Second), 10) + " s"
}

func percent(x float64) string {
	text := strconv.FormatFloat(x, 'f', 2, 64)
	return strings.TrimSuffix(strings.TrimRight(text, "0"), ".") + "%"
}

// stepBars shows a step within the time of its switch.
func stepBars(s event.Switch, i int) []bar {
	c := scale{span: max(s.Took, time.Millisecond)}
	item, until := s.Timeline[i], s.Took
	if i+1 < len(s.Timeline) {
		until = s.Timeline[i+1].At
	}
	class := "step"
	if item.Name == commit {
		class = "commit"
	}
	return []bar{c.bar(class, c.began.Add(item.At), max(until-item.At, 0), "")}
}
