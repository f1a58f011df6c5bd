package rollout

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/org/deploy-action/internal/protocol"
	"github.com/org/deploy-action/internal/proxy"
	"github.com/org/deploy-action/internal/release"
	"github.com/org/deploy-action/internal/state"
)

// Status is what serves now in one environment, and what is known of it.
type Status struct {
	Environment string                  `json:"environment"`
	Proxy       string                  `json:"proxy"`
	URL         string                  `json:"url"`
	Serving     string                  `json:"serving,omitempty"` // slot; empty: nothing was deployed yet
	Release     string                  `json:"release,omitempty"`
	Share       int                     `json:"share_percent,omitempty"` // of the requests, that the other slot gets in a canary; the most where proxies differ
	Slots       map[string]string       `json:"slots"`                   // release in each slot, on most servers
	Healthy     map[string]bool         `json:"healthy"`                 // each slot, asked now, on every server that has it
	Servers     []ServerStatus          `json:"servers,omitempty"`       // where there are several machines
	Proxies     []ProxyStatus           `json:"proxies,omitempty"`       // likewise
	Unreached   []string                `json:"unreached,omitempty"`     // servers that can't be asked, and why; the rest is of the others
	Drift       []string                `json:"drift,omitempty"`         // what is not as the last run left it
	Changes     []string                `json:"changes,omitempty"`       // servers that have joined or left since the last deploy
	Bad         map[string]release.Mark `json:"bad,omitempty"`           // releases that a rollback passes over, and why
	Unsettled   string                  `json:"unsettled,omitempty"`     // run that was interrupted
	Holder      *state.Holder           `json:"holder,omitempty"`        // who deploys now
	Step        string                  `json:"step,omitempty"`          // what the holder has begun last
	History     []state.Deploy          `json:"history,omitempty"`       // newest first
}

// ServerStatus is one server of the application.
type ServerStatus struct {
	Server  string            `json:"server"`
	Slots   map[string]string `json:"slots"`   // release in each slot
	Healthy map[string]bool   `json:"healthy"` // each slot that has one, asked now
}

// ProxyStatus is one proxy.
type ProxyStatus struct {
	Server  string `json:"server"`
	Kind    string `json:"kind"`
	Serving string `json:"serving,omitempty"`       // slot
	Share   int    `json:"share_percent,omitempty"` // of the requests, that the other slot gets
}

// Inspect reads what serves now. Nothing is changed and no lock is taken. A
// server that can't be reached is named, and the others are asked.
func Inspect(ctx context.Context, request Request) (*Status, error) {
	r := &rollout{Request: request, account: newAccount(request)}
	var err error
	if r.fleet, err = openSome(ctx, request); err != nil {
		return nil, err
	}
	status := &Status{
		Environment: string(r.Environment.Name), Proxy: kinds(r.Environment.Proxies),
		URL: publicURL(r.Environment.Proxies[0]), Slots: make(map[string]string), Healthy: make(map[string]bool),
	}
	for _, lost := range r.fleet.lost {
		status.Unreached = append(status.Unreached, on(lost, lost.err).Error())
	}
	var split *disagreement
	switch err := r.look(ctx); {
	case errors.As(err, &split):
		status.Drift = []string{split.Error()}
		err = r.readSlots(ctx)
		if err != nil {
			return nil, err
		}
	case err != nil:
		return nil, err
	default:
		status.Drift, status.Changes = r.drift(), r.membership()
	}
	status.URL = r.url()
	if r.from != nil {
		status.Serving, status.Release = string(r.from.Name), r.fromID
	}
	for _, e := range r.fleet.edges {
		status.Share = max(status.Share, share(e.live))
	}
	if err := r.examine(ctx, status); err != nil {
		return nil, err
	}
	if status.Bad, err = r.bad(ctx); err != nil {
		return nil, err
	}
	return status, r.remember(ctx, status)
}

// openSome is open for those who only read: it goes on without servers that
// can't be reached, unless no proxy or no server of the application is left.
func openSome(ctx context.Context, r Request) (*fleet, error) {
	f := reach(ctx, r)
	if len(f.edges) == 0 || len(f.apps) == 0 {
		return nil, f.losses()
	}
	return f, together(ctx, f.edges, func(ctx context.Context, e *edge) error { return e.locate(ctx, r) })
}

