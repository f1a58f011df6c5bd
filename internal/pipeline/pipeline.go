// Package pipeline runs the stages of a plan, each as soon as the stages it
// needs are done.
package pipeline

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/org/deploy-action/internal/dag"
	"github.com/org/deploy-action/internal/event"
	"github.com/org/deploy-action/internal/machine"
	"github.com/org/deploy-action/internal/plan"
	"github.com/org/deploy-action/internal/secret"
	"github.com/org/deploy-action/internal/spec"
)

// Options is what a run finds around it.
type Options struct {
	RunID     string
	Workspace string          // stages run here, or in their dir below it
	LogDir    string          // of <stage>.log; made, for its owner alone, where it is missing
	Machine   machine.Machine // the one turnout runs on
	Masker    *secret.Masker
	Emit      event.Sink // gets the stage.* events, and the steps of deploys and tasks under their stage's name

	// Machines returns the session with a server of a task.
	Machines func(context.Context, *spec.Server) (machine.Machine, error)

	// Deploy does a deploy stage and emits its steps to the sink.
	Deploy func(context.Context, *plan.Deploy, event.Sink) event.Switch

	// Elsewhere is what became of the stages of the plan that ran elsewhere, by
	// name. Of one that is missing nothing is known but that it did not run.
	Elsewhere map[string]Done

	// Ended is told how a stage of the plan has ended that ran here; may be nil.
	Ended func(*plan.Stage, Done)
}

// Run runs the stages of p and returns what the run came to; each stage's own
// result is in its stage.finished event. Stages that do not depend on one that
// failed go on, unless the plan says fail_fast. A run that does not succeed goes
// on with its rollback strategies, and every run ends with its artifacts.
//
// When ctx ends, running stages are ended and no other begins. Run returns
// within 7 s then: GitHub kills 7.5 s after its first signal (runner,
// ProcessInvoker).
func Run(ctx context.Context, p *plan.Plan, o Options) event.Result {
	logs, err := filepath.Abs(o.LogDir)
	if err == nil {
		err = os.MkdirAll(logs, 0o700)
	}
	if err != nil {
		return event.Result{Outcome: event.Failed, Reason: fmt.Sprintf("logs: %v; nothing was started", err)}
	}
	o.LogDir = logs
	running, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	late, tooLate := outlive(ctx, rollbackTime)
	defer tooLate()
	last, over := outlive(ctx, artifactTime)
	defer over()
	r := newRun(p, o, stop)
	graph := dag.New[*plan.Stage]()
	for _, stage := range p.Elsewhere {
		r.take(stage)
	}
	for _, stage := range p.Stages {
		graph.Add(stage, p.Here(stage.Needs)...)
	}
	graph.Walk(p.MaxParallel, func(s *plan.Stage) { r.stage(running, s) })
	r.result = r.sum(ctx)
	r.rollBack(ctx, late)
	r.keepArtifacts(last)
	return r.result
}

// run is a plan being run.
type run struct {
	Options
	plan  *plan.Plan
	stop  context.CancelCauseFunc
	shell func() []string

	mu      sync.Mutex
	results map[*plan.Stage]event.Result
	origins map[*plan.Stage]*plan.Stage // of a stage that was held: the one that is to blame
	first   *plan.Stage                 // the first that failed and is not ignored
	facts   spec.Facts                  // its maps are replaced, never written to
	moves   map[*spec.Environment]*move // environments that this run has moved

	result event.Result // what the run has come to, once its stages have ended
}

func newRun(p *plan.Plan, o Options, stop context.CancelCauseFunc) *run {
	r := &run{
		Options: o, plan: p, stop: stop,
		results: make(map[*plan.Stage]event.Result, len(p.Stages)), origins: make(map[*plan.Stage]*plan.Stage),
		moves: make(map[*spec.Environment]*move),
	}
	r.shell = sync.OnceValue(r.findShell)
	return r
}

// stage sees one stage through, whether it runs or not. All it needs are done.
func (r *run) stage(ctx context.Context, s *plan.Stage) {
	result, outputs := r.carryOut(ctx, s, r.ready)
	r.record(s, result, outputs)
	r.emit(s, event.Event{Kind: event.StageFinished, Result: &result})
	if r.Ended != nil {
		r.Ended(s, Done{Result: result, Ended: time.Now(), Outputs: outputs})
	}
}

// carryOut performs s if it is ready, and returns its result and its outputs.
func (r *run) carryOut(ctx context.Context, s *plan.Stage, ready func(context.Context, *plan.Stage) (event.Result, bool)) (event.Result, map[string]string) {
	began := time.Now()
	result, is := ready(ctx, s)
	var outputs map[string]string
	if is {
		r.emit(s, event.Event{Kind: event.StageStarted})
		result, outputs = r.perform(ctx, s)
	}
	result.Pos, result.Took = s.Pos, time.Since(began)
	result.Reason = r.Masker.String(result.Reason)
	result.Ignored = result.Outcome == event.Failed && (s.OnFailure == spec.Continue || s.OnFailure == spec.Ignore)
	return result, outputs
}

func (r *run) emit(s *plan.Stage, e event.Event) {
	e.Stage = s.Name
	r.Emit(e)
}

// ready reports whether s is to run, and else what became of it.
func (r *run) ready(ctx context.Context, s *plan.Stage) (event.Result, bool) {
	if result, held := r.held(s); held {
		return result, false
	}
	if ctx.Err() != nil {
		return cancelled(ctx), false
	}
	return r.asked(s)
}

// asked answers the condition of s.
func (r *run) asked(s *plan.Stage) (event.Result, bool) {
	if s.When == nil {
		return event.Result{}, true
	}
	holds, err := s.When.Holds(r.known(s))
	switch {
	case err != nil:
		return event.Result{Outcome: event.Failed, Reason: err.Error()}, false
	case !holds:
		return event.Result{Outcome: event.Skipped, Reason: "when is false: " + s.When.Source}, false
	}
	return event.Result{}, true
}

// perform runs the body of s, again and again where the spec says so.
func (r *run) perform(ctx context.Context, s *plan.Stage) (event.Result, map[string]string) {
	what := trial{stage: s, retry: s.Retry}
	repeated := func(body func(context.Context, *plan.Stage) event.Result) event.Result {
		return r.repeat(ctx, what, func(ctx context.Context, _ int) event.Result { return body(ctx, s) })
	}
	switch {
	case s.Deploy != nil && s.Rollback:
		return repeated(r.goBack), nil
	case s.Deploy != nil:
		return repeated(r.deploy), nil
	case s.Task != nil:
		return repeated(r.task), nil
	}
	c, err := r.newCommand(s)
	if err != nil {
		return event.Result{Outcome: event.Failed, Reason: err.Error()}, nil
	}
	defer c.log.close()
	result := r.repeat(ctx, what, c.run)
	result.Log = c.log.name()
	return result, c.outputs
}
