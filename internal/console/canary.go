package console

import (
	"fmt"

	"github.com/org/deploy-action/internal/event"
)

// look tells of a look at a canary. Where it is drawn live, only what is not as
// wished stays to be read.
func (c *Console) look(s *stage, l *event.Look) {
	m := info
	switch {
	case l.Action == "abort":
		m = failed
	case l.Verdict != "pass":
		m = warning
	case c.live != nil:
		return
	}
	c.own(c.prefix(s), m, pad("canary", 8)+"  "+looked(*l))
}

// shared says who gets how much from now on.
func shared(s event.Share) string {
	return fmt.Sprintf("%d %% of the requests go to %s, after %s", s.Percent, s.Slot, human(s.Took))
}

// looked is a look in a line: "10 %: green 120 requests, 0.8 % errors, p95 12 ms;
// blue 1080 requests, 0 % errors, p95 11 ms: pass". Synthetic requests follow those of
// clients: "green 3 requests, 0 % errors, p95 12 ms + 15 synthetic, 0 % errors, p95 2 ms".
func looked(l event.Look) string {
	text := fmt.Sprintf("%d %%: ", l.Percent)
	switch {
	case l.Action == "abort" && l.Verdict == "":
		return text + "aborts"
	case l.Verdict == "":
		return text + "no figures: " + l.Why
	}
	text += side(l.New, l.SyntheticNew) + "; " + side(l.Old, l.SyntheticOld)
	if l.Figures != nil {
		text += "; " + l.Measured()
	}
	text += ": " + verdict(l)
	if l.Missed {
		text += " (a proxy could not tell of all requests)"
	}
	return text
}

func side(s event.Side, synthetic *event.Side) string {
	text := fmt.Sprintf("%s %s%s", s.Slot, count(s.Requests, "request"), ended(s))
	if synthetic != nil {
		text += fmt.Sprintf(" + %d synthetic%s", synthetic.Requests, ended(*synthetic))
	}
	return text
}

// ended is how requests ended.
func ended(s event.Side) string {
	text := ""
	if s.Requests > 0 {
		text += fmt.Sprintf(", %s %% errors", decimal(s.ErrorRate()))
	}
	if s.P95 > 0 {
		text += ", p95 " + human(s.P95)
	}
	return text
}

// verdict is what a look says and, where that is not good, why. The end of the
// step says why it aborts.
func verdict(l event.Look) string {
	switch {
	case l.Action == "abort":
		return l.Verdict + ", aborts"
	case l.Action == "extend":
		return l.Verdict + ", held longer: " + l.Reason
	case l.Verdict == "pass":
		return l.Verdict
	}
	return l.Verdict + ": " + l.Why
}
