package rollout

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/org/deploy-action/internal/probe"
)

// beyondProxies is longer than proxies wait for an answer: one that does not come is
// a failure of the release then, and not a client that went away.
const beyondProxies = 65 * time.Second

// animate has every proxy host send requests to its own listener, so that a site
// without clients is judged too. They carry nothing that makes a client known: each
// falls to a slot as a new client does.
func (a *ascent) animate(ctx context.Context) error {
	if a.Canary.Synthetic == 0 {
		return nil
	}
	return together(ctx, a.fleet.edges, func(ctx context.Context, e *edge) error {
		stream := probe.Stream{Target: a.target(e), Limit: time.Until(a.deadline)}
		stream.Rate, stream.Timeout = a.Canary.Synthetic, beyondProxies
		if a.Canary.SyntheticPath != "" {
			stream.Path = string(a.Canary.SyntheticPath)
		}
		_, err := probe.Send.On(ctx, e.machine, stream)
		if err != nil {
			err = fmt.Errorf("synthetic requests: %w", err)
		}
		return err
	})
}

// hush ends these requests. Where a switch fails, they end with its way back.
func (r *rollout) hush(ctx context.Context) error {
	if r.Canary == nil || r.Canary.Synthetic == 0 {
		return nil
	}
	return together(ctx, r.fleet.edges, func(ctx context.Context, e *edge) error {
		_, err := probe.Cease.On(ctx, e.machine, e.probeKey())
		return err
	})
}

// asks reports whether requests are to come from the machine of a proxy.
func (r *rollout) asks() bool {
	return r.Environment.Probe > 0 || r.Environment.Health.HTTP != nil || r.Canary != nil && r.Canary.Synthetic > 0
}

// admitted is an error where synthetic requests would get to no slot.
func (r *rollout) admitted(e *edge) error {
	if r.Canary != nil && r.Canary.Synthetic > 0 && e.door().Login {
		return errors.New("clients have to log in at its listener, so that synthetic requests would get to no slot: leave synthetic out of the canary block")
	}
	return nil
}
