package rollout

import (
	"context"

	"github.com/org/deploy-action/internal/machine"
	"github.com/org/deploy-action/internal/state"
)

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
