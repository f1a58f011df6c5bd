package rollout

import (
	"context"

	"github.com/org/deploy-action/internal/state"
)

// Locked is the lock of one environment on each of its machines.
type Locked struct {
	Environment string       `json:"environment"`
	Hosts       []HostLocked `json:"hosts"`               // in the order in which runs lock them
	Unreached   []string     `json:"unreached,omitempty"` // servers that can't be asked, and why
}

// HostLocked is the lock on one machine.
type HostLocked struct {
	Server string `json:"server"`
	state.Grant
}

// Lock reads who holds the lock. Nothing is changed and nothing is waited for.
func Lock(ctx context.Context, request Request) (Locked, error) {
	r := &rollout{Request: request, fleet: reach(ctx, request)}
	locked := Locked{Environment: string(r.Environment.Name)}
	for _, lost := range r.fleet.lost {
		locked.Unreached = append(locked.Unreached, on(lost, lost.err).Error())
	}
	hosts := r.fleet.inOrder()
	if len(hosts) == 0 {
		return locked, r.fleet.losses()
	}
	var err error
	locked.Hosts, err = gather(ctx, hosts, func(ctx context.Context, h *host) (HostLocked, error) {
		grant, err := state.LockStatus.On(ctx, h.machine, h.dir)
		return HostLocked{Server: h.Name(), Grant: grant}, err
	})
	return locked, err
}