// examine asks every slot on every server for its health.
func (r *rollout) examine(ctx context.Context, status *Status) error {
	servers, err := gather(ctx, r.fleet.apps, func(ctx context.Context, a *app) (ServerStatus, error) {
		s := ServerStatus{Server: a.Name(), Slots: a.held, Healthy: make(map[string]bool)}
		for _, slot := range r.Environment.Slots {
			if a.held[string(slot.Name)] == "" {
				continue
			}
			healthy, err := r.healthy(ctx, []*app{a}, slot)
			if err != nil {
				return ServerStatus{}, err
			}
			s.Healthy[string(slot.Name)] = healthy
		}
		return s, nil
	})
	for _, slot := range r.Environment.Slots {
		name := string(slot.Name)
		if id := r.fleet.holds(slot); id != "" {
			status.Slots[name], status.Healthy[name] = id, true
		}
		for _, s := range servers {
			if healthy, asked := s.Healthy[name]; asked && !healthy {
				status.Healthy[name] = false
			}
		}
	}
	if len(r.fleet.hosts())+len(r.fleet.lost) > 1 {
		status.Servers = servers
		for _, e := range r.fleet.edges {
			status.Proxies = append(status.Proxies, ProxyStatus{Server: e.Name(), Kind: string(e.site.Kind), Serving: string(e.serves), Share: share(e.live)})
		}
	}
	return err
}

// remember fills in what the state directories tell.
func (r *rollout) remember(ctx context.Context, status *Status) error {
	holder, err := r.lockHolder(ctx)
	if err != nil {
		return err
	}
	left, err := r.leftover(ctx)
	if err != nil {
		return err
	}
	status.Holder = holder
	if left.outcome == protocol.Settled && holder == nil && status.Share > 0 {
		status.Drift = append(status.Drift, fmt.Sprintf("%d %% of the requests do not go to %s, and no canary is under way: turnout recover %s gives it all", status.Share, status.Serving, status.Environment))
	}
	switch {
	case left.outcome == protocol.Settled:
	case holder != nil:
		status.Step = string(left.last.Kind)
		if left.last.Kind == state.Share {
			status.Step = fmt.Sprintf("canary at %d %%", left.last.Percent)
		}
	default:
		status.Unsettled = left.last.Epoch.Run
	}
	past, err := r.past(ctx)
	status.History = past.Deploys
	return err
}

// share is what the other slot gets of a proxy's requests, in percent.
func share(live proxy.Live) int {
	if live.Running != nil {
		return live.Running.Share
	}
	return live.Share
}

// lockHolder is who holds the lock on any proxy host; nil where nobody does.
func (r *rollout) lockHolder(ctx context.Context) (*state.Holder, error) {
	grants, err := gather(ctx, r.fleet.fronts(), func(ctx context.Context, h *host) (state.Grant, error) {
		grant, err := state.LockStatus.On(ctx, h.machine, h.dir)
		if err != nil {
			err = fmt.Errorf("lock: %w", err)
		}
		return grant, err
	})
	for _, grant := range grants {
		if grant.Held {
			return &grant.By, err
		}
	}
	return nil, err
}

// past is the history of the environment, newest first: every proxy host keeps
// one, and one of them may have missed a deploy.
func (r *rollout) past(ctx context.Context) (state.Past, error) {
	pasts, err := gather(ctx, r.fleet.fronts(), func(ctx context.Context, h *host) (state.Past, error) {
		past, err := state.History.On(ctx, h.machine, h.dir)
		if err != nil {
			err = fmt.Errorf("history: %w", err)
		}
		return past, err
	})
	return merge(pasts), err
}

// merge puts the histories of several hosts together.
func merge(pasts []state.Past) state.Past {
	if len(pasts) == 1 {
		return pasts[0]
	}
	var all state.Past
	type what struct{ run, to, release, outcome string }
	seen := make(map[what]bool)
	for _, past := range pasts {
		all.Corrupt += past.Corrupt
		for _, d := range past.Deploys {
			key := what{d.Run, d.To, d.ToRelease, d.Outcome}
			if !seen[key] {
				seen[key] = true
				all.Deploys = append(all.Deploys, d)
			}
		}
	}
	// By their ends: one that waited for the lock may have begun before another.
	slices.SortStableFunc(all.Deploys, func(a, b state.Deploy) int { return b.Time.Add(b.Took).Compare(a.Time.Add(a.Took)) })
	all.Deploys = all.Deploys[:min(len(all.Deploys), state.HistoryLength)]
	return all
}

// Memory is the history of an environment, and which of its releases are bad.
type Memory struct {
	state.Past
	Bad map[string]release.Mark // why a rollback passes them over, by their ids
}

// Remember reads the deploys of the environment, newest first, from the proxy
// hosts that can be reached, and the marks of releases from the servers that can.
// Neither the proxies nor the slots are asked.
func Remember(ctx context.Context, request Request) (Memory, error) {
	f := reach(ctx, request)
	if len(f.edges) == 0 {
		return Memory{}, f.losses()
	}
	r := &rollout{Request: request, fleet: f}
	past, err := r.past(ctx)
	if err != nil {
		return Memory{}, err
	}
	marks, err := r.bad(ctx)
	return Memory{Past: past, Bad: marks}, err
}
