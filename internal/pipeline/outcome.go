package pipeline

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/org/deploy-action/internal/event"
	"github.com/org/deploy-action/internal/plan"
	"github.com/org/deploy-action/internal/spec"
)

// failFast is why stages are cancelled when another has failed.
type failFast struct{ stage string }

func (f failFast) Error() string { return fmt.Sprintf("fail_fast: stage %s failed", f.stage) }

// Is makes the cause what it stands for: a cancelled context.
func (failFast) Is(target error) bool { return target == context.Canceled }

// cancelled is the result of a stage that ctx kept from running to its end.
func cancelled(ctx context.Context) event.Result {
	return event.Result{Outcome: event.Cancelled, Reason: context.Cause(ctx).Error()}
}

// held reports whether what s needs keeps it from running, and names the stage
// that it all began with.
func (r *run) held(s *plan.Stage) (event.Result, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	var worst *plan.Stage
	for _, need := range s.Needs {
		origin := need
		if before := r.origins[need]; before != nil {
			origin = before
		}
		result := r.results[origin]
		if result.Outcome == event.Succeeded || result.Ignored || r.leftOut(s, need) {
			continue
		}
		if worst == nil || weight(result.Outcome) > weight(r.results[worst].Outcome) {
			worst = origin
		}
	}
	if worst == nil {
		return event.Result{}, false
	}
	r.origins[s] = worst
	return becauseOf(worst.Name, r.results[worst]), true
}

// leftOut reports whether a leg was skipped while another one of its stage was
// not: its condition leaves a combination out, not the stage.
func (r *run) leftOut(s, leg *plan.Stage) bool {
	if leg.Leg == "" || r.results[leg].Outcome != event.Skipped {
		return false
	}
	return slices.ContainsFunc(s.Needs, func(other *plan.Stage) bool {
		return other.Leg == leg.Leg && r.results[other].Outcome != event.Skipped
	})
}

// weight orders the outcomes of needs by how much they say about a dependant.
func weight(o event.Outcome) int {
	return slices.Index([]event.Outcome{event.Skipped, event.Cancelled, event.Failed, event.Stranded}, o)
}

// becauseOf is what becomes of a stage when one that it needs has ended so.
func becauseOf(name string, result event.Result) event.Result {
	switch result.Outcome {
	case event.Skipped:
		return event.Result{Outcome: event.Skipped, Reason: fmt.Sprintf("stage %s was skipped", name)}
	case event.Cancelled:
		return event.Result{Outcome: event.Cancelled, Reason: result.Reason}
	}
	return event.Result{Outcome: event.Blocked, Reason: fmt.Sprintf("stage %s failed", name)}
}

// record remembers how s ended, for the stages after it and for the run.
func (r *run) record(s *plan.Stage, result event.Result, outputs map[string]string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.results[s] = result
	failed := result.Outcome == event.Failed || result.Outcome == event.Stranded
	if failed {
		r.facts.Failed = with(r.facts.Failed, s.Origin(), true)
	}
	if len(outputs) > 0 {
		r.facts.Outputs = with(r.facts.Outputs, s.Name, outputs)
	}
	if !failed || result.Ignored {
		return
	}
	if r.first == nil {
		r.first = s
	}
	if r.plan.FailFast {
		r.stop(failFast{s.Name})
	}
}

// with is a copy of m with one more entry: others may be reading m.
func with[V any](m map[string]V, key string, value V) map[string]V {
	bigger := make(map[string]V, len(m)+1)
	maps.Copy(bigger, m)
	bigger[key] = value
	return bigger
}

// known is what the run knows by now, as s may ask for it.
func (r *run) known(s *plan.Stage) spec.Facts {
	r.mu.Lock()
	defer r.mu.Unlock()
	facts := r.facts
	facts.Matrix = s.Matrix
	return facts
}

// sum says what the stages came to: what is stranded comes before everything, then that
// the run was cancelled, then the first failure. Stages that fail_fast cancelled
// leave the run failed.
func (r *run) sum(ctx context.Context) event.Result {
	decisive := r.first
	if s := r.ended(event.Cancelled); s != nil && (ctx.Err() != nil || decisive == nil) {
		decisive = s
	}
	if s := r.ended(event.Stranded); s != nil {
		decisive = s
	}
	if decisive == nil {
		return event.Result{Outcome: event.Succeeded}
	}
	stage := r.results[decisive]
	result := event.Result{Outcome: stage.Outcome, Reason: r.reason(decisive, stage), Pos: decisive.Pos}
	if stage.Log != "" {
		result.Hint = "the whole log of the stage is in " + stage.Log
	}
	return result
}

// ended is the first stage of the plan with that outcome, nil when none has it.
func (r *run) ended(outcome event.Outcome) *plan.Stage {
	for _, s := range r.plan.Told() {
		if r.results[s].Outcome == outcome {
			return s
		}
	}
	return nil
}

// reason names a stage's place and what became of it.
func (r *run) reason(s *plan.Stage, result event.Result) string {
	what := "stage"
	if r.plan.Pipeline == "" {
		what = "task" // that runs alone
	}
	return fmt.Sprintf("%s:%d: %s %s: %s", s.Pos.File, s.Pos.Line, what, s.Name, result.Reason)
}
