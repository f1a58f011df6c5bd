package proxy

import (
	"context"
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

// Share sends a percentage of all requests to a slot, the rest to the other, and
// proves it. 0 and 100 are exact: no request goes to the slot, or none to the
// other. Shares between need a body with Site.Canary, installed and serving.
//
// Errors are those of Select; the slot that is to be ready is the one that will
// get more requests than before.
var Share = machine.Op[Portion, Selected]{Name: "proxy.share", Do: sharePortion}

// selectTime bounds the proof of a switch, which takes 2 ms.
const selectTime = 3 * time.Second

func selectSlot(ctx context.Context, at machine.At, n Selection) (Selected, error) {
	selected, err := Portion{Site: n.Site, Slot: n.Slot, Percent: hundred, stay: n.Stay, unready: n.Unready}.do(ctx, at)
	if err != nil {
		return Selected{}, fmt.Errorf("select %s: %w", n.Slot, err)
	}
	return selected, nil
}

func sharePortion(ctx context.Context, at machine.At, p Portion) (Selected, error) {
	selected, err := p.do(ctx, at)
	if err != nil {
		return Selected{}, fmt.Errorf("give %s %d %%: %w", p.Slot, p.Percent, err)
	}
	return selected, nil
}

// SelectError is a switch that the running proxy did not make.
type SelectError struct {
	Cause     error
	From      value.Name // where the selector stood before
	FromShare int        // percent that went to the other slot
	Back      error      // nil: it stands there again, proven
}

// Error tells what failed and where requests go now.
func (e *SelectError) Error() string {
	former := traffic{slot: e.From, share: e.FromShare}
	if e.Back != nil {
		return fmt.Sprintf("%v; going back to %s could not be proven either: %v", e.Cause, e.From, e.Back)
	}
	return fmt.Sprintf("%v; %s as before", e.Cause, former)
}

func (e *SelectError) Unwrap() []error { return []error{e.Cause, e.Back} }

func (p Portion) do(ctx context.Context, at machine.At) (Selected, error) {
	s := p.Site
	if s.Balancer != nil {
		return p.doBalanced(ctx, at)
	}
	if err := p.validate(); err != nil {
		return Selected{}, err
	}
	live, _, err := s.onDisk()
	if err != nil {
		return Selected{}, err
	}
	if live.Header == nil || live.Active == "" {
		return Selected{}, fmt.Errorf("%s is not a configuration of ours: there is nothing to switch", s.Config)
	}
	from, to := live.traffic(), s.traffic(p.Slot, p.Percent)
	if err := s.divisible(ctx, live, to); err != nil {
		return Selected{}, err
	}
	if !p.unready {
		pool, _ := s.pool(s.growing(from, to))
		if err := s.dialect().ready(ctx, s, pool); err != nil {
			return Selected{}, err
		}
	}
	began := time.Now()
	took, err := s.move(ctx, to)
	if err != nil && p.stay {
		return Selected{}, fmt.Errorf("%w; %s", err, s.whereNow(ctx))
	}
	if err != nil {
		return Selected{}, &SelectError{Cause: err, From: from.slot, FromShare: from.share, Back: s.moveBack(ctx, from)}
	}
	return Selected{From: from.slot, FromShare: from.share, Took: took, Ago: time.Since(began) - took}, nil
}

func (p Portion) validate() error {
	if err := p.Site.validate(); err != nil {
		return err
	}
	if _, ok := p.Site.pool(p.Slot); !ok {
		return fmt.Errorf("not a slot of %s", p.Site.Env)
	}
	if p.Percent < 0 || p.Percent > hundred {
		return fmt.Errorf("%d %% is no share: 0 to 100", p.Percent)
	}
	return nil
}

// traffic is where requests go by the selector on disk.
func (l Live) traffic() traffic { return traffic{slot: l.Active, share: l.Share} }

// divisible is an error where the proxy does not serve a body that can split:
// one that knows all or nothing would take a share for all.
func (s Site) divisible(ctx context.Context, live Live, to traffic) error {
	if to.share == 0 {
		return nil
	}
	if live.Header.Canary == nil {
		return fmt.Errorf("%s can send requests to one slot only: it was not written for a canary; nothing was changed", s.Config)
	}
	answer, err := s.ask(ctx)
	if err == nil {
		err = serves(live.Header.ID)(answer, nil)
	}
	if err != nil {
		return fmt.Errorf("%w; nothing was changed", err)
	}
	return nil
}

// whereNow says where requests go after a move that was not made whole.
func (s Site) whereNow(ctx context.Context) string {
	answer, err := s.ask(ctx)
	disk, errDisk := s.dialect().read(s)
	switch {
	case err != nil || errDisk != nil:
		return "where requests go now is not known"
	case answer.traffic() != disk:
		return fmt.Sprintf("%s now, and %s after a reload", answer.traffic(), disk)
	}
	return fmt.Sprintf("%s now", disk)
}

// growing is the slot that gets more requests than before, or all of them.
func (s Site) growing(from, to traffic) value.Name {
	low, high := s.points(from)
	newLow, newHigh := s.points(to)
	more := (newHigh - newLow) - (high - low)
	switch {
	case more == 0:
		return to.slot
	case more > 0:
		return s.Pools[1].Slot
	}
	return s.Pools[0].Slot
}

// move makes the selector say t, in the running proxy and on disk, and proves it.
func (s Site) move(ctx context.Context, t traffic) (time.Duration, error) {
	began := time.Now()
	if err := s.dialect().tell(ctx, s, t); err != nil {
		return 0, err
	}
	if err := s.place(t); err != nil {
		return 0, err
	}
	ordered := time.Since(began)
	took, err := s.prove(ctx, selectTime, s.retell(ctx, t))
	if err != nil {
		return 0, err
	}
	return ordered + took, s.dialect().settle(ctx, s, t)
}

// retell gives the order again while the proxy does not follow it: a HAProxy
// that was about to be replaced by somebody's reload takes it with it.
func (s Site) retell(ctx context.Context, t traffic) func(Answer, error) error {
	return func(answer Answer, err error) error {
		complaint := leads(t)(answer, err)
		if complaint != nil && err == nil {
			_ = s.dialect().tell(ctx, s, t) // the next answer shows whether it was heard
		}
		return complaint
	}
}

// moveBack does not depend on the context, which may have ended.
func (s Site) moveBack(ctx context.Context, t traffic) error {
	ctx, stop := context.WithTimeout(context.WithoutCancel(ctx), selectTime+askTime)
	defer stop()
	_, err := s.move(ctx, t)
	return err
}
