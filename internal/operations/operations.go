// Package operations is all that an agent performs for a turnout at the other end. What
// only that end needs (the spec, the plan, the calls of AWS) it must not import: an
// agent is started on each server of each run, and most of what that takes is what its
// packages do before main.
package operations

import (
	"context"
	"runtime"
	"time"

	"github.com/org/deploy-action/internal/agent"
	"github.com/org/deploy-action/internal/deadman"
	"github.com/org/deploy-action/internal/health"
	"github.com/org/deploy-action/internal/machine"
	"github.com/org/deploy-action/internal/metrics"
	"github.com/org/deploy-action/internal/preview/register"
	"github.com/org/deploy-action/internal/probe"
	"github.com/org/deploy-action/internal/proxy"
	"github.com/org/deploy-action/internal/release"
	"github.com/org/deploy-action/internal/state"
	"github.com/org/deploy-action/internal/version"
)

// Agent is the one that the binary self is, for a client that may be silent for lease;
// session is what its operations find kept.
func Agent(self string, lease time.Duration, session *machine.Session) machine.Agent {
	agent.Started(self)
	return machine.Agent{Version: version.Number, Lease: lease, Handlers: All(), Session: session}
}

// busy is an operation that more CPUs than agent.OneCPU are good for.
func busy[Req, Res any](op machine.Op[Req, Res]) machine.Op[Req, Res] {
	do := op.Do
	op.Do = func(ctx context.Context, at machine.At, request Req) (Res, error) {
		runtime.SetDefaultGOMAXPROCS()
		return do(ctx, at, request)
	}
	return op
}

// All are the operations. What changes something in a switch is there behind the guard
// only.
func All() []machine.Handler {
	return []machine.Handler{
		machine.Handle(deadman.Acquire), machine.Handle(state.BeginEpoch), machine.Handle(state.Release), machine.Handle(state.LockStatus),
		machine.Handle(state.Journal), machine.Handle(state.History), machine.Handle(state.Say), machine.Handle(state.Heard),
		machine.Handle(state.Guarded(state.Append)), machine.Handle(state.Guarded(state.Finish)), machine.Handle(state.Guarded(state.Record)),
		machine.Handle(release.Slots), machine.Handle(release.List), machine.Handle(release.Bad), machine.Handle(release.Fits),
		machine.Handle(state.Guarded(release.Blame)), machine.Handle(state.Guarded(release.Acquit)),
		machine.Handle(state.Guarded(busy(release.Receive))), machine.Handle(state.Guarded(release.Point)), machine.Handle(state.Guarded(release.Prune)),
		machine.Handle(state.Guarded(machine.Run)), machine.Handle(machine.Run), machine.Handle(machine.Tail),
		machine.Handle(machine.ReadFile), machine.Handle(machine.Write), machine.Handle(machine.Remove), machine.Handle(machine.Symlink), machine.Handle(machine.MakeDir),
		machine.Handle(health.Await), machine.Handle(health.Once),
		machine.Handle(probe.Start), machine.Handle(probe.Read), machine.Handle(probe.Stop), machine.Handle(probe.Send), machine.Handle(probe.Cease),
		machine.Handle(proxy.Inspect), machine.Handle(proxy.Verify), machine.Handle(proxy.Ready), machine.Handle(proxy.Resolve), machine.Handle(proxy.Connections),
		machine.Handle(state.Guarded(proxy.Put)), machine.Handle(state.Guarded(proxy.Select)), machine.Handle(state.Guarded(proxy.Restore)),
		machine.Handle(state.Guarded(proxy.Share)), machine.Handle(proxy.Counters),
		machine.Handle(proxy.Standing), machine.Handle(state.Guarded(proxy.Claim)),
		machine.Handle(register.All), machine.Handle(register.Quiet),
		machine.Handle(state.Guarded(register.Lease)), machine.Handle(state.Guarded(register.Note)), machine.Handle(state.Guarded(register.Forget)),
		machine.Handle(state.Guarded(proxy.Withdraw)), machine.Handle(state.Guarded(release.Vacate)),
		machine.Handle(agent.Describe), machine.Handle(metrics.New()),
	}
}
