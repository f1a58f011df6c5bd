package pipeline_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/org/deploy-action/internal/event"
	"github.com/org/deploy-action/internal/pipeline"
	"github.com/org/deploy-action/internal/plan"
	"github.com/org/deploy-action/internal/spec"
)

// load plans the only pipeline of a spec.
func load(t *testing.T, text string) *plan.Plan {
	t.Helper()
	s, problems := spec.Parse([]byte(text), "deploy.hcl", spec.Options{CPUs: 2})
	if problems.Failed() {
		t.Fatal(problems)
	}
	p, problems := plan.New(s, s.Pipelines[0])
	if problems.Failed() {
		t.Fatal(problems)
	}
	return p
}

const strategies = `
pipeline "release" {
  stage "build" {
    run = "echo tag=v7 >>$TURNOUT_OUTPUT"
  }

  stage "test" {
    needs  = [stage.build]
    matrix = { suite = ["unit", "e2e"] }
    run    = "[ ${matrix.suite} = unit ] || exit 9"
  }

  rollback "not_due" {
    when = failed(stage.build)
    run  = "echo must not run"
  }

  rollback "breaks" {
    when = failed(stage.test) && stage.build.outputs.tag == "v7"
    run  = "echo undone halfway; exit 4"
  }

  rollback "slow" {
    when    = failed()
    run     = "sleep 600"
    timeout = "1s"
  }

  rollback "page" {
    when = failed() || cancelled()
    env  = { TAG = stage.build.outputs.tag }
    run  = "echo \"$TAG $TURNOUT_OUTCOME [$TURNOUT_FAILED] $TURNOUT_REASON\""
  }
}
`

func TestStrategiesOfAFailedRun(t *testing.T) {
	b := newBench(t)
	p := load(t, strategies)
	got := pipeline.Run(t.Context(), p, b.Options)
	var ends []string
	for _, s := range p.Rollbacks {
		r := b.result(t, s.Name)
		ends = append(ends, strings.TrimSuffix(s.Name+" "+string(r.Outcome)+": "+r.Reason, ": "))
	}
	want := []string{
		"rollback.not_due skipped: when is false: failed(stage.build)", "rollback.breaks failed: exit status 4",
		"rollback.slow failed: timed out after 1s", "rollback.page succeeded",
	}
	if diff := cmp.Diff(want, ends); diff != "" {
		t.Errorf("want, got:\n%s", diff)
	}
	const why = "deploy.hcl:7: stage test[e2e]: exit status 9"
	if diff := cmp.Diff([]string{"v7 failed [test[e2e]] " + why}, b.lines("rollback.page")); diff != "" {
		t.Errorf("want, got:\n%s", diff)
	}
	if got.Outcome != event.Stranded || got.Reason != "rollback breaks failed: exit status 4; rollback slow failed: timed out after 1s; before that, "+why {
		t.Errorf("the run came to %+v", got)
	}
	if r := b.result(t, "rollback.breaks"); !slices.Contains(r.Tail, "undone halfway") || r.Log == "" {
		t.Errorf("the strategy that broke: %+v", r)
	}
}

func TestStrategiesOfARunThatSucceeds(t *testing.T) {
	b := newBench(t)
	p := load(t, strings.Replace(strategies, "exit 9", "true", 1))
	if got := pipeline.Run(t.Context(), p, b.Options); got.Outcome != event.Succeeded {
		t.Errorf("%+v", got)
	}
	for _, e := range b.events {
		if strings.HasPrefix(e.Stage, "rollback.") {
			t.Errorf("a strategy of a run that has nothing to put back: %+v", e)
		}
	}
}

// TestStrategiesOfACancelledRun has a stage that needs to be killed and a
// strategy that would take for ever: both end, and the run.
func TestStrategiesOfACancelledRun(t *testing.T) {
	b := newBench(t)
	b.RunID = t.Name()
	p := load(t, `
pipeline "release" {
  stage "stubborn" {
    run = "trap '' TERM; echo up; while :; do sleep 0.1; done"
  }

  rollback "quick" {
    when = cancelled()
    run  = "echo put back"
  }

  rollback "endless" {
    when = cancelled()
    run  = "trap '' TERM; while :; do sleep 0.1; done"
  }

  rollback "too_late" {
    when = cancelled()
    run  = "echo must not run"
  }
}
`)
	ctx, cancel := context.WithCancelCause(t.Context())
	ended := make(chan event.Result)
	go func() { ended <- pipeline.Run(ctx, p, b.Options) }()
	b.await(t, "stubborn", "up")
	began := time.Now()
	cancel(errStop)
	got := <-ended
	if took := time.Since(began); took > time.Minute {
		t.Errorf("it took %s to end", took)
	}
	b.checkGone(t)
	const late = "no time left, 5s after the run was cancelled"
	if got.Outcome != event.Stranded || !strings.HasPrefix(got.Reason, "rollback endless failed: "+late+"; rollback too_late failed: "+late+"; before that, deploy.hcl:3: stage stubborn: interrupt") {
		t.Errorf("the run came to %+v", got)
	}
	if diff := cmp.Diff([]string{"put back"}, b.lines("rollback.quick")); diff != "" {
		t.Errorf("want, got:\n%s", diff)
	}
}

