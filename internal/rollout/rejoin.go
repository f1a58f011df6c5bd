package rollout

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/org/deploy-action/internal/deadman"
	"github.com/org/deploy-action/internal/machine"
	"github.com/org/deploy-action/internal/protocol"
	"github.com/org/deploy-action/internal/state"
)

// How long a new session may take with a host whose session was lost: the hosts that
// can be reached wait for their way back meanwhile. Where none is left, as after a
// sleep, nobody waits, and there is time to find out who has taken over.
const (
	rejoinTime      = 1500 * time.Millisecond
	rejoinAfterLoss = 3500 * time.Millisecond // of all; the rest of undoTime is for the way back
)

// rejoin opens a session anew with hosts whose session was lost, so that what
// was begun on them can be taken back. It is tried once: a host that stays away
// is named by whatever is tried on it next. Where one was lost, others are asked: a
// run that has slept does not know yet that all have gone.
func (r *rollout) rejoin(ctx context.Context, lost bool) {
	if r.Hurried {
		return
	}
	ctx, stop := context.WithTimeout(ctx, rejoinAfterLoss)
	defer stop()
	_ = together(ctx, r.fleet.hosts(), func(ctx context.Context, h *host) error {
		if lost {
			_, _ = state.LockStatus.On(ctx, h.machine, h.dir) // a session that has gone is opened anew below
		}
		again, err := r.Machines(ctx, h.server)
		if err != nil {
			return err
		}
		if again == h.machine {
			time.AfterFunc(rejoinTime, stop) // this one waits
			return nil
		}
		if err := r.relock(ctx, h, again); err != nil {
			return err
		}
		h.machine, h.locked = again, true
		return nil
	})
}

// relock takes the lock of a host in a new session. It was free for a while:
// where the epoch is no longer this run's, another run has taken over, and this
// one has no business there any more.
func (r *rollout) relock(ctx context.Context, h *host, again machine.Machine) error {
	w := &wait{rollout: r, told: true} // mostly for its own former agent
	for {
		grant, err := deadman.Acquire.On(ctx, again, r.claim(h))
		switch {
		case err != nil:
			return err
		case !protocol.Admits(grant.Epoch, r.epoch):
			h.overtaken = fmt.Errorf("run %s has taken over in epoch %d, this run's was %d, and settles what was left; nothing more is done there", grant.Epoch.Run, grant.Epoch.Number, r.epoch.Number)
			_, err := state.Release.On(ctx, again, h.dir)
			return errors.Join(h.overtaken, err)
		case grant.Held:
			return nil
		}
		if err := w.pause(ctx, h, grant.By); err != nil {
			return err
		}
	}
}

// hosts are the machines of the environment, each once.
func (f *fleet) hosts() []*host {
	var all []*host
	seen := make(map[*host]bool)
	add := func(h *host) {
		if !seen[h] {
			seen[h] = true
			all = append(all, h)
		}
	}
	for _, e := range f.edges {
		add(e.host)
	}
	for _, a := range f.apps {
		add(a.host)
	}
	return all
}
