package pipeline

import (
	"fmt"
	"time"

	"github.com/org/deploy-action/internal/event"
	"github.com/org/deploy-action/internal/plan"
	"github.com/org/deploy-action/internal/spec"
)

// Done is what became of a stage that ran elsewhere, as a job of its own.
type Done struct {
	Result   event.Result
	Ended    time.Time // zero: not known
	Outputs  map[string]string
	Switches []event.Switch // that it made, in order
}

// take makes a stage that ran elsewhere count as one of this run. All it needs
// were taken before.
func (r *run) take(s *plan.Stage) {
	done, known := r.Elsewhere[s.Name]
	if !known {
		done.Result = r.unheard(s)
	}
	for _, one := range done.Switches {
		if env := r.environment(one.Environment); env != nil {
			r.moved(&plan.Deploy{Environment: env}, one)
		}
	}
	done.Result.Pos = s.Pos
	r.record(s, done.Result, done.Outputs)
	if len(r.plan.Stages) == 0 {
		r.emit(s, event.Event{Kind: event.StageFinished, Time: done.Ended, Result: &done.Result})
	}
}

// unheard is the result of a stage of which nothing is known but that it did not
// run. What it needs may say why.
func (r *run) unheard(s *plan.Stage) event.Result {
	if result, held := r.held(s); held {
		return result
	}
	return event.Result{Outcome: event.Cancelled, Reason: fmt.Sprintf("stage %s did not run", s.Name)}
}

// environment is the environment called name that this run can move.
func (r *run) environment(name string) *spec.Environment {
	for _, s := range r.plan.All() {
		if s.Deploy != nil && string(s.Deploy.Environment.Name) == name {
			return s.Deploy.Environment
		}
	}
	return nil
}
