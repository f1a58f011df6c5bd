package machine_test

import (
	"context"
	"io"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/org/deploy-action/internal/machine"
)

// serve runs an agent on pipes and returns the client's ends.
func serve(operations ...machine.Handler) (from io.Reader, to io.WriteCloser, ended chan error) {
	in, to := io.Pipe()
	from, out := io.Pipe()
	ended = make(chan error, 1)
	go func() {
		err := machine.Agent{Handlers: operations}.Serve(context.Background(), in, out)
		_ = out.Close()
		ended <- err
	}()
	return from, to, ended
}

// forever is an operation that only the end of its context ends.
func forever(done chan<- time.Time) machine.Op[machine.None, machine.None] {
	return machine.Op[machine.None, machine.None]{Name: "test.forever", Do: func(ctx context.Context, _ machine.At, _ machine.None) (machine.None, error) {
		<-ctx.Done()
		done <- time.Now()
		return machine.None{}, context.Cause(ctx)
	}}
}

func TestASilentClientLosesItsLease(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		from, to, ended := serve()
		go func() { _, _ = io.Copy(io.Discard, from) }()
		began := time.Now()
		if err := <-ended; err == nil || !strings.Contains(err.Error(), "no word from the client for 20s") {
			t.Errorf("err = %v", err)
		}
		if took := time.Since(began); took != 20*time.Second {
			t.Errorf("after %s", took)
		}
		_ = to.Close()
	})
}

func TestAnIdleClientKeepsItsLease(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		from, to, ended := serve()
		m, err := machine.Dial(t.Context(), "there", from, to)
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Hour) // virtual
		if err := m.Close(); err != nil {
			t.Error(err)
		}
		if err := <-ended; err != nil {
			t.Errorf("the agent has ended: %v", err)
		}
	})
}

// The client sleeps in the middle of a call, and reads nothing any more.
func TestTheLeaseEndsCalls(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		done := make(chan time.Time, 1)
		op := forever(done)
		from, to, ended := serve(machine.Handle(op))
		ctx, sleep := context.WithCancel(t.Context())
		stalled := &stalling{to: to, asleep: ctx.Done()}
		m, err := machine.Dial(t.Context(), "there", from, stalled)
		if err != nil {
			t.Fatal(err)
		}
		go func() { _, _ = op.On(context.Background(), m, machine.None{}) }()
		time.Sleep(time.Minute)
		sleep()
		asleep := time.Now()
		if took := (<-done).Sub(asleep); took > 20*time.Second {
			t.Errorf("the call ended %s after its client", took)
		}
		if err := <-ended; err == nil {
			t.Error("the agent has not noticed")
		}
		_ = to.Close()
	})
}

// stalling is the way to an agent, which swallows everything after a while.
type stalling struct {
	to     io.WriteCloser
	asleep <-chan struct{}
}

func (s *stalling) Write(p []byte) (int, error) {
	select {
	case <-s.asleep:
		return len(p), nil
	default:
		return s.to.Write(p)
	}
}

func (s *stalling) Close() error { return s.to.Close() }
