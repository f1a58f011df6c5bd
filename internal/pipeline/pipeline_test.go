package pipeline_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"github.com/org/deploy-action/internal/event"
	"github.com/org/deploy-action/internal/machine"
	"github.com/org/deploy-action/internal/pipeline"
	"github.com/org/deploy-action/internal/plan"
	"github.com/org/deploy-action/internal/secret"
	"github.com/org/deploy-action/internal/spec"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// bench is where a test runs plans, and what it heard.
type bench struct {
	pipeline.Options
	dir string

	mu     sync.Mutex
	events []event.Event
	heard  chan struct{} // takes one for every event; never full
}

func newBench(t *testing.T) *bench {
	t.Helper()
	local := machine.NewLocal("here")
	t.Cleanup(func() { local.Close() })
	b := &bench{dir: t.TempDir(), heard: make(chan struct{}, 1<<16)}
	b.Options = pipeline.Options{
		RunID: "r1", Workspace: b.dir, LogDir: filepath.Join(b.dir, "logs"),
		Machine: local, Masker: secret.New(nil), Emit: event.Fan(b.listen),
		Machines: func(context.Context, *spec.Server) (machine.Machine, error) { return local, nil },
	}
	return b
}

func (b *bench) listen(e event.Event) {
	b.mu.Lock()
	b.events = append(b.events, e)
	b.mu.Unlock()
	b.heard <- struct{}{}
}

// await waits until the stage has put out the line.
func (b *bench) await(t *testing.T, stage, line string) {
	t.Helper()
	deadline := time.After(time.Minute)
	for !slices.Contains(b.lines(stage), line) {
		select {
		case <-b.heard:
		case <-deadline:
			t.Fatalf("stage %s never said %q, only %q", stage, line, b.lines(stage))
		}
	}
}

func (b *bench) lines(stage string) []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	var lines []string
	for _, e := range b.events {
		if e.Kind == event.StageOutput && e.Stage == stage {
			lines = append(lines, strings.Split(e.Output.Text, "\n")...)
		}
	}
	return lines
}

// result is how the stage ended; it must have, once.
func (b *bench) result(t *testing.T, stage string) event.Result {
	t.Helper()
	b.mu.Lock()
	defer b.mu.Unlock()
	var results []event.Result
	for _, e := range b.events {
		if e.Kind == event.StageFinished && e.Stage == stage {
			results = append(results, *e.Result)
		}
	}
	if len(results) != 1 {
		t.Fatalf("stage %s ended %d times", stage, len(results))
	}
	return results[0]
}

// ends lists every stage's outcome with its reason.
func (b *bench) ends(t *testing.T, p *plan.Plan) []string {
	t.Helper()
	var ends []string
	for _, s := range p.Stages {
		r := b.result(t, s.Name)
		ends = append(ends, strings.TrimSuffix(fmt.Sprintf("%s %s: %s", s.Name, r.Outcome, r.Reason), ": "))
	}
	return ends
}

// stage is a stage on line n of the spec, that runs script.
func stage(n int, name, script string, needs ...*plan.Stage) *plan.Stage {
	return &plan.Stage{
		Name: name, Run: spec.Known(script), Needs: needs, Timeout: time.Minute, OnFailure: spec.Stop,
		Pos: spec.Pos{File: "deploy.hcl", Line: n},
	}
}

func planOf(stages ...*plan.Stage) *plan.Plan {
	return &plan.Plan{Spec: "deploy.hcl", Pipeline: "release", MaxParallel: 4, Stages: stages}
}

func no() *spec.Condition {
	answer := false
	return &spec.Condition{Source: "var.nightly", Fixed: &answer}
}

func TestWhatBecomesOfStages(t *testing.T) {
	b := newBench(t)
	good := stage(1, "good", "true")
	bad := stage(2, "bad", "exit 3", good)
	ignored := stage(3, "ignored", "exit 4", good)
	ignored.OnFailure = spec.Continue
	skipped := stage(4, "skipped", "touch should-not-be", good)
	skipped.When = no()
	p := planOf(good, bad, ignored, skipped,
		stage(5, "after-ignored", "true", ignored),
		stage(6, "after-skipped", "touch should-not-be", skipped),
		stage(7, "after-bad", "touch should-not-be", good, bad),
		stage(8, "last", "touch should-not-be"),
	)
	p.Stages[7].Needs = []*plan.Stage{skipped, p.Stages[6]}
	got := pipeline.Run(t.Context(), p, b.Options)
	want := []string{
		"good succeeded", "bad failed: exit status 3", "ignored failed: exit status 4",
		"skipped skipped: when is false: var.nightly", "after-ignored succeeded",
		"after-skipped skipped: stage skipped was skipped",
		"after-bad blocked: stage bad failed", "last blocked: stage bad failed",
	}
	if diff := cmp.Diff(want, b.ends(t, p)); diff != "" {
		t.Errorf("want, got:\n%s", diff)
	}
	if got.Outcome != event.Failed || got.Reason != "deploy.hcl:2: stage bad: exit status 3" || got.Pos != bad.Pos {
		t.Errorf("the run came to %+v", got)
	}
	if _, err := os.Stat(filepath.Join(b.dir, "should-not-be")); err == nil {
		t.Error("a stage ran that should not have")
	}
	if r := b.result(t, "ignored"); !r.Ignored || r.ExitCode != 4 {
		t.Errorf("the ignored failure is %+v", r)
	}
}

