package preview

import (
	"context"
	"fmt"
	"maps"

	"github.com/org/deploy-action/internal/proxy"
	"github.com/org/deploy-action/internal/spec"
	"github.com/org/deploy-action/internal/value"
	"github.com/org/deploy-action/templates"
)

// nginx has a site, and so a file, for each preview and one for the domain. A
// HAProxy has one file for all of them, see shared.go.

// A site has two slots. A preview has one address, so both of its slots are it,
// and its selector never moves.
const live, spare value.Name = "live", "spare"

// site is the site of a name as one proxy's machine serves it.
func (w *work) site(h *host, name value.Name, port value.Port) (proxy.Site, error) {
	p := w.Preview.Proxy
	address, err := value.TCP(h.address, port)
	if err != nil {
		return proxy.Site{}, h.named(err)
	}
	config := p.Config
	if p.Kind == spec.NGINX {
		config = p.Configs + "/turnout-" + value.Path(name) + ".conf"
	}
	return proxy.Site{
		Env: name, Kind: proxy.Kind(p.Kind), Listen: p.Listen, TLS: (*proxy.TLS)(p.TLS), Container: p.Container,
		Pools:  []proxy.Pool{{Slot: live, Addresses: []value.Address{address}}, {Slot: spare, Addresses: []value.Address{address}}},
		Config: config, Main: p.Main, Socket: p.Socket, ErrorLog: p.ErrorLog,
		StateDir: w.Preview.StateDir + "/sites/" + value.Path(name), Check: p.Check, Reload: p.Reload,
	}, nil
}

// domainName names the site that answers where there is no preview.
func domainName(p *spec.Preview) value.Name { return p.Name + "-pr" }

// domainSite answers for the domain of all previews.
func (w *work) domainSite(h *host) (proxy.Site, error) {
	site, err := w.site(h, domainName(w.Preview), w.Preview.Ports[0]) // the address is in no line of it
	site.Hostname = w.Preview.Domain
	return site, err
}

// serveDomain has every proxy answer 404 for names that lead to no preview.
func (w *work) serveDomain(ctx context.Context) error {
	if w.shared() {
		return w.serveAll(ctx, Record{})
	}
	return w.everywhere(func(h *host) error {
		site, err := w.domainSite(h)
		if err != nil {
			return err
		}
		site.Template, site.TemplateName = templates.PreviewDomain, "of the domain"
		_, err = w.install(ctx, h, site, nil)
		return err
	})
}

// serve has every proxy lead to a preview.
func (w *work) serve(ctx context.Context, r Record) error {
	if w.shared() {
		return w.serveAll(ctx, r)
	}
	return w.everywhere(func(h *host) error {
		site, err := w.site(h, r.Name, r.Port)
		if err != nil {
			return err
		}
		site.Hostname, site.Template, site.TemplateName = r.Hostname, w.Template, w.Preview.Proxy.Template
		changed, err := w.install(ctx, h, site, map[value.Name]string{live: r.Release})
		if err == nil && changed {
			w.tellServed(h, r)
		}
		return err
	})
}

func (w *work) tellServed(h *host, r Record) {
	w.tell(r, "%s leads %s to port %d", h.server.Name, r.Hostname, r.Port)
}

// install puts a site in place, unless the proxy serves just that already.
func (w *work) install(ctx context.Context, h *host, site proxy.Site, releases map[value.Name]string) (changed bool, err error) {
	found, err := proxy.Inspect.On(ctx, h.machine, site)
	if err != nil {
		return false, h.named(err)
	}
	site.Version, site.IPv6 = found.Version, found.IPv6
	rendered, err := proxy.Render(site)
	if err != nil {
		return false, h.named(err)
	}
	in := proxy.Install{Site: site, Rendered: rendered, Active: live, Releases: releases}
	if found.Header != nil {
		in.Expect = found.Header.Generation
	}
	if serves(found, in) {
		return false, nil
	}
	if _, err := proxy.Verify.On(ctx, h.machine, in); err != nil {
		return false, h.named(err)
	}
	done, err := perform(ctx, w, h, proxy.Put, in)
	if err == nil && done.Saved != "" {
		w.Tell(Step{Preview: site.Env, Text: fmt.Sprintf("%s: %s was edited by hand; it is kept as %s", h.server.Name, site.Config, done.Saved)})
	}
	return true, err
}

// serves reports whether a proxy has, on disk and running, what is to be installed.
func serves(found proxy.Live, in proxy.Install) bool {
	return found.Running != nil && found.Running.ID == in.Rendered.ID && !found.Edited &&
		found.Body == in.Rendered.Body && maps.Equal(found.Header.Releases, in.Releases)
}

// unserve has every proxy forget previews, with one reload each.
func (w *work) unserve(ctx context.Context, records []Record) error {
	if w.shared() {
		return w.unserveAll(ctx, records)
	}
	return w.everywhere(func(h *host) error {
		var sites []proxy.Site
		for _, r := range records {
			if r.Hostname == "" { // nothing but a port was leased
				continue
			}
			site, err := w.site(h, r.Name, r.Port)
			if err != nil {
				return err
			}
			site.Hostname = r.Hostname
			sites = append(sites, site)
		}
		if len(sites) == 0 {
			return nil
		}
		_, err := perform(ctx, w, h, proxy.Withdraw, sites)
		return err
	})
}
