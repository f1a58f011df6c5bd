package rollout

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"github.com/org/deploy-action/internal/deadman"
	"github.com/org/deploy-action/internal/event"
	"github.com/org/deploy-action/internal/protocol"
	"github.com/org/deploy-action/internal/state"
)

// lockPoll is how often a held lock is tried again, to within as much again by
// chance: two runs that meet must not go on meeting.
const lockPoll = 500 * time.Millisecond

// lock takes the environment's lock on every machine, then begins an epoch on all
// of them. The first host is the arbiter: it is waited for with nothing in hand,
// and the others are only tried. So nobody waits with a lock that another run
// needs to put its own switch back.
func (r *rollout) lock(ctx context.Context) (string, error) {
	began := time.Now()
	limit := time.NewTimer(r.Environment.LockTimeout)
	defer limit.Stop()
	w := &wait{rollout: r, limit: limit.C}
	if err := w.takeAll(ctx, r.fleet.inOrder()); err != nil {
		_ = r.unlock(ctx) // the sessions end soon, and the locks with them
		return "", err
	}
	if r.waited = w.told; r.waited {
		return "held after " + round(time.Since(began)).String(), nil
	}
	return "held", nil
}

// inOrder are the hosts as every run locks them: proxies first, then by name.
func (f *fleet) inOrder() []*host {
	hosts := f.hosts()
	return slices.SortedFunc(slices.Values(hosts), func(a, b *host) int {
		switch {
		case a.front != b.front && a.front:
			return -1
		case a.front != b.front:
			return 1
		}
		return strings.Compare(a.Name(), b.Name())
	})
}

// wait is for a lock that somebody may hold.
type wait struct {
	*rollout
	limit <-chan time.Time // nil: none
	told  bool             // for whom
}

// takeAll tries until it has the lock of all hosts, and begins the epoch.
func (w *wait) takeAll(ctx context.Context, hosts []*host) error {
	for {
		standing, err := w.try(ctx, hosts)
		if err != nil {
			return err
		}
		if standing != nil {
			return w.reign(ctx, hosts, standing)
		}
	}
}

// try waits for the first host and tries the others. It returns the epochs that
// stand on them; none, where one was busy and all were let go again.
func (w *wait) try(ctx context.Context, hosts []*host) ([]protocol.Epoch, error) {
	first, err := w.await(ctx, hosts[0])
	if err != nil {
		return nil, err
	}
	others, err := gather(ctx, hosts[1:], w.acquire)
	if err != nil {
		return nil, err
	}
	if busy := slices.IndexFunc(others, func(g state.Grant) bool { return !g.Held }); busy >= 0 {
		if err := w.unlock(ctx); err != nil {
			return nil, err
		}
		return nil, w.pause(ctx, hosts[1+busy], others[busy].By)
	}
	standing := []protocol.Epoch{first.Epoch}
	for _, grant := range others {
		standing = append(standing, grant.Epoch)
	}
	return standing, nil
}

// await takes the lock on one host, as soon as it is free.
func (w *wait) await(ctx context.Context, h *host) (state.Grant, error) {
	for {
		grant, err := w.acquire(ctx, h)
		if err != nil || grant.Held {
			return grant, on(h, err)
		}
		if err := w.pause(ctx, h, grant.By); err != nil {
			return grant, err
		}
	}
}

// acquire tries to take the lock on one host, once.
func (w *wait) acquire(ctx context.Context, h *host) (state.Grant, error) {
	grant, err := deadman.Acquire.On(ctx, h.machine, w.claim(h))
	h.locked = err == nil && grant.Held
	return grant, err
}

// pause lets some time pass and tells once for whom.
func (w *wait) pause(ctx context.Context, h *host, holder state.Holder) error {
	if !w.told {
		w.told = true
		w.notice(event.Info, fmt.Sprintf("waiting for %s, which deploys %s", holder, w.Environment.Name), "")
	}
	timer := time.NewTimer(lockPoll + rand.N(lockPoll))
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-w.limit:
		return on(h, fmt.Errorf("not free after %s (lock_timeout); it is held by %s; see: turnout lock status %s", w.Environment.LockTimeout, holder, w.Environment.Name))
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

func (r *rollout) claim(h *host) state.Claim {
	return state.Claim{Dir: h.dir, Holder: state.Holder{
		Run: r.Run.ID, Command: r.Run.Command, Actor: r.Run.Actor, Commit: r.Run.Commit, URL: r.Run.URL, Since: time.Now().UTC(),
	}}
}

// reign begins this run's epoch on all hosts: from then on nobody else's writes
// are let in.
func (r *rollout) reign(ctx context.Context, hosts []*host, standing []protocol.Epoch) error {
	tagged, err := r.fleet.standing(ctx)
	if err != nil {
		return err
	}
	r.epoch = protocol.Next(r.Run.ID, append(standing, tagged...)...)
	err = together(ctx, hosts, func(ctx context.Context, h *host) error {
		_, err := state.BeginEpoch.On(ctx, h.machine, state.Reign{Dir: h.dir, Epoch: r.epoch})
		return err
	})
	if err != nil {
		return err
	}
	return r.claimBalancers(ctx)
}

// unlock gives the lock back wherever this switch has it: the session may hold that
// of another one of the same run. It is free in any case when the session ends.
func (r *rollout) unlock(ctx context.Context) error {
	return together(context.WithoutCancel(ctx), r.fleet.hosts(), func(ctx context.Context, h *host) error {
		if !h.locked {
			return nil
		}
		h.locked = false
		_, err := state.Release.On(ctx, h.machine, h.dir)
		return err
	})
}
