package rollout

import (
	"context"
	"errors"
	"time"

	"github.com/org/deploy-action/internal/machine"
	"github.com/org/deploy-action/internal/state"
)

// rejoinTime bounds a new session with a host whose session was lost: the hosts
// that can be reached wait for their way back meanwhile.
const rejoinTime = 1500 * time.Millisecond

// rejoin opens a session anew with hosts whose session was lost, so that what
// was begun on them can be taken back. It is tried once: a host that stays away
// is named by whatever is tried on it next.
func (r *rollout) rejoin(ctx context.Context, cause error) {
	if r.Hurried || !errors.Is(cause, machine.ErrLost) {
		return
	}
	ctx, stop := context.WithTimeout(ctx, rejoinTime)
	defer stop()
	locked := make(map[*host]bool)
	for _, e := range r.fleet.edges {
		locked[e.host] = true
	}
	_ = together(ctx, r.fleet.hosts(), func(ctx context.Context, h *host) error {
		again, err := r.Machines(ctx, h.server)
		if err == nil && again != h.machine && locked[h] {
			err = r.relock(ctx, &host{server: h.server, machine: again})
		}
		if err == nil {
			h.machine = again
		}
		return err
	})
}

// relock takes the lock of a proxy host again. It was free for a while: where
// the journal is no longer this run's, somebody else has settled it.
func (r *rollout) relock(ctx context.Context, h *host) error {
	if err := r.lockOn(ctx, h, nil); err != nil {
		return err
	}
	journal, err := state.Journal.On(ctx, h.machine, string(r.Environment.StateDir))
	if err != nil {
		return err
	}
	if n := len(journal.Entries); n == 0 || journal.Entries[n-1].Run != r.Run.ID {
		return errors.New("another run has taken over")
	}
	return nil
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
