package rollout

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/org/deploy-action/internal/event"
	"github.com/org/deploy-action/internal/proxy"
	"github.com/org/deploy-action/internal/release"
	"github.com/org/deploy-action/internal/spec"
	"github.com/org/deploy-action/internal/value"
)

// errForeign is a configuration file that we did not write.
var errForeign = errors.New("move it away, or give the proxy block another config path")

// survey reads what serves now and what the slots hold, decides which way the
// switch goes, and reports what is not as the last run left it.
func (r *rollout) survey(ctx context.Context) (string, error) {
	if err := r.look(ctx); err != nil {
		return "", err
	}
	if err := r.fleet.stopped(); err != nil {
		return "", err
	}
	newer, err := r.supersededBy(ctx)
	if err != nil {
		return "", err
	}
	if newer != "" {
		r.superseded = fmt.Errorf("%w by %s, which began later and deployed %s while this run waited for the lock", errSuperseded, newer, r.Environment.Name)
		return r.superseded.Error(), nil
	}
	if err := r.checkPlanned(); err != nil {
		return "", err
	}
	for _, drift := range r.drift() {
		r.notice(event.Warning, drift, "")
	}
	for _, change := range r.membership() {
		r.notice(event.Info, change, "")
	}
	if r.Rollback {
		if err := r.aim(ctx); err != nil {
			return "", err
		}
	} else if err := release.CheckSource(r.Release); err != nil {
		return "", fmt.Errorf("release: %w", err)
	}
	if r.first {
		return fmt.Sprintf("nothing serves yet; first release goes to %s", r.to.Name), nil
	}
	return fmt.Sprintf("%s serves %s; %s is idle", r.from.Name, or(r.fromID, "an unknown release"), r.to.Name), nil
}

// look reads the proxies and the slots and works out from and to.
func (r *rollout) look(ctx context.Context) error {
	if err := together(ctx, r.fleet.edges, r.inspect); err != nil {
		return err
	}
	if err := r.choose(); err != nil {
		return err
	}
	if err := r.readSlots(ctx); err != nil {
		return err
	}
	r.formerID = r.fleet.holds(r.to)
	if r.from != nil {
		r.fromID = r.fleet.holds(r.from)
		r.fleet.spare(r.from)
	}
	return nil
}

// stopped is an error for proxies that don't run: they could not take up what a
// switch gives them. It says so before anything is shipped or started.
func (f *fleet) stopped() error {
	var errs []error
	for _, e := range f.edges {
		if e.live.Stopped != "" {
			errs = append(errs, on(e, fmt.Errorf("%s; start it, then try again", e.live.Stopped)))
		}
	}
	return joined(errs)
}

// readSlots reads which release each slot holds on every server.
func (r *rollout) readSlots(ctx context.Context) error {
	return together(ctx, r.fleet.apps, func(ctx context.Context, a *app) (err error) {
		a.held, err = release.Slots.On(ctx, a.machine, string(r.Environment.Root))
		return err
	})
}

// inspect reads what one proxy has and serves.
func (r *rollout) inspect(ctx context.Context, e *edge) error {
	live, err := proxy.Inspect.On(ctx, e.machine, e.site)
	if err != nil {
		return err
	}
	if live.Header == nil && live.Edited {
		return fmt.Errorf("%s was not written by turnout; %w", e.site.Config, errForeign)
	}
	if live.Header != nil && live.Header.Env != e.site.Env {
		return fmt.Errorf("%s is that of environment %q; %w", e.site.Config, live.Header.Env, errForeign)
	}
	e.live, e.serves = live, live.Serving()
	e.site.Version, e.site.IPv6 = live.Version, live.IPv6
	if r.Rollback && live.Header != nil { // a rollback reloads for nothing that it does not need
		e.site.Canary = live.Header.Canary
	}
	return nil
}

