package proxy

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/org/deploy-action/internal/machine"
	"github.com/org/deploy-action/internal/value"
)

// Select sends all requests to a slot and proves that they go there. It waits
// until the slot can take requests first: HAProxy must have found a server of it
// up, and for nginx one must accept a connection.
//
// A *SelectError means that the order was given and not fulfilled; it says
// whether the selector is back. With any other error nothing was changed.
var Select = machine.Op[Selection, Selected]{Name: "proxy.select", Do: selectSlot}

// selectTime bounds the proof of a switch, which takes 2 ms.
const selectTime = 3 * time.Second

func selectSlot(ctx context.Context, _ machine.At, n Selection) (Selected, error) {
	selected, err := n.do(ctx)
	if err != nil {
		return Selected{}, fmt.Errorf("select %s: %w", n.Slot, err)
	}
	return selected, nil
}

// SelectError is a switch that the running proxy did not make.
type SelectError struct {
	Cause error
	From  value.Name // where the selector stood before
	Back  error      // nil: it stands there again, proven
}

// Error tells what failed and where requests go now.
func (e *SelectError) Error() string {
	if e.Back != nil {
		return fmt.Sprintf("%v; going back to %s could not be proven either: %v", e.Cause, e.From, e.Back)
	}
	return fmt.Sprintf("%v; requests go to %s as before", e.Cause, e.From)
}

func (e *SelectError) Unwrap() []error { return []error{e.Cause, e.Back} }

func (n Selection) do(ctx context.Context) (Selected, error) {
	s := n.Site
	if err := s.validate(); err != nil {
		return Selected{}, err
	}
	pool, ok := s.pool(n.Slot)
	if !ok {
		return Selected{}, fmt.Errorf("not a slot of %s", s.Env)
	}
	live, _, err := s.onDisk()
	if err != nil {
		return Selected{}, err
	}
	if live.Header == nil || live.Active == "" {
		return Selected{}, fmt.Errorf("%s is not a configuration of ours: there is nothing to switch", s.Config)
	}
	if err := s.dialect().ready(ctx, s, pool); err != nil {
		return Selected{}, err
	}
	began := time.Now()
	took, err := s.move(ctx, n.Slot)
	if err != nil {
		return Selected{}, &SelectError{Cause: s.explain(err), From: live.Active, Back: s.moveBack(ctx, live.Active)}
	}
	return Selected{From: live.Active, Took: took, Ago: time.Since(began) - took}, nil
}

// move makes the selector say slot, in the running proxy and on disk, and proves
// it.
func (s Site) move(ctx context.Context, slot value.Name) (time.Duration, error) {
	began := time.Now()
	if err := s.dialect().tell(ctx, s, slot); err != nil {
		return 0, err
	}
	if err := s.place(slot); err != nil {
		return 0, err
	}
	ordered := time.Since(began)
	took, err := s.prove(ctx, selectTime, s.retell(ctx, slot))
	return ordered + took, err
}

// retell gives the order again while the proxy does not follow it: a HAProxy
// that was about to be replaced by somebody's reload takes it with it.
func (s Site) retell(ctx context.Context, slot value.Name) func(Answer, error) error {
	return func(answer Answer, err error) error {
		complaint := leads(slot)(answer, err)
		if complaint != nil && err == nil {
			_ = s.dialect().tell(ctx, s, slot) // the next answer shows whether it was heard
		}
		return complaint
	}
}

// moveBack does not depend on the context, which may have ended.
func (s Site) moveBack(ctx context.Context, slot value.Name) error {
	ctx, stop := context.WithTimeout(context.WithoutCancel(ctx), selectTime+askTime)
	defer stop()
	_, err := s.move(ctx, slot)
	return err
}

// explain adds what commonly keeps nginx's workers from seeing the flag.
func (s Site) explain(err error) error {
	dir := s.barrier()
	if s.Kind != NGINX || dir == "" || errors.Is(err, context.Canceled) {
		return err
	}
	return fmt.Errorf("%w (others may not search %s, so nginx's workers can't see the flag file below it: chmod o+x %s)", err, dir, dir)
}
