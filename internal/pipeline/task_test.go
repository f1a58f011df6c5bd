package pipeline_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/org/deploy-action/internal/event"
	"github.com/org/deploy-action/internal/machine"
	"github.com/org/deploy-action/internal/pipeline"
	"github.com/org/deploy-action/internal/plan"
	"github.com/org/deploy-action/internal/secret"
	"github.com/org/deploy-action/internal/spec"
)

// onFour is a pipeline with a task on four servers, that all are this machine.
func onFour(t *testing.T, run, attributes string) *plan.Plan {
	t.Helper()
	var text strings.Builder
	for n := range 4 {
		fmt.Fprintf(&text, "server \"web%d\" {\n  connection = \"local\"\n}\n", n)
	}
	fmt.Fprintf(&text, "task \"warm\" {\n  target = [server.web0, server.web1, server.web2, server.web3]\n  run = %q\n%s\n}\n", run, attributes)
	text.WriteString("pipeline \"p\" {\n  stage \"warm\" {\n    task = task.warm\n  }\n}\n")
	return load(t, text.String())
}

// steps tell how the task ended on each server.
func (b *bench) steps() []string {
	var all []string
	for _, e := range b.events {
		if e.Kind == event.StepFinished {
			all = append(all, fmt.Sprintf("%s %s%s", e.Step.Server, e.Step.Text, e.Step.Error))
		}
	}
	slices.Sort(all)
	return all
}

func TestTasks(t *testing.T) {
	const fails = "echo on $TURNOUT_SERVER; case $TURNOUT_SERVER in web1 | web2) exit 5;; esac"
	for name, test := range map[string]struct {
		run, attributes string
		want            string // result of the stage
		steps           []string
	}{
		"all": {
			"echo $TURNOUT_TASK on $TURNOUT_SERVER", "", "succeeded",
			[]string{"web0 done", "web1 done", "web2 done", "web3 done"},
		},
		"stops": {
			fails, `strategy = "sequential"`, "failed: 1 of 4 servers failed, 2 not started: web1: exit status 5",
			[]string{"web0 done", "web1 exit status 5"},
		},
		"bears one": {
			fails, "strategy = \"sequential\"\nmax_failures = 1", "failed: 2 of 4 servers failed, 1 not started: web1: exit status 5; web2: exit status 5",
			[]string{"web0 done", "web1 exit status 5", "web2 exit status 5"},
		},
		"continues": {
			fails, "strategy = \"sequential\"\non_failure = \"continue\"", "failed: 2 of 4 servers failed: web1: exit status 5; web2: exit status 5",
			[]string{"web0 done", "web1 exit status 5", "web2 exit status 5", "web3 done"},
		},
		"ignores": {
			fails, `on_failure = "ignore"`, "succeeded",
			[]string{"web0 done", "web1 exit status 5", "web2 exit status 5", "web3 done"},
		},
		"timed out": {
			"[ $TURNOUT_SERVER = web0 ] || sleep 600", "strategy = \"sequential\"\ntimeout = \"1s\"", "failed: 1 of 4 servers failed, 2 not started: web1: timed out after 1s",
			[]string{"web0 done", "web1 timed out after 1s"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			pipeline.Run(t.Context(), onFour(t, test.run, test.attributes), b.Options)
			r := b.result(t, "warm")
			if got := strings.TrimSuffix(string(r.Outcome)+": "+r.Reason, ": "); got != test.want {
				t.Errorf("got  %s\nwant %s", got, test.want)
			}
			if diff := cmp.Diff(test.steps, b.steps()); diff != "" {
				t.Errorf("want, got:\n%s", diff)
			}
			b.checkServersApart(t)
		})
	}
}

