package canary

import (
	"fmt"
	"time"
)

// Step is a share in percent and how long it is held.
type Step struct {
	Percent int
	Hold    time.Duration
}

// Plan is how a canary is to go.
type Plan struct {
	Steps    []Step // rising shares, at least one
	Interval time.Duration
	Rules    Rules
	// Trusting goes on from a step whose longest hold brought too few requests;
	// else that aborts.
	Trusting bool
}

const (
	longestHold  = 3 // times the hold, for want of requests
	unreadInARow = 4 // readings that failed, which abort
)

// Reading is what was seen since the one before, or why nothing was.
type Reading struct {
	Window  Window
	Opinion *Opinion // somebody else's, in place of a verdict on the window; nil: none
	Trouble string   // something that no figure outweighs, such as a server that is down
	Err     error    // the figures could not be read
}

// Opinion is a verdict that somebody else has come to, and why.
type Opinion struct {
	Verdict Verdict
	Why     string
}

// Kind is what is to be done.
type Kind string

const (
	KindStep    Kind = "step"    // give the new release Action.Percent
	KindHold    Kind = "hold"    // go on as it is
	KindExtend  Kind = "extend"  // go on as it is, for longer than was planned
	KindPromote Kind = "promote" // give the new release everything
	KindAbort   Kind = "abort"   // give the old release everything
)

// Action is what is to be done after a reading.
type Action struct {
	Kind    Kind
	Percent int       // the share from now on
	Next    time.Time // when to read again; zero when it is over
	Reason  string    // of an extension or an abort

	// Window is what was looked at, Verdict what it says, and Why why it says no more
	// or fails. All are empty where there were no figures.
	Window  Window
	Verdict Verdict
	Why     string
}

// Climb is a canary under way.
type Climb struct {
	plan    Plan
	step    int
	until   time.Time // when the hold of the step ends
	latest  time.Time // when it ends for want of good windows; as until while there is no want
	pending Window    // not judged yet, for want of requests
	wanting string    // what for
	judged  int       // windows in this step
	recent  []Window  // the last judged, at most Rules.Failures
	bad     int       // failed windows in a row
	unread  int       // readings in a row that failed
}

// Start begins a canary; the action is its first step.
func Start(plan Plan, now time.Time) (*Climb, Action) {
	c := &Climb{plan: plan, step: -1}
	return c, c.climb(now)
}

// Observe takes a reading and says what is to be done.
func (c *Climb) Observe(now time.Time, r Reading) Action {
	if r.Err != nil {
		return c.miss(now, r.Err)
	}
	c.unread = 0
	if r.Trouble != "" {
		return Action{Kind: KindAbort, Reason: r.Trouble}
	}
	c.pending = c.pending.Plus(r.Window)
	window := c.pending
	verdict, why := c.plan.Rules.Judge(window)
	if r.Opinion != nil {
		verdict, why = r.Opinion.Verdict, r.Opinion.Why
	}
	action := Action{Kind: KindAbort}
	if verdict == Insufficient {
		c.wanting = why
	} else {
		action.Reason = c.weigh(window, verdict)
		if r.Opinion != nil {
			action.Reason = c.agreed(why)
		}
	}
	if action.Reason == "" {
		action = c.proceed(now)
	}
	action.Window, action.Verdict, action.Why = window, verdict, why
	return action
}

// agreed is why opinions abort: as many in a row as windows would have to fail.
func (c *Climb) agreed(why string) string {
	if c.bad < c.failures() {
		return ""
	}
	return why
}

// failures is how many failed windows in a row abort.
func (c *Climb) failures() int { return max(1, c.plan.Rules.Failures) }

// miss counts a reading that failed.
func (c *Climb) miss(now time.Time, err error) Action {
	if c.unread++; c.unread == unreadInARow {
		return Action{Kind: KindAbort, Reason: fmt.Sprintf("the figures could not be read %d times in a row: %v", c.unread, err)}
	}
	return c.hold(now)
}

// weigh takes a judged window and returns why it aborts the canary, if it does.
func (c *Climb) weigh(w Window, v Verdict) string {
	c.pending = Window{}
	c.judged++
	c.recent = append(c.recent, w)
	c.recent = c.recent[max(0, len(c.recent)-c.failures()):]
	if v == Pass {
		c.bad = 0
	} else {
		c.bad++
	}
	return c.plan.Rules.conclude(c.recent, c.bad)
}

// proceed goes on from a step whose hold is over and whose last window was good.
func (c *Climb) proceed(now time.Time) Action {
	hold := c.plan.Steps[c.step].Hold
	switch {
	case now.Before(c.until):
		return c.hold(now)
	case hold == 0 || c.judged > 0 && c.bad == 0:
		return c.climb(now)
	case c.latest.Equal(c.until):
		c.latest = c.until.Add((longestHold - 1) * hold)
		action := c.hold(now)
		action.Kind, action.Reason = KindExtend, c.doubt()
		return action
	case now.Before(c.latest):
		return c.hold(now)
	case c.plan.Trusting && c.bad == 0:
		return c.climb(now)
	}
	return Action{Kind: KindAbort, Reason: fmt.Sprintf("%s, after %d times the hold of %s", c.doubt(), longestHold, hold)}
}

// doubt is why a step can't end yet.
func (c *Climb) doubt() string {
	if c.bad > 0 {
		return "the last window failed, and none has passed since"
	}
	return c.wanting
}

// climb takes the next step, or ends the climb.
func (c *Climb) climb(now time.Time) Action {
	if c.step++; c.step == len(c.plan.Steps) {
		return Action{Kind: KindPromote, Percent: 100}
	}
	c.until = now.Add(c.plan.Steps[c.step].Hold)
	c.latest = c.until
	c.pending, c.wanting, c.judged = Window{}, "nothing was looked at yet", 0
	action := c.hold(now)
	action.Kind = KindStep
	return action
}

// hold reads again after an interval, or at the end of the hold.
func (c *Climb) hold(now time.Time) Action {
	next := now.Add(c.plan.Interval)
	for _, end := range []time.Time{c.latest, c.until} {
		if now.Before(end) && end.Before(next) {
			next = end
		}
	}
	return Action{Kind: KindHold, Percent: c.plan.Steps[c.step].Percent, Next: next}
}
