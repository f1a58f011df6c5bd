package pipeline_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"testing"
	"testing/synctest"
	"time"

	"github.com/org/deploy-action/internal/event"
	"github.com/org/deploy-action/internal/machine"
	"github.com/org/deploy-action/internal/pipeline"
	"github.com/org/deploy-action/internal/plan"
	"github.com/org/deploy-action/internal/spec"
)

// failing is a machine on which every command takes a second and fails.
type failing struct{ began []time.Time }

func (*failing) Name() string { return "failing" }
func (*failing) Close() error { return nil }

func (f *failing) Call(_ context.Context, op string, _ []byte, _ io.Reader, _ io.Writer) ([]byte, error) {
	if op != machine.Run.Name {
		return nil, fmt.Errorf("%s: is not known", op) // looking for bash comes first
	}
	f.began = append(f.began, time.Now())
	time.Sleep(time.Second)
	return json.Marshal(machine.Exit{Code: 7})
}

func TestWaitsBetweenAttempts(t *testing.T) {
	for name, test := range map[string]struct {
		retry    spec.Retry
		low, top []time.Duration // of each wait
	}{
		"grows with the attempt": {
			spec.Retry{Attempts: 3, Backoff: 10 * time.Second},
			[]time.Duration{8 * time.Second, 16 * time.Second, 24 * time.Second},
			[]time.Duration{12 * time.Second, 24 * time.Second, 36 * time.Second},
		},
		"is bounded": {
			spec.Retry{Attempts: 3, Backoff: 10 * time.Second, BackoffMax: 11 * time.Second},
			[]time.Duration{8 * time.Second, 11 * time.Second, 11 * time.Second},
			[]time.Duration{11 * time.Second, 11 * time.Second, 11 * time.Second},
		},
		"may be none": {spec.Retry{Attempts: 1}, []time.Duration{0}, []time.Duration{0}},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			synctest.Test(t, func(t *testing.T) {
				b.heard = make(chan struct{}, 100)
				b.Emit = event.Fan(b.listen) // a bubble must make its own channels
				f := &failing{}
				b.Machine = f
				s := stage(1, "flaky", "x")
				s.Retry = test.retry
				pipeline.Run(t.Context(), planOf(s), b.Options)
				attempts := f.began
				if len(attempts) != test.retry.Attempts+1 {
					t.Fatalf("%d attempts", len(attempts))
				}
				for i, low := range test.low {
					if wait := attempts[i+1].Sub(attempts[i]) - time.Second; wait < low || wait > test.top[i] {
						t.Errorf("wait %d was %s, want %s to %s", i+1, wait, low, test.top[i])
					}
				}
				checkWaits(t, b, attempts)
			})
		})
	}
}

// checkWaits sees that the waits are told as they were.
func checkWaits(t *testing.T, b *bench, attempts []time.Time) {
	t.Helper()
	n := 0
	for _, e := range b.events {
		if e.Kind != event.StageRetry {
			continue
		}
		if got := attempts[n+1].Sub(attempts[n]); got != e.Attempt.Took+e.Attempt.Wait {
			t.Errorf("attempt %d: told %s + %s, were %s", n+1, e.Attempt.Took, e.Attempt.Wait, got)
		}
		n++
	}
}

func TestCancelEndsTheWait(t *testing.T) {
	b := newBench(t)
	synctest.Test(t, func(t *testing.T) {
		b.heard = make(chan struct{}, 100)
		b.Emit = event.Fan(b.listen)
		b.Machine = &failing{}
		s := stage(1, "flaky", "x")
		s.Retry = spec.Retry{Attempts: 5, Backoff: time.Hour}
		ctx, cancel := context.WithCancelCause(t.Context())
		time.AfterFunc(time.Minute, func() { cancel(errStop) })
		began := time.Now()
		got := pipeline.Run(ctx, planOf(s), b.Options)
		if took := time.Since(began); took != time.Minute || got.Outcome != event.Cancelled || b.result(t, "flaky").Attempts != 1 {
			t.Errorf("%+v after %s", got, took)
		}
	})
}

func TestStrandedDeployIsNotTriedAgain(t *testing.T) {
	b := newBench(t)
	tries := 0
	b.Deploy = func(context.Context, *plan.Deploy, event.Sink) event.Switch {
		tries++
		return event.Switch{Outcome: event.Stranded, Reason: "web02: needs a hand"}
	}
	s := stage(1, "deploy", "")
	s.Run, s.Deploy, s.Retry.Attempts = nil, &plan.Deploy{}, 3
	if got := pipeline.Run(t.Context(), planOf(s), b.Options); tries != 1 || got.Outcome != event.Stranded {
		t.Errorf("%d tries, %+v", tries, got)
	}
}
