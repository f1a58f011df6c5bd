package rollout

import (
	"context"
	"fmt"

	"github.com/org/deploy-action/internal/event"
	"github.com/org/deploy-action/internal/health"
	"github.com/org/deploy-action/internal/spec"
)

// vacateAll is vacate of the idle slot on every server.
func (r *rollout) vacateAll(ctx context.Context) error {
	return together(ctx, r.fleet.apps, func(ctx context.Context, a *app) error { return r.vacate(ctx, a, r.to) })
}

// vacate stops what may run in a slot that takes no traffic, before its symlink
// moves: a start that does not replace it would have the release from before pass
// the health check of the new one. Nothing was ever started where the slot holds no
// release. A stop that fails because nothing runs is as good as one that succeeds.
func (r *rollout) vacate(ctx context.Context, a *app, slot *spec.Slot) error {
	held := a.held[string(slot.Name)]
	if held == "" || slot.Start == "" || slot.Stop == "" {
		return nil
	}
	failed := r.command(ctx, a, slot, "stop", slot.Stop)
	if failed == nil {
		a.vacated = true
		return nil
	}
	answers := health.Check{Address: slotAddress(slot), TCP: true, Timeout: r.Environment.Health.Timeout}
	verdict, err := health.Once.On(ctx, a.machine, answers)
	if err != nil {
		return failed
	}
	if a.vacated = !verdict.Healthy; a.vacated {
		return nil
	}
	return fmt.Errorf("%w\n    %s still answers at %s and would be taken for the new release; end it, or mend the stop command; traffic is not affected",
		failed, held, slotAddress(slot))
}

// restartFormer starts the release that the idle slot held before, and holds
// again by now, so that a failed deploy leaves a rollback as quick as it found it.
func (r *rollout) restartFormer(ctx context.Context, a *app) error {
	former := a.held[string(r.to.Name)]
	if !r.started && !a.vacated || former == "" || r.Environment.KeepPrevious != spec.Warm {
		return nil
	}
	if err := r.command(ctx, a, r.to, "start", r.to.Start); err != nil {
		r.notice(event.Warning, on(a, fmt.Errorf("%s could not be started again with %s: %w", r.to.Name, former, err)).Error(),
			"a rollback would start it again; traffic is not affected")
	}
	return nil
}
