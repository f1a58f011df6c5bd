package rollout

import (
	"context"
	"errors"
	"fmt"

	"github.com/org/deploy-action/internal/plan"
	"github.com/org/deploy-action/internal/proxy"
	"github.com/org/deploy-action/internal/spec"
)

// Preview says what Run would do by what is live now. It reads the machines and
// changes nothing. What keeps a switch from starting is in the preview's
// Problems; an error means that the machines could not be read.
func Preview(ctx context.Context, request Request) (*plan.Preview, error) {
	r := &rollout{Request: request, account: newAccount(request), undo: newUndo()}
	var err error
	if r.fleet, err = open(ctx, request); err != nil {
		return nil, err
	}
	view := &plan.Preview{Config: string(request.Environment.Proxies[0].Config)}
	if err := r.look(ctx); err != nil {
		view.Problems = append(view.Problems, err.Error())
		if errors.Is(err, errForeign) {
			return view, nil
		}
		return nil, err
	}
	if request.Rollback {
		if err := r.aim(ctx); err != nil {
			view.Problems = append(view.Problems, err.Error())
		}
	}
	view.First, view.FromID, view.ToID, view.To = r.first, r.fromID, r.toID, string(r.to.Name)
	if r.from != nil {
		view.From = string(r.from.Name)
	}
	view.Drift = r.drift()
	return view, r.changes(view)
}

// changes works out how the configuration changes and what that costs.
func (r *rollout) changes(view *plan.Preview) error {
	for _, e := range r.fleet.edges {
		rendered, err := proxy.Render(e.site)
		if err != nil {
			view.Problems = append(view.Problems, err.Error())
			continue
		}
		if e.live.Body != rendered.Body {
			view.Diff = diff(e.live.Body, rendered.Body, string(e.site.Config))
		}
		running := e.live.Running
		view.Reload = view.Reload || view.Diff != "" || running == nil || running.ID != rendered.ID
		view.Cost = cost(e.site.Kind, view.Reload)
	}
	return nil
}

// cost says what the switch costs clients, by the proxy's measured behaviour: a
// reload closes idle keep-alive connections (docs/switch.md).
func cost(kind proxy.Kind, reload bool) string {
	switch {
	case !reload:
		return "no reload: no connection is closed, no request is lost"
	case kind == proxy.HAProxy:
		return "one reload before traffic moves; idle keep-alive connections are closed after their next response, no request is lost"
	}
	return "one reload before traffic moves; it closes idle keep-alive connections, and a client that sends at that instant without retrying sees an error (nginx 1.27.4 and later wait)"
}

// Site is what one proxy of an environment renders from, with the name of its
// server.
type Site struct {
	Server string
	Site   proxy.Site
}

// Sites are what the proxies of an environment render from. Nothing is read
// from the machines.
func Sites(ctx context.Context, env *spec.Environment, templates map[string]string) ([]Site, error) {
	pools, err := pools(ctx, env)
	if err != nil {
		return nil, fmt.Errorf("environment %s: %w", env.Name, err)
	}
	var all []Site
	for _, p := range env.Proxies {
		for _, server := range p.Servers {
			all = append(all, Site{Server: string(server.Name), Site: site(env, p, pools, templates[p.Template])})
		}
	}
	return all, nil
}