// checkServersApart sees that what a server put out is in its log and under its
// name, and nowhere else.
func (b *bench) checkServersApart(t *testing.T) {
	t.Helper()
	for _, e := range b.events {
		if e.Kind == event.StageOutput && !strings.HasSuffix(e.Output.Text, "on "+e.Output.Server) {
			t.Errorf("%q came from %s", e.Output.Text, e.Output.Server)
		}
		if e.Kind != event.StepFinished || e.Step.Log == "" {
			continue
		}
		text, err := os.ReadFile(e.Step.Log)
		if err != nil || !strings.HasSuffix(string(text), "on "+e.Step.Server+"\n") || filepath.Base(e.Step.Log) != "warm@"+e.Step.Server+".log" {
			t.Errorf("%s: %q, %v", e.Step.Log, text, err)
		}
	}
}

func TestATaskSaysWhatWasSaidLast(t *testing.T) {
	b := newBench(t)
	b.Masker = secret.New([]string{"hunter2"})
	pipeline.Run(t.Context(), onFour(t, "echo key hunter2; [ $TURNOUT_SERVER != web2 ]", "on_failure = \"continue\"\nretry {\nattempts = 1\nbackoff = \"0s\"\n}"), b.Options)
	r := b.result(t, "warm")
	if diff := cmp.Diff([]string{"web2 │ key ***"}, r.Tail); diff != "" || filepath.Base(r.Log) != "warm@web2.log" {
		t.Errorf("log %s; want, got:\n%s", r.Log, diff)
	}
	var retries []string
	for _, e := range b.events {
		if e.Kind == event.StageRetry {
			retries = append(retries, fmt.Sprintf("%s %d of %d", e.Attempt.Server, e.Attempt.Number, e.Attempt.Of))
		}
	}
	if diff := cmp.Diff([]string{"web2 1 of 2"}, retries); diff != "" {
		t.Errorf("want, got:\n%s", diff)
	}
}

func TestAServerThatCannotBeReached(t *testing.T) {
	b := newBench(t)
	b.Machines = func(_ context.Context, s *spec.Server) (machine.Machine, error) {
		if s.Name == "web3" {
			return nil, errors.New("dial: no route to host")
		}
		return b.Machine, nil
	}
	pipeline.Run(t.Context(), onFour(t, "true", ""), b.Options)
	if r := b.result(t, "warm"); r.Outcome != event.Failed || r.Reason != "1 of 4 servers failed: web3: dial: no route to host" {
		t.Errorf("%+v", r)
	}
}

const legsSpec = `
pipeline "release" {
  stage "test" {
    matrix = { suite = ["unit", "end/to end"], node = ["20", "22"] }
    when   = matrix.node == "22" || matrix.suite == "unit"
    env    = { SUITE = matrix.suite }
    run    = "echo \"${matrix.node}: $SUITE\""
  }

  stage "after" {
    needs = [stage.test]
    run   = "echo after"
  }

  stage "never" {
    matrix = { node = ["20", "22"] }
    when   = matrix.node == "18"
    run    = "echo never"
  }

  stage "after_never" {
    needs = [stage.never]
    run   = "echo never"
  }
}
`

func TestLegs(t *testing.T) {
	b := newBench(t)
	p := load(t, legsSpec)
	pipeline.Run(t.Context(), p, b.Options)
	want := []string{
		"test[20,unit] succeeded", `test[20,end/to end] skipped: when is false: matrix.node == "22" || matrix.suite == "unit"`,
		"test[22,unit] succeeded", "test[22,end/to end] succeeded", "after succeeded", `never[20] skipped: when is false: matrix.node == "18"`,
		`never[22] skipped: when is false: matrix.node == "18"`, "after_never skipped: stage never[20] was skipped",
	}
	if diff := cmp.Diff(want, b.ends(t, p)); diff != "" {
		t.Errorf("want, got:\n%s", diff)
	}
	if diff := cmp.Diff([]string{"22: end/to end"}, b.lines("test[22,end/to end]")); diff != "" {
		t.Errorf("want, got:\n%s", diff)
	}
	if log := b.result(t, "test[22,end/to end]").Log; filepath.Base(log) != "test[22,end%2Fto%20end].log" {
		t.Errorf("the log is %s", log)
	}
}
