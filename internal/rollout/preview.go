package rollout

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"github.com/org/deploy-action/internal/plan"
	"github.com/org/deploy-action/internal/proxy"
	"github.com/org/deploy-action/internal/release"
	"github.com/org/deploy-action/internal/spec"
)

// Preview says what Run would do by what is live now. It reads the machines and
// changes nothing. What keeps a switch from starting is in the preview's
// Problems; an error means that the machines could not be read.
func Preview(ctx context.Context, request Request) (*plan.Preview, error) {
	r := &rollout{Request: request, account: newAccount(request)}
	var err error
	if r.fleet, err = open(ctx, request); err != nil {
		return nil, err
	}
	view := &plan.Preview{Config: r.fleet.configs(), Servers: r.fleet.serverNames(), Proxies: r.fleet.proxyNames()}
	if err := r.look(ctx); err != nil {
		view.Problems = append(view.Problems, err.Error())
		var split *disagreement
		if errors.Is(err, errForeign) || errors.As(err, &split) {
			return view, nil
		}
		return nil, err
	}
	if err := r.fleet.stopped(); err != nil {
		view.Problems = append(view.Problems, err.Error())
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
	if err := r.room(ctx); err != nil {
		view.Problems = append(view.Problems, err.Error())
	}
	view.Drift, view.Changes, view.Live = r.drift(), r.membership(), r.facts()
	r.changes(view)
	return view, nil
}

// Room finds out whether the release of a deploy fits onto every server, where it
// is there to be measured. Nothing is changed. The error names the servers where
// it does not.
func Room(ctx context.Context, request Request) error {
	r := &rollout{Request: request}
	var err error
	if r.fleet, err = open(ctx, request); err != nil {
		return err
	}
	return r.room(ctx)
}

// room finds out whether the release fits onto every server, where it is there to
// be measured: a pipeline may have to make it first.
func (r *rollout) room(ctx context.Context) error {
	if r.Rollback || errors.Is(release.CheckSource(r.Release), fs.ErrNotExist) {
		return nil
	}
	layout := release.Layout{Root: string(r.Environment.Root), Shared: r.Environment.Shared}
	return release.Room(ctx, r.fleet.machines(), layout, r.Release)
}

// configs are the paths of the files that proxies are given, each once.
func (f *fleet) configs() string {
	var all []string
	for _, e := range f.edges {
		if path := e.site.Place(); !slices.Contains(all, path) {
			all = append(all, path)
		}
	}
	return strings.Join(all, ", ")
}

// proxyNames are the proxies, in the order of the spec: "nginx on edge01".
func (f *fleet) proxyNames() []string {
	var all []string
	for _, e := range f.edges {
		if e.proxy.Balancer != nil {
			all = append(all, e.Name())
			continue
		}
		all = append(all, fmt.Sprintf("%s on %s", e.site.Kind, e.Name()))
	}
	return all
}

// changes works out how the configurations change and what that costs.
func (r *rollout) changes(view *plan.Preview) {
	reloads := make(map[*edge]bool)
	for _, e := range r.fleet.edges {
		rendered, err := proxy.Render(e.site)
		if err != nil {
			view.Problems = append(view.Problems, r.at(e, err.Error()))
			continue
		}
		e.install.Rendered = rendered
		running := e.live.Running
		reloads[e] = e.proxy.Balancer == nil && (e.live.Body != rendered.Body || running == nil || running.ID != rendered.ID)
		view.Reload = view.Reload || reloads[e]
	}
	view.Diff = r.fleet.diff()
	view.Cost = strings.Join(r.fleet.alike(": ", func(e *edge) string { return cost(e.site.Kind, reloads[e]) }), "\n")
}

// diff is how the configurations change, unified.
func (f *fleet) diff() string {
	return strings.Join(f.alike(":\n", func(e *edge) string {
		if e.install.Rendered.ID == "" {
			return ""
		}
		return diff(e.live.Body, e.install.Rendered.Body, e.site.Place())
	}), "\n")
}

// alike are the texts that proxies have, each once, with the names of those that
// have it; without names where all have the same.
func (f *fleet) alike(colon string, textOf func(*edge) string) []string {
	var texts []string
	names := make(map[string][]string)
	for _, e := range f.edges {
		text := textOf(e)
		if names[text] == nil {
			texts = append(texts, text)
		}
		names[text] = append(names[text], e.Name())
	}
	if len(texts) == 1 {
		return texts
	}
	var all []string
	for _, text := range texts {
		if text != "" {
			all = append(all, strings.Join(names[text], ", ")+colon+text)
		}
	}
	return all
}

// cost says what the switch costs clients, by the proxy's measured behaviour: a
// reload closes idle keep-alive connections (docs/switch.md).
func cost(kind proxy.Kind, reload bool) string {
	switch {
	case kind == proxy.AWSELB:
		return "one call moves the requests: no connection is closed, no request is lost"
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
// from the machines; host names are looked up from here.
func Sites(ctx context.Context, env *spec.Environment, templates map[string]string) ([]Site, error) {
	found, err := resolve(env, func(names []string) (map[string]string, error) { return proxy.ResolveHere(ctx, names) })
	if err != nil {
		return nil, fmt.Errorf("environment %s: %w", env.Name, err)
	}
	pools, err := pools(env, found)
	if err != nil {
		return nil, fmt.Errorf("environment %s: %w", env.Name, err)
	}
	var all []Site
	for _, p := range env.Proxies {
		if p.Balancer != nil {
			continue // it has no configuration
		}
		for _, server := range p.Servers {
			all = append(all, Site{Server: string(server.Name), Site: site(env, p, pools, templates[p.Template])})
		}
	}
	return all, nil
}
