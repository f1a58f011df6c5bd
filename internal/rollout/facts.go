package rollout

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/org/deploy-action/internal/plan"
	"github.com/org/deploy-action/internal/proxy"
)

// facts are what the hosts have and serve, as a plan remembers it. A run of that
// plan finds the same facts, or something has moved.
func (r *rollout) facts() []plan.Fact {
	var all []plan.Fact
	for _, e := range r.fleet.edges {
		all = append(all,
			plan.Fact{Host: e.Name(), What: "serves", Is: or(string(e.serves), "nothing")},
			plan.Fact{Host: e.Name(), What: "configuration", Is: e.configuration()},
		)
	}
	for _, a := range r.fleet.apps {
		for _, slot := range slices.Sorted(maps.Keys(a.held)) {
			all = append(all, plan.Fact{Host: a.Name(), What: "slot " + slot, Is: a.held[slot]})
		}
	}
	return all
}

// configuration names the file that is in place: by its generation and the
// content that it was written with, and has, where that is another.
func (e *edge) configuration() string {
	header := e.live.Header
	switch {
	case header == nil:
		return "none"
	case e.live.Edited, e.proxy.Balancer != nil && e.live.Running != nil && e.live.Running.ID != header.ID:
		return fmt.Sprintf("generation %d, %s, edited by hand since (SHA-256 %.12s…)", header.Generation, header.ID, proxy.Sum(e.live.Body))
	}
	return fmt.Sprintf("generation %d, %s", header.Generation, header.ID)
}

// checkPlanned holds what is live against what it was when the run was planned.
func (r *rollout) checkPlanned() error {
	if r.Planned == nil {
		return nil
	}
	if moved := plan.Moved(r.Planned, r.facts()); len(moved) > 0 {
		return fmt.Errorf("what is live is not what the plan was made for: %s; plan again", strings.Join(moved, "; "))
	}
	return nil
}
