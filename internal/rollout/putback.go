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
	if cause == nil || r.decided || !r.opened {
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
		r.rejoin(ctx, lost(cause))
		return r.unwind(ctx, cancelled, r.ruleBack(ctx))
	})
	_, _ = r.stopProbers(ctx), r.hush(ctx) // they end with the session in any case
	if err != nil {
		return &strandedError{cause: cause, undo: err, now: r.whereabouts(), next: r.next()}
	}
	r.account.putBack = true
	if !r.Rollback {
		r.blame(ctx, r.toID, blamed(cause))
	}
	return errors.Join(cause, r.finish(ctx, event.Failed, cause))
}

// unwind takes everything back: the proxies first, and only when none of them can
// send requests to the new slot any more, that slot. ruled is why that is not
// ruled on every host.
func (r *rollout) unwind(ctx context.Context, hurry bool, ruled error) (string, error) {
	traffic, err := unwind(ctx, r.fleet.edges, hurry)
	if err = errors.Join(ruled, err); err != nil {
		return traffic, err
	}
	slot, err := unwind(ctx, r.fleet.apps, hurry)
	if lost(err) {
		r.notice(event.Warning, err.Error(), fmt.Sprintf("%s receives no traffic; the next deploy puts it right", r.to.Name))
		err = nil
	}
	return listed(", ", traffic, slot), err
}

// proveBack asks a proxy whether it serves what it served before. One that did
// not answer before, or is new, is asked nothing.
func (r *rollout) proveBack(ctx context.Context, e *edge) error {
	if e.live.Running == nil {
		return nil
	}
	live, err := proxy.Inspect.On(ctx, e.machine, e.site)
	if err != nil {
		return err
	}
	if live.Running == nil || live.Running.Slot != r.from.Name || live.Divided() {
		return fmt.Errorf("the proxy does not serve %s again: %s", r.from.Name, describe(live))
	}
	e.serves, e.doubt = r.from.Name, ""
	return nil
}

// whereabouts says what each proxy serves, as far as that is known.
func (r *rollout) whereabouts() string {
	var all []string
	for _, e := range r.fleet.edges {
		text := e.Name() + " serves " + or(string(e.serves), "nothing")
		if e.overtaken != nil {
			text = e.Name() + " is in the hands of the other run"
		} else if e.doubt != "" {
			text = e.Name() + " " + e.doubt
		}
		all = append(all, text)
	}
	return strings.Join(all, ", ")
}

// next is what a person does about a switch that is stranded. Another run that has
// taken over does it by itself.
func (r *rollout) next() string {
	for _, h := range r.fleet.hosts() {
		if h.overtaken != nil {
			return ""
		}
	}
	return fmt.Sprintf("; %s goes on running for whatever still sends to it; once that is mended: turnout recover %s", r.to.Name, r.Environment.Name)
}

// strandedError is a switch that failed and could not be put back.
type strandedError struct {
	cause, undo error
	now         string // what each proxy serves
	next        string // to be done
}

func (e *strandedError) Error() string {
	return fmt.Sprintf("%v; and putting it back failed: %v; now %s%s", e.cause, e.undo, e.now, e.next)
}

func (e *strandedError) Unwrap() []error { return []error{e.cause, e.undo} }
