package rollout

import (
	"context"
	"errors"
	"fmt"

	"github.com/org/deploy-action/internal/event"
	"github.com/org/deploy-action/internal/state"
	"github.com/org/deploy-action/internal/value"
)

// agree makes all proxies serve the slot that the history names, if some don't
// and no journal says why: a host that was put back from a backup, or a hand that
// moved one.
func (r *rollout) agree(ctx context.Context) (string, error) {
	if len(r.fleet.edges) == 1 || len(r.fleet.lost) > 0 {
		return "", nil
	}
	if err := together(ctx, r.fleet.edges, r.inspect); err != nil {
		return "", err
	}
	var split *disagreement
	if !errors.As(r.choose(), &split) {
		return "", nil
	}
	past, err := r.past(ctx)
	if err != nil {
		return "", err
	}
	slot := slotNamed(r.Environment, lastSlot(past.Deploys))
	if slot == nil {
		return "", fmt.Errorf("%s, and no history says which is right: move one by hand", split.whereabouts)
	}
	if healthy, err := r.healthy(ctx, r.fleet.apps, slot); err != nil || !healthy {
		return "", errors.Join(err, fmt.Errorf("%s; the history names %s, which is not healthy on every server: start it, then try again", split.whereabouts, slot.Name))
	}
	text := fmt.Sprintf("%s; all serve %s now, as the history says", split.whereabouts, slot.Name)
	return text, together(ctx, r.fleet.edges, func(ctx context.Context, e *edge) error { return r.lead(ctx, e, slot) })
}

// lastSlot is the slot that served after the newest of the deploys; empty where
// there is none.
func lastSlot(deploys []state.Deploy) value.Name {
	for _, d := range deploys {
		if d.Outcome == string(event.Succeeded) {
			return value.Name(d.To)
		}
		if d.From != "" {
			return value.Name(d.From)
		}
	}
	return ""
}
