package rollout

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/org/deploy-action/internal/event"
	"github.com/org/deploy-action/internal/proxy"
)

// putBack undoes what was done when the switch failed before its commit point,
// on every host that can be reached. The cancelled context must not cancel the
// way back.
func (r *rollout) putBack(ctx context.Context, cause error) error {
	if cause == nil || r.decided || r.undo.empty() {
		return cause
	}
	cancelled := ctx.Err() != nil
	within := undoTime
	if r.Hurried {
		within = hurriedUndo
	}
	ctx, stop := context.WithTimeout(context.WithoutCancel(ctx), within)
	defer stop()
	err := r.step(ctx, "put back", func(ctx context.Context) (string, error) {
		r.rejoin(ctx, cause)
		text, err := r.undo.run(ctx, cancelled)
		return text, joined([]error{err, r.proveBack(ctx)})
	})
	_ = r.stopProbers(ctx) // they end with the session in any case
	if err != nil {
		return &strandedError{cause: cause, undo: err, now: r.whereabouts()}
	}
	r.account.putBack = true
	return errors.Join(cause, r.finish(ctx, event.Failed, cause))
}

// proveBack asks every proxy whether it serves what it served before. One that
// did not answer before is asked nothing.
func (r *rollout) proveBack(ctx context.Context) error {
	if !r.touched || r.first {
		return nil
	}
	return together(ctx, r.fleet.edges, func(ctx context.Context, e *edge) error {
		if e.live.Running == nil {
			return nil
		}
		live, err := proxy.Inspect.On(ctx, e.machine, e.site)
		if err != nil {
			return err
		}
		if live.Running == nil || live.Running.Slot != r.from.Name {
			return fmt.Errorf("the proxy does not serve %s again: %s", r.from.Name, describe(live))
		}
		e.serves, e.doubt = r.from.Name, ""
		return nil
	})
}

// whereabouts says what each proxy serves, as far as that is known.
func (r *rollout) whereabouts() string {
	var all []string
	for _, e := range r.fleet.edges {
		text := e.Name() + " serves " + or(string(e.serves), "nothing")
		if e.doubt != "" {
			text = e.Name() + " " + e.doubt
		}
		all = append(all, text)
	}
	return strings.Join(all, ", ")
}

// strandedError is a switch that failed and could not be put back.
type strandedError struct {
	cause, undo error
	now         string // what each proxy serves
}

func (e *strandedError) Error() string {
	return fmt.Sprintf("%v; and putting it back failed: %v; now %s", e.cause, e.undo, e.now)
}

func (e *strandedError) Unwrap() []error { return []error{e.cause, e.undo} }
