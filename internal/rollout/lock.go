package rollout

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/org/deploy-action/internal/event"
	"github.com/org/deploy-action/internal/state"
)

// lockPoll is how often a held lock is tried again.
const lockPoll = 500 * time.Millisecond

// lock takes the environment's lock on every proxy host, waiting for whoever
// holds it. All runs go by the names of the servers, one after the other, so
// that no two of them can wait for each other; without one lock there are none.
func (r *rollout) lock(ctx context.Context) (string, error) {
	began := time.Now()
	limit := time.NewTimer(r.Environment.LockTimeout)
	defer limit.Stop()
	inOrder := slices.SortedFunc(slices.Values(r.fleet.edges), func(a, b *edge) int { return strings.Compare(a.Name(), b.Name()) })
	for _, e := range inOrder {
		if err := r.lockOn(ctx, e.host, limit.C); err != nil {
			_ = r.unlock(ctx) // the sessions end soon, and the locks with them
			return "", on(e, err)
		}
	}
	if waited := time.Since(began); waited > lockPoll {
		return "held after " + round(waited).String(), nil
	}
	return "held", nil
}

// lockOn takes the lock on one host, and gives up when limit fires.
func (r *rollout) lockOn(ctx context.Context, h *host, limit <-chan time.Time) error {
	claim := state.Claim{Dir: string(r.Environment.StateDir), Holder: r.holder()}
	tick := time.NewTicker(lockPoll)
	defer tick.Stop()
	for told := false; ; told = true {
		grant, err := state.Acquire.On(ctx, h.machine, claim)
		if err != nil || grant.Held {
			return err
		}
		if !told {
			r.notice(event.Info, fmt.Sprintf("waiting for %s, which deploys %s", grant.By, r.Environment.Name), "")
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-limit:
			return fmt.Errorf("not free after %s (lock_timeout); it is held by %s", r.Environment.LockTimeout, grant.By)
		case <-tick.C:
		}
	}
}

func (r *rollout) holder() state.Holder {
	return state.Holder{
		Run: r.Run.ID, Command: r.Run.Command, Actor: r.Run.Actor, Commit: r.Run.Commit, URL: r.Run.URL, Since: time.Now().UTC(),
	}
}

// unlock gives the lock back everywhere. It is free in any case when the
// session ends.
func (r *rollout) unlock(ctx context.Context) error {
	return together(context.WithoutCancel(ctx), r.fleet.edges, func(ctx context.Context, e *edge) error {
		_, err := state.Release.On(ctx, e.machine, string(r.Environment.StateDir))
		return err
	})
}

// journal notes, on every proxy host and durably, that an effect is about to
// happen or has happened.
func (r *rollout) journal(ctx context.Context, step string, phase state.Phase) error {
	_, err := r.journalled(ctx, step, phase)
	return err
}

// journalled is journal, and says on how many hosts it was done.
func (r *rollout) journalled(ctx context.Context, step string, phase state.Phase) (int, error) {
	entry := state.Entry{Time: time.Now().UTC(), Run: r.Run.ID, Step: step, Phase: phase, To: string(r.to.Name), ToRelease: r.toID, Former: r.formerID}
	if r.from != nil {
		entry.From, entry.FromRelease = string(r.from.Name), r.fromID
	}
	var done atomic.Int32
	err := together(ctx, r.fleet.edges, func(ctx context.Context, e *edge) error {
		if _, err := state.Append.On(ctx, e.machine, state.Writing{Dir: string(r.Environment.StateDir), Entry: entry}); err != nil {
			return fmt.Errorf("journal: %w", err)
		}
		done.Add(1)
		return nil
	})
	return int(done.Load()), err
}