// choose finds the slot that serves and the one that is idle. A proxy that serves
// none yet joins the others.
func (r *rollout) choose() error {
	i := slices.IndexFunc(r.fleet.edges, (*edge).serving)
	if i < 0 {
		r.first, r.to = true, r.Environment.Slots[0]
		return nil
	}
	e := r.fleet.edges[i]
	for _, other := range r.fleet.edges[i:] {
		if other.serves != "" && other.serves != e.serves {
			return cmp.Or(r.fleet.newcomer(), error(&disagreement{r.whereabouts()}))
		}
	}
	r.from = slotNamed(r.Environment, e.serves)
	if r.from == nil {
		return on(e, fmt.Errorf("%s serves slot %q, which environment %q no longer has (it has %s and %s); name the slots as before, or take the site out of the proxy and deploy anew",
			e.site.Place(), e.serves, r.Environment.Name, r.Environment.Slots[0].Name, r.Environment.Slots[1].Name))
	}
	r.to = other(r.Environment, r.from)
	return nil
}

// disagreement is proxies that send requests to different slots, so that none is
// idle.
type disagreement struct{ whereabouts string }

func (e *disagreement) Error() string {
	return e.whereabouts + ": no slot is idle; turnout recover moves all to the one that the history names"
}

// holds is the release that most servers have in a slot; empty: none has any.
func (f *fleet) holds(slot *spec.Slot) string {
	votes := make(map[string]int)
	most := ""
	for _, a := range f.apps {
		id := a.held[string(slot.Name)]
		if votes[id]++; id != "" && (most == "" || votes[id] > votes[most]) {
			most = id
		}
	}
	return most
}

// spare keeps the slot that serves on the servers that it serves on: one that is
// new in the spec has no release in that slot, so it gets no requests before the
// switch.
func (f *fleet) spare(from *spec.Slot) {
	for _, a := range f.apps {
		a.idle = !f.serves(a, from)
	}
	if !slices.ContainsFunc(f.apps, func(a *app) bool { return !a.idle }) {
		for _, a := range f.apps {
			a.idle = false
		}
	}
	for _, e := range f.edges {
		for i, pool := range e.site.Pools {
			if pool.Slot == from.Name && len(pool.Addresses) == len(f.apps) {
				e.site.Pools[i].Addresses = f.active(pool.Addresses)
			}
		}
	}
}

// active leaves out the addresses of servers on which the serving slot is not.
func (f *fleet) active(addresses []value.Address) []value.Address {
	var kept []value.Address
	for i, a := range f.apps {
		if !a.idle {
			kept = append(kept, addresses[i])
		}
	}
	return kept
}

// serves reports whether any proxy's configuration sends requests for a slot to a
// server. One that says nothing of it is no witness.
func (f *fleet) serves(a *app, slot *spec.Slot) bool {
	witnesses := 0
	for _, e := range f.edges {
		addresses := e.headed(slot)
		if addresses == nil {
			continue
		}
		witnesses++
		for _, address := range addresses {
			if slot.Socket != "" || hostOf(address) == e.addresses[a.server.Name] {
				return true
			}
		}
	}
	return witnesses == 0
}

// headed are the addresses that the configuration in place has for a slot.
func (e *edge) headed(slot *spec.Slot) []value.Address {
	if e.live.Header == nil {
		return nil
	}
	for _, pool := range e.live.Header.Pools {
		if pool.Slot == slot.Name {
			return pool.Addresses
		}
	}
	return nil
}

// serversOf are the servers on which a slot runs or is to run.
func (r *rollout) serversOf(slot *spec.Slot) []*app {
	if slot != r.from {
		return r.fleet.apps
	}
	return slices.DeleteFunc(slices.Clone(r.fleet.apps), func(a *app) bool { return a.idle })
}

func other(env *spec.Environment, slot *spec.Slot) *spec.Slot {
	if env.Slots[0] == slot {
		return env.Slots[1]
	}
	return env.Slots[0]
}
