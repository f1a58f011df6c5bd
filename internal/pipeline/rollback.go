package pipeline

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/org/deploy-action/internal/event"
	"github.com/org/deploy-action/internal/machine"
	"github.com/org/deploy-action/internal/plan"
)

// The 7 s that a cancelled run has, shared out. Without strategies, stages have
// machine.DefaultGrace to end after SIGTERM; with strategies, less, so that
// these have at least 2 s.
const (
	rollbackTime  = 5 * time.Second // from the cancellation to the end of the last strategy
	hurriedGrace  = 3 * time.Second // of stages, where there are strategies
	strategyGrace = time.Second     // of a strategy's own command
)

// grace is how long the command of s has after SIGTERM.
func (r *run) grace(s *plan.Stage) time.Duration {
	switch {
	case s.Rollback:
		return strategyGrace
	case len(r.plan.Rollbacks) > 0:
		return hurriedGrace
	}
	return machine.DefaultGrace
}

// noTime is why something ends that a cancelled run still had to do.
type noTime struct{ after time.Duration }

func (n noTime) Error() string {
	return fmt.Sprintf("no time left, %s after the run was cancelled", n.after)
}

// Is makes the cause what it stands for: a cancelled context.
func (noTime) Is(target error) bool { return target == context.Canceled }

// outlive returns a context that ends that long after ctx has.
func outlive(ctx context.Context, by time.Duration) (context.Context, context.CancelFunc) {
	later, cancel := context.WithCancelCause(context.WithoutCancel(ctx))
	done := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		timer := time.NewTimer(by)
		defer timer.Stop()
		select {
		case <-timer.C:
			cancel(noTime{by})
		case <-done:
		}
	})
	return later, func() {
		close(done)
		stop()
		cancel(nil)
	}
}

// rollBack carries out the strategies whose condition holds, one after the
// other. One that fails does not keep the others from their turn, and leaves the
// run stranded: what it was to put back is not back. late outlives a cancelled
// ctx.
func (r *run) rollBack(ctx, late context.Context) {
	r.facts.Cancelled = r.result.Outcome == event.Cancelled || ctx.Err() != nil
	if r.result.Outcome == event.Succeeded {
		return
	}
	var failed []string
	for _, s := range r.plan.Rollbacks {
		result, _ := r.carryOut(late, s, r.due)
		if result.Outcome != event.Succeeded && result.Outcome != event.Skipped {
			failed = append(failed, fmt.Sprintf("%s failed: %s", title(s), result.Reason))
		}
		r.emit(s, event.Event{Kind: event.StageFinished, Result: &result})
	}
	if len(failed) > 0 {
		r.result.Outcome = event.Stranded
		r.result.Reason = strings.Join(failed, "; ") + "; before that, " + r.result.Reason
	}
}

// due reports whether a strategy is to be carried out.
func (r *run) due(ctx context.Context, s *plan.Stage) (event.Result, bool) {
	result, holds := r.asked(s)
	if holds && ctx.Err() != nil {
		return cancelled(ctx), false
	}
	return result, holds
}

// title is a strategy as the spec names it.
func title(s *plan.Stage) string { return strings.Replace(s.Name, ".", " ", 1) }

// tellWhy gives a strategy's command what a message to people needs.
func (r *run) tellWhy(env map[string]string) {
	var failed []string
	for _, s := range r.plan.Told() {
		if outcome := r.results[s].Outcome; outcome == event.Failed || outcome == event.Stranded {
			failed = append(failed, s.Name)
		}
	}
	env["TURNOUT_OUTCOME"] = string(r.result.Outcome)
	env["TURNOUT_REASON"] = r.result.Reason
	env["TURNOUT_FAILED"] = strings.Join(failed, " ")
}