func TestFailFastCancelsTheOthers(t *testing.T) {
	b := newBench(t)
	slow := stage(1, "slow", "touch up; sleep 600")
	bad := stage(2, "bad", "until [ -e up ]; do sleep 0.01; done; exit 1")
	later := stage(3, "later", "true", slow)
	p := planOf(slow, bad, later)
	p.FailFast = true
	got := pipeline.Run(t.Context(), p, b.Options)
	want := []string{
		"slow cancelled: fail_fast: stage bad failed", "bad failed: exit status 1",
		"later cancelled: fail_fast: stage bad failed",
	}
	if diff := cmp.Diff(want, b.ends(t, p)); diff != "" || got.Reason != "deploy.hcl:2: stage bad: exit status 1" {
		t.Errorf("the run came to %q; want, got:\n%s", got.Reason, diff)
	}
}

func TestOutputsThatAreNone(t *testing.T) {
	b := newBench(t)
	pipeline.Run(t.Context(), planOf(stage(1, "wrong", `echo "no output" >> "$TURNOUT_OUTPUT"`)), b.Options)
	if r := b.result(t, "wrong"); r.Outcome != event.Failed || !strings.HasPrefix(r.Reason, `TURNOUT_OUTPUT: line 1: "no output" is neither`) {
		t.Errorf("%+v", r)
	}
	left, err := filepath.Glob(filepath.Join(b.LogDir, "*.output"))
	if err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

func TestEnvironmentOfAStage(t *testing.T) {
	t.Setenv("INPUT_KEY", "private")
	t.Setenv("TURNOUT_VAR_token", "private")
	t.Setenv("ACTIONS_RUNTIME_TOKEN", "private")
	t.Setenv("OF_THE_JOB", "kept")
	b := newBench(t)
	if err := os.Mkdir(filepath.Join(b.dir, "sub"), 0o755); err != nil {
		t.Fatal(err)
	}
	s := stage(1, "look", `
		env | grep private || echo nothing private
		echo "$OF_THE_JOB $OWN $TURNOUT_STAGE $TURNOUT_RUN_ID ${PWD##*/}"
		read -r line || echo no input
		set -o | grep pipefail`)
	s.Env, s.Dir = map[string]*spec.Text{"OWN": spec.Known("$(id) `id`")}, "sub"
	if got := pipeline.Run(t.Context(), planOf(s), b.Options); got.Outcome != event.Succeeded {
		t.Fatalf("%+v", got)
	}
	want := []string{"nothing private", "kept $(id) `id` look r1 sub", "no input", "pipefail       \ton"}
	if diff := cmp.Diff(want, b.lines("look")); diff != "" {
		t.Errorf("want, got:\n%s", diff)
	}
}

func TestAStageThatFailsWithinAPipe(t *testing.T) {
	b := newBench(t)
	pipeline.Run(t.Context(), planOf(stage(1, "pipe", "false | cat; echo went on")), b.Options)
	if r := b.result(t, "pipe"); r.Outcome != event.Failed || len(b.lines("pipe")) > 0 {
		t.Errorf("%+v after %q", r, b.lines("pipe"))
	}
}

func TestDeployStage(t *testing.T) {
	for outcome, want := range map[event.Outcome]event.Outcome{
		event.Succeeded: event.Succeeded, event.Failed: event.Failed, event.Stranded: event.Stranded,
	} {
		t.Run(string(outcome), func(t *testing.T) {
			b := newBench(t)
			b.Deploy = func(_ context.Context, d *plan.Deploy, emit event.Sink) event.Switch {
				emit(event.Event{Kind: event.StepFinished, Step: &event.Step{Name: "health", Text: d.Release}})
				return event.Switch{Outcome: outcome, Reason: "health: 502"}
			}
			s := stage(9, "deploy", "")
			s.Run, s.Deploy, s.OnFailure = nil, &plan.Deploy{Release: "dist"}, spec.Stop
			got := pipeline.Run(t.Context(), planOf(s), b.Options)
			if got.Outcome != want || got.Outcome != event.Succeeded && got.Reason != "deploy.hcl:9: stage deploy: health: 502" {
				t.Errorf("the run came to %+v", got)
			}
			if e := b.events[1]; e.Stage != "deploy" || e.Step.Text != "dist" {
				t.Errorf("the step was told as %+v", e)
			}
		})
	}
}

func TestDeployStageIsTimedOut(t *testing.T) {
	b := newBench(t)
	b.Deploy = func(ctx context.Context, _ *plan.Deploy, _ event.Sink) event.Switch {
		<-ctx.Done()
		return event.Switch{Outcome: event.Failed, Reason: context.Cause(ctx).Error()}
	}
	s := stage(9, "deploy", "")
	s.Run, s.Deploy, s.Timeout = nil, &plan.Deploy{}, 10*time.Millisecond
	pipeline.Run(t.Context(), planOf(s), b.Options)
	if r := b.result(t, "deploy"); r.Outcome != event.Failed || r.Reason != "timed out after 10ms" {
		t.Errorf("%+v", r)
	}
}

func TestLogsThatCannotBeKept(t *testing.T) {
	b := newBench(t)
	b.LogDir = filepath.Join(b.dir, "file", "logs")
	if err := os.WriteFile(filepath.Join(b.dir, "file"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	got := pipeline.Run(t.Context(), planOf(stage(1, "a", "true")), b.Options)
	if got.Outcome != event.Failed || !strings.Contains(got.Reason, "nothing was started") || len(b.events) > 0 {
		t.Errorf("%+v after %v", got, b.events)
	}
}

var errStop = errors.New("interrupt signal received")
