package rollout

import (
	"context"

	"github.com/org/deploy-action/internal/health"
	"github.com/org/deploy-action/internal/machine"
	"github.com/org/deploy-action/internal/probe"
	"github.com/org/deploy-action/internal/proxy"
	"github.com/org/deploy-action/internal/release"
	"github.com/org/deploy-action/internal/state"
)

// Operations are those that a rollout has an agent perform. What changes
// something is there behind the guard only.
func Operations() []machine.Handler {
	return []machine.Handler{
		machine.Handle(acquire), machine.Handle(state.BeginEpoch), machine.Handle(state.Release), machine.Handle(state.LockStatus),
		machine.Handle(state.Journal), machine.Handle(state.History), machine.Handle(state.Say), machine.Handle(state.Heard),
		machine.Handle(state.Guarded(state.Append)), machine.Handle(state.Guarded(state.Finish)), machine.Handle(state.Guarded(state.Record)),
		machine.Handle(release.Slots), machine.Handle(release.List), machine.Handle(release.Bad), machine.Handle(release.Fits),
		machine.Handle(state.Guarded(release.Blame)), machine.Handle(state.Guarded(release.Acquit)),
		machine.Handle(state.Guarded(release.Receive)), machine.Handle(state.Guarded(release.Point)), machine.Handle(state.Guarded(release.Prune)),
		machine.Handle(state.Guarded(machine.Run)), machine.Handle(machine.Tail),
		machine.Handle(health.Await), machine.Handle(health.Once),
		machine.Handle(probe.Start), machine.Handle(probe.Read), machine.Handle(probe.Stop), machine.Handle(probe.Send), machine.Handle(probe.Cease),
		machine.Handle(proxy.Inspect), machine.Handle(proxy.Verify), machine.Handle(proxy.Ready), machine.Handle(proxy.Resolve), machine.Handle(proxy.Connections),
		machine.Handle(state.Guarded(proxy.Put)), machine.Handle(state.Guarded(proxy.Select)), machine.Handle(state.Guarded(proxy.Restore)),
		machine.Handle(state.Guarded(proxy.Share)), machine.Handle(proxy.Counters),
		machine.Handle(proxy.Standing), machine.Handle(state.Guarded(proxy.Claim)),
	}
}

// perform has a host do what changes something there, in this run's epoch.
func perform[Req, Res any](ctx context.Context, r *rollout, h *host, op machine.Op[Req, Res], request Req) (Res, error) {
	return state.Guarded(op).On(ctx, h.machine, order(r, h, request))
}

// announce is perform of what the journal has to know first.
func announce[Req, Res any](ctx context.Context, r *rollout, h *host, entry *state.Entry, op machine.Op[Req, Res], request Req) (Res, error) {
	if h.calls {
		if err := r.foretell(ctx, h, entry); err != nil {
			var none Res
			return none, err
		}
	}
	o := order(r, h, request)
	o.Entry = entry
	return state.Guarded(op).On(ctx, h.machine, o)
}

func order[Req any](r *rollout, h *host, request Req) state.Order[Req] {
	return state.Order[Req]{Reign: state.Reign{Dir: h.dir, Epoch: r.epoch}, Request: request}
}
