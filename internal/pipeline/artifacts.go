package pipeline

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/org/deploy-action/internal/artifact"
	"github.com/org/deploy-action/internal/event"
	"github.com/org/deploy-action/internal/plan"
)

// artifactTime is how long after its cancellation a run may still pack.
const artifactTime = 6 * time.Second

// keepArtifacts keeps the artifacts of the plan, as far as they are wanted of
// what the run has come to. A run that succeeded but lacks a required one has
// failed. What is not kept when ctx ends is not kept.
func (r *run) keepArtifacts(ctx context.Context) {
	came := r.result
	for _, a := range r.plan.Artifacts {
		wanted, err := r.wants(a, came.Outcome)
		if wanted {
			err = r.keepArtifact(ctx, a)
		}
		switch {
		case err == nil:
		case a.Required && r.result.Outcome == event.Succeeded:
			r.result.Outcome, r.result.Pos = event.Failed, a.Pos
			r.result.Reason = r.Masker.String(fmt.Sprintf("%s:%d: %v", a.Pos.File, a.Pos.Line, err))
		default:
			r.warn(a, err.Error()+"; it is not kept")
		}
	}
}

// wants reports whether an artifact is wanted of a run that has come to outcome.
func (r *run) wants(a *plan.Artifact, outcome event.Outcome) (bool, error) {
	if a.When == nil {
		return outcome == event.Succeeded, nil
	}
	holds, err := a.When.Holds(r.facts)
	if err != nil {
		return false, fmt.Errorf("artifact %s: %w", a.Name, err)
	}
	return holds, nil
}

func (r *run) warn(a *plan.Artifact, text string) {
	r.Emit(event.Event{Kind: event.Notice, Note: &event.Note{Level: event.Warning, Text: text, Pos: a.Pos}})
}

// keepArtifact keeps one artifact. That nothing matches is an error as well.
func (r *run) keepArtifact(ctx context.Context, a *plan.Artifact) error {
	began := time.Now()
	step := event.Step{Name: "artifact " + a.Name}
	r.emitStep(event.StepStarted, step)
	kept, err := artifact.In(r.Workspace).Keep(ctx, artifact.Order{Name: a.Name, Run: r.RunID, Patterns: a.Patterns, Keep: a.Keep}, r.progress(step))
	for _, notice := range kept.Notices {
		r.warn(a, fmt.Sprintf("artifact %s: %s", a.Name, notice))
	}
	if kept.Missing {
		err = fmt.Errorf("artifact %s: nothing matches %s", a.Name, strings.Join(a.Patterns, ", "))
	}
	step.Took = time.Since(began)
	switch {
	case kept.Missing && !a.Required:
		step.Text = "missing"
	case err != nil:
		step.Error = err.Error()
	}
	r.emitStep(event.StepFinished, step)
	if err == nil || kept.Missing {
		r.emitArtifact(a, kept, step.Took)
	}
	return err
}

func (r *run) emitArtifact(a *plan.Artifact, kept artifact.Kept, took time.Duration) {
	r.Emit(event.Event{Kind: event.ArtifactDone, Artifact: &event.Artifact{
		Name: a.Name, Run: r.RunID, Missing: kept.Missing, Path: kept.Path, Files: kept.Files, Size: kept.Size,
		Packed: kept.Archive.Size, SHA256: kept.Archive.SHA256, Removed: kept.Removed, Took: took, Pos: a.Pos,
	}})
}

func (r *run) emitStep(kind event.Kind, step event.Step) {
	r.Emit(event.Event{Kind: kind, Step: &step})
}

// progressEvery is how often the progress of a step is told.
const progressEvery = 250 * time.Millisecond

// progress tells how far a step has come, in bytes, a few times a second.
func (r *run) progress(step event.Step) func(done, total int64) {
	last := time.Now()
	return func(done, total int64) {
		if time.Since(last) < progressEvery {
			return
		}
		last = time.Now()
		r.Emit(event.Event{Kind: event.StepProgress, Step: &step, Progress: &event.Progress{Done: done, Total: total, Unit: "bytes"}})
	}
}
