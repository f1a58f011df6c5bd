package rollout

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/org/deploy-action/internal/event"
	"github.com/org/deploy-action/internal/state"
)

// lockPoll is how often a held lock is tried again.
const lockPoll = 500 * time.Millisecond

// lock takes the environment's lock on every proxy host, in the order of the
// spec, waiting for whoever holds it.
func (r *rollout) lock(ctx context.Context) (string, error) {
	began := time.Now()
	for _, e := range r.fleet.edges {
		if err := r.lockOn(ctx, e); err != nil {
			return "", fmt.Errorf("%s: %w", e.machine.Name(), err)
		}
	}
	if waited := time.Since(began); waited > lockPoll {
		return "held after " + round(waited).String(), nil
	}
	return "held", nil
}

func (r *rollout) lockOn(ctx context.Context, e *edge) error {
	claim := state.Claim{Dir: string(r.Environment.StateDir), Holder: r.holder()}
	limit := time.NewTimer(r.Environment.LockTimeout)
	defer limit.Stop()
	tick := time.NewTicker(lockPoll)
	defer tick.Stop()
	for told := false; ; told = true {
		grant, err := state.Acquire.On(ctx, e.machine, claim)
		if err != nil || grant.Held {
			return err
		}
		if !told {
			r.notice(event.Info, fmt.Sprintf("waiting for %s, which deploys %s", grant.By, r.Environment.Name), "")
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-limit.C:
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
	var errs []error
	for _, e := range r.fleet.edges {
		_, err := state.Release.On(context.WithoutCancel(ctx), e.machine, string(r.Environment.StateDir))
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

// journal notes, on every proxy host and durably, that an effect is about to
// happen or has happened.
func (r *rollout) journal(ctx context.Context, step string, phase state.Phase) error {
	entry := state.Entry{Time: time.Now().UTC(), Run: r.Run.ID, Step: step, Phase: phase, To: string(r.to.Name), ToRelease: r.toID, Former: r.formerID}
	if r.from != nil {
		entry.From, entry.FromRelease = string(r.from.Name), r.fromID
	}
	for _, e := range r.fleet.edges {
		if _, err := state.Append.On(ctx, e.machine, state.Writing{Dir: string(r.Environment.StateDir), Entry: entry}); err != nil {
			return fmt.Errorf("%s: journal: %w", e.machine.Name(), err)
		}
	}
	return nil
}
