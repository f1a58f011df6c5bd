package rollout

import (
	"context"
	"encoding/json"
	"time"

	"github.com/org/deploy-action/internal/proxy"
	"github.com/org/deploy-action/internal/state"
)

// What a switch journals, on each proxy host before the effect there: see
// docs/protocol.md. Install and Commit are written by the operations that have
// the effect.

// entry is a line of the journal about this switch.
func (r *rollout) entry(kind state.Kind) *state.Entry {
	entry := &state.Entry{Time: time.Now().UTC(), Epoch: r.epoch, Kind: kind, To: string(r.to.Name), ToRelease: r.toID, Former: r.formerID}
	if r.from != nil {
		entry.From, entry.FromRelease = string(r.from.Name), r.fromID
	}
	return entry
}

// write has a proxy host write an entry.
func (r *rollout) write(ctx context.Context, h *host, entry *state.Entry) error {
	_, err := perform(ctx, r, h, state.Append, state.Writing{Dir: h.dir, Entry: *entry})
	return err
}

// openJournal says on every proxy host that a switch is in flight, and leaves
// there what an agent needs to know should it be alone.
func (r *rollout) openJournal(ctx context.Context) error {
	r.opened = true
	return together(ctx, r.fleet.fronts(), func(ctx context.Context, h *host) error {
		entry := r.entry(state.Open)
		var err error
		if entry.Alone, err = json.Marshal(r.fleet.sitesOn(h)); err != nil {
			panic("rollout: a site is plain data: " + err.Error())
		}
		return r.write(ctx, h, entry)
	})
}

// decide rules on every proxy host that it stays with the new slot. The last
// answer is the commit point: with anything less, everything goes back. A run that
// is cancelled meanwhile gets the answers all the same, as an append is not broken
// off, and follows them.
func (r *rollout) decide(ctx context.Context) error {
	return together(ctx, r.fleet.fronts(), func(ctx context.Context, h *host) error {
		err := r.write(ctx, h, r.entry(state.Decided))
		h.decided = err == nil || lost(err) || ctx.Err() != nil
		return err
	})
}

// ruleBack rules on every proxy host that it returns to the old slot, before
// anything does: where "decided" may stand, it has to be void before the new slot
// is stopped. Elsewhere, a ruling that can't be written changes nothing.
func (r *rollout) ruleBack(ctx context.Context) error {
	return together(ctx, r.fleet.fronts(), func(ctx context.Context, h *host) error {
		entry := r.entry(state.Back)
		entry.By = "run"
		if h.overtaken != nil {
			return nil // the way back tells it
		}
		if err := r.write(ctx, h, entry); err != nil && h.decided {
			return err
		}
		return nil
	})
}

// fronts are the hosts that have a proxy, each once.
func (f *fleet) fronts() []*host {
	var all []*host
	for _, h := range f.hosts() {
		if h.front {
			all = append(all, h)
		}
	}
	return all
}

// sitesOn is what the proxies on a host serve.
func (f *fleet) sitesOn(h *host) []proxy.Site {
	var sites []proxy.Site
	for _, e := range f.edges {
		if e.host == h {
			sites = append(sites, e.site)
		}
	}
	return sites
}
