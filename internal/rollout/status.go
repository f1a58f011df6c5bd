package rollout

import (
	"context"
	"fmt"

	"github.com/org/deploy-action/internal/release"
	"github.com/org/deploy-action/internal/state"
)

// Status is what serves now in one environment, and what is known of it.
type Status struct {
	Environment string            `json:"environment"`
	Proxy       string            `json:"proxy"`
	URL         string            `json:"url"`
	Serving     string            `json:"serving,omitempty"` // slot; empty: nothing was deployed yet
	Release     string            `json:"release,omitempty"`
	Slots       map[string]string `json:"slots"`               // release in each slot
	Healthy     map[string]bool   `json:"healthy"`             // each slot, asked now
	Drift       []string          `json:"drift,omitempty"`     // what is not as the last run left it
	Unsettled   string            `json:"unsettled,omitempty"` // run that was interrupted
	Holder      *state.Holder     `json:"holder,omitempty"`    // who deploys now
	Step        string            `json:"step,omitempty"`      // what the holder has begun last
	History     []state.Deploy    `json:"history,omitempty"`   // newest first
}

// Inspect reads what serves now. Nothing is changed and no lock is taken.
func Inspect(ctx context.Context, request Request) (*Status, error) {
	r := &rollout{Request: request, account: newAccount(request), undo: newUndo()}
	var err error
	if r.fleet, err = open(ctx, request); err != nil {
		return nil, err
	}
	if err := r.look(ctx); err != nil {
		return nil, err
	}
	status := &Status{
		Environment: string(r.Environment.Name), Proxy: string(r.Environment.Proxies[0].Kind),
		URL: publicURL(r.Environment.Proxies[0]), Drift: r.drift(), Healthy: make(map[string]bool),
	}
	if r.from != nil {
		status.Serving, status.Release = string(r.from.Name), r.fromID
	}
	if status.Slots, err = release.Slots.On(ctx, r.fleet.apps[0], string(r.Environment.Root)); err != nil {
		return nil, fmt.Errorf("%s: %w", r.fleet.apps[0].Name(), err)
	}
	return status, r.remember(ctx, status)
}

// remember fills in what the state directory and the slots tell.
func (r *rollout) remember(ctx context.Context, status *Status) error {
	dir, e := string(r.Environment.StateDir), r.fleet.edges[0]
	for _, slot := range r.Environment.Slots {
		if status.Slots[string(slot.Name)] == "" {
			continue
		}
		healthy, err := r.healthy(ctx, slot)
		if err != nil {
			return err
		}
		status.Healthy[string(slot.Name)] = healthy
	}
	grant, err := state.LockStatus.On(ctx, e.machine, dir)
	if err != nil {
		return fmt.Errorf("%s: lock: %w", e.machine.Name(), err)
	}
	if grant.Held {
		status.Holder = &grant.By
	}
	left, err := r.leftover(ctx)
	if err != nil {
		return err
	}
	switch {
	case left != nil && grant.Held:
		status.Step = left.last.Step
	case left != nil:
		status.Unsettled = left.last.Run
	}
	history, err := state.History.On(ctx, e.machine, dir)
	status.History = history.Deploys
	return err
}

// Past reads the deploys of the environment, newest first. Neither the proxy nor
// the slots are asked.
func Past(ctx context.Context, request Request) (state.Past, error) {
	f, err := open(ctx, request)
	if err != nil {
		return state.Past{}, err
	}
	e := f.edges[0]
	past, err := state.History.On(ctx, e.machine, string(request.Environment.StateDir))
	if err != nil {
		return past, fmt.Errorf("%s: history: %w", e.machine.Name(), err)
	}
	return past, nil
}
