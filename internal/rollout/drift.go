package rollout

import (
	"fmt"
	"net/netip"
	"slices"

	"github.com/org/deploy-action/internal/spec"
	"github.com/org/deploy-action/internal/value"
)

// drift names what is not as the last run left it, with the host where there are
// several.
func (r *rollout) drift() []string {
	var all []string
	for _, e := range r.fleet.edges {
		for _, text := range driftOf(e, r.from, r.fromID) {
			all = append(all, r.at(e, text))
		}
	}
	for _, a := range r.fleet.apps {
		if r.from == nil || a.idle {
			continue
		}
		if held := a.held[string(r.from.Name)]; held != r.fromID {
			all = append(all, r.at(a, fmt.Sprintf("slot %s holds %s, other servers have %s there", r.from.Name, or(held, "nothing"), r.fromID)))
		}
	}
	return all
}

// at is text with the host's name in front, unless there is only one host.
func (r *rollout) at(host named, text string) string {
	if len(r.fleet.hosts()) == 1 {
		return text
	}
	return host.Name() + ": " + text
}

func driftOf(e *edge, from *spec.Slot, fromID string) []string {
	live, config := e.live, e.site.Place()
	switch {
	case live.Header == nil && e.proxy.Balancer != nil:
		return nil // what it serves was put there by others, and stays until the first deploy has been watched
	case live.Header == nil && live.Running == nil:
		return nil
	case live.Header == nil:
		return []string{fmt.Sprintf("%s is gone, and %s still serves %s from memory: its next reload would take the site away", config, e.site.Kind, live.Running.Slot)}
	}
	var all []string
	if live.Edited {
		all = append(all, fmt.Sprintf("%s was edited by hand since it was written", config))
	}
	switch {
	case live.Running == nil:
		all = append(all, fmt.Sprintf("%s does not answer for this site: %s", e.site.Kind, live.Trouble))
	case live.Running.ID != live.Header.ID && e.proxy.Balancer != nil:
		all = append(all, fmt.Sprintf("%s or its target groups were changed by hand since the last deploy", config))
	case live.Running.ID != live.Header.ID:
		all = append(all, fmt.Sprintf("%s serves configuration %s, the file has %s: it was not reloaded since", e.site.Kind, live.Running.ID, live.Header.ID))
	case live.Running.Slot != live.Active:
		all = append(all, fmt.Sprintf("%s serves %s, the record beside its configuration says %s", e.site.Kind, live.Running.Slot, live.Active))
	}
	if e.proxy.Balancer != nil && live.Share > 0 {
		all = append(all, fmt.Sprintf("%d %% of the requests go to %s, and no run has left it so", live.Share, e.otherThan(live.Active)))
	}
	if from != nil && live.Header.Releases[from.Name] != fromID {
		all = append(all, fmt.Sprintf("slot %s holds %s, the configuration was written for %s", from.Name, or(fromID, "nothing"), or(live.Header.Releases[from.Name], "nothing")))
	}
	return all
}

// otherThan is the slot beside one.
func (e *edge) otherThan(slot value.Name) value.Name {
	if e.site.Pools[0].Slot == slot {
		return e.site.Pools[1].Slot
	}
	return e.site.Pools[0].Slot
}

// membership says which servers are new to the environment and which have left it.
// Neither is drift: the spec says so.
func (r *rollout) membership() []string {
	if r.from == nil {
		return nil
	}
	var all []string
	for _, a := range r.fleet.apps {
		if a.idle {
			all = append(all, fmt.Sprintf("%s is new: it gets requests once %s serves", a.Name(), r.to.Name))
		}
	}
	var left []string
	for _, e := range r.fleet.edges {
		if !e.serving() {
			all = append(all, fmt.Sprintf("%s is new: its proxy joins the others in serving %s, and moves with them", e.Name(), r.from.Name))
		}
		for _, address := range e.headed(r.from) {
			if gone := hostOf(address); gone != "" && !e.knows(gone) && !slices.Contains(left, gone) {
				left = append(left, gone)
				all = append(all, fmt.Sprintf("%s is no longer a server of %s: it gets no requests any more; what runs there is not stopped", gone, r.Environment.Name))
			}
		}
	}
	return all
}

// knows reports whether a server of the environment has that address.
func (e *edge) knows(address string) bool {
	for _, known := range e.addresses {
		if known == address {
			return true
		}
	}
	return false
}

// hostOf is the IP address in a slot's address; empty for a unix socket.
func hostOf(address value.Address) string {
	ap, err := netip.ParseAddrPort(string(address))
	if err != nil {
		return ""
	}
	return ap.Addr().String()
}
