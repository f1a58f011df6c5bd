package pipeline

import (
	"context"
	"fmt"

	"github.com/org/deploy-action/internal/event"
	"github.com/org/deploy-action/internal/plan"
)

// move is what a run has done to an environment.
type move struct {
	before event.SlotRelease // served when the run first came to it
	last   event.Switch      // the switch that came last
}

// deploy is one attempt of a deploy stage.
func (r *run) deploy(ctx context.Context, s *plan.Stage) event.Result {
	limited, cancel := limit(ctx, s.Timeout)
	defer cancel()
	done := r.Deploy(limited, s.Deploy, event.Within(s.Name, r.Emit))
	r.moved(s.Deploy, done)
	return event.Result{Outcome: done.Outcome, Reason: done.Reason}
}

// moved remembers a switch.
func (r *run) moved(d *plan.Deploy, done event.Switch) {
	if done.Unseen() {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	m := r.moves[d.Environment]
	if m == nil {
		m = &move{before: done.From}
		r.moves[d.Environment] = m
	}
	m.last = done
}

// goBack moves an environment back to the slot that served before the run. A
// deploy that failed has put itself back already: going to the other slot then
// would be going to what has just failed.
func (r *run) goBack(ctx context.Context, s *plan.Stage) event.Result {
	env, m := s.Deploy.Environment, r.moves[s.Deploy.Environment]
	switch {
	case m == nil:
		return event.Result{Outcome: event.Skipped, Reason: fmt.Sprintf("this run has not moved %s", env.Name)}
	case m.before.Slot == "":
		return event.Result{Outcome: event.Skipped, Reason: fmt.Sprintf("nothing served %s before this run", env.Name)}
	case m.last.Serving == m.before && m.last.Outcome != event.Stranded:
		return event.Result{Outcome: event.Skipped, Reason: fmt.Sprintf("%s serves %s, as before this run", env.Name, m.before)}
	case m.last.From != m.before:
		return event.Result{Outcome: event.Failed, Reason: fmt.Sprintf(
			"this run has moved %s more than once, and no slot holds %s any more: the other one holds %s", env.Name, m.before, m.last.From)}
	}
	limited, cancel := limit(ctx, s.Timeout)
	defer cancel()
	d := *s.Deploy
	d.Hurried = r.result.Outcome == event.Cancelled
	done := r.Deploy(limited, &d, event.Within(s.Name, r.Emit))
	r.moved(s.Deploy, done)
	return event.Result{Outcome: done.Outcome, Reason: done.Reason}
}