var (
	blue  = event.SlotRelease{Slot: "blue", Release: "r1"}
	green = event.SlotRelease{Slot: "green", Release: "r2"}
)

// moving is a plan with two deploys of one environment, the second where it is
// wanted, then a stage that fails, and a strategy that moves the environment back.
func moving(deploys int) *plan.Plan {
	env := &spec.Environment{Name: "shop"}
	p := planOf()
	for n := range deploys {
		d := stage(n+1, "deploy"+string(rune('1'+n)), "", p.Stages...)
		d.Run, d.Deploy = nil, &plan.Deploy{Environment: env, Release: "dist"}
		p.Stages = append(p.Stages, d)
	}
	p.Stages = append(p.Stages, stage(8, "warm", "exit 1", p.Stages...))
	holds := true
	back := stage(9, "rollback.shop", "")
	back.Run, back.Rollback, back.When = nil, true, &spec.Condition{Fixed: &holds}
	back.Deploy = &plan.Deploy{Environment: env, Rollback: true}
	p.Rollbacks = []*plan.Stage{back}
	return p
}

func TestGoingBackToWhatServedBefore(t *testing.T) {
	put := event.Switch{Outcome: event.Failed, Reason: "health: 502", From: blue, To: green, Serving: blue, PutBack: true}
	done := event.Switch{Outcome: event.Succeeded, From: blue, To: green, Serving: green}
	back := event.Switch{Outcome: event.Succeeded, Rollback: true, From: green, To: blue, Serving: blue}
	first := event.Switch{Outcome: event.Succeeded, To: green, Serving: green}
	again := event.Switch{Outcome: event.Succeeded, From: green, To: event.SlotRelease{Slot: "blue", Release: "r3"}, Serving: event.SlotRelease{Slot: "blue", Release: "r3"}}
	stays := event.Switch{Outcome: event.Stranded, Rollback: true, Reason: "blue is not healthy", From: green, To: blue, Serving: green}
	stranded := event.Switch{Outcome: event.Stranded, Reason: "edge: gone", From: blue, To: green, Serving: blue}
	for name, test := range map[string]struct {
		switches []event.Switch
		want     string
		outcome  event.Outcome
	}{
		"moved":            {[]event.Switch{done, back}, "succeeded", event.Failed},
		"put back already": {[]event.Switch{put}, "skipped: shop serves blue (r1), as before this run", event.Failed},
		"never reached":    {nil, "skipped: this run has not moved shop", event.Failed},
		"first deploy":     {[]event.Switch{first}, "skipped: nothing served shop before this run", event.Failed},
		"moved twice":      {[]event.Switch{done, again}, "failed: this run has moved shop more than once, and no slot holds blue (r1) any more: the other one holds green (r2)", event.Stranded},
		"target is ill":    {[]event.Switch{done, stays}, "stranded: blue is not healthy", event.Stranded},
		"stranded, tried":  {[]event.Switch{stranded, back}, "succeeded", event.Stranded},
		"seen by nobody":   {[]event.Switch{{Outcome: event.Failed, Reason: "lock"}}, "skipped: this run has not moved shop", event.Failed},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			p := moving(max(1, len(slices.DeleteFunc(slices.Clone(test.switches), func(s event.Switch) bool { return s.Rollback }))))
			if test.switches == nil {
				p.Stages[0].When = no()
				p.Stages[1].Needs = nil
			}
			left := test.switches
			b.Deploy = func(_ context.Context, d *plan.Deploy, _ event.Sink) event.Switch {
				next := left[0]
				left = left[1:]
				if d.Rollback != next.Rollback || d.Hurried {
					t.Errorf("ordered %+v", d)
				}
				return next
			}
			got := pipeline.Run(t.Context(), p, b.Options)
			r := b.result(t, "rollback.shop")
			if text := strings.TrimSuffix(string(r.Outcome)+": "+r.Reason, ": "); text != test.want || got.Outcome != test.outcome || len(left) > 0 {
				t.Errorf("%q, and the run came to %s: %s", text, got.Outcome, got.Reason)
			}
		})
	}
}

func TestGoingBackInAHurry(t *testing.T) {
	b := newBench(t)
	p := moving(1)
	ctx, cancel := context.WithCancelCause(t.Context())
	hurried := false
	b.Deploy = func(ctx context.Context, d *plan.Deploy, _ event.Sink) event.Switch {
		if !d.Rollback {
			cancel(errStop)
			return event.Switch{Outcome: event.Succeeded, From: blue, To: green, Serving: green}
		}
		hurried = d.Hurried && ctx.Err() == nil
		return event.Switch{Outcome: event.Succeeded, From: green, To: blue, Serving: blue}
	}
	if got := pipeline.Run(ctx, p, b.Options); got.Outcome != event.Cancelled || !hurried || !errors.Is(context.Cause(ctx), errStop) {
		t.Errorf("hurried: %t, the run came to %+v", hurried, got)
	}
}
