package preview

import (
	"context"
	"fmt"

	"github.com/org/deploy-action/internal/proxy"
	"github.com/org/deploy-action/internal/spec"
	"github.com/org/deploy-action/internal/value"
	"github.com/org/deploy-action/templates"
)

// A site has two slots. A preview has one address, so both of its slots are it,
// and its selector never moves.
const live, spare value.Name = "live", "spare"

// site is the nginx site of a name as one proxy's machine serves it.
func (w *work) site(h *host, name value.Name, port value.Port) (proxy.Site, error) {
	p := w.Preview.Proxy
	address, err := value.TCP(h.address, port)
	if err != nil {
		return proxy.Site{}, h.named(err)
	}
	return proxy.Site{
		Env: name, Kind: proxy.NGINX, Listen: p.Listen, TLS: (*proxy.TLS)(p.TLS), Container: p.Container,
		Pools:  []proxy.Pool{{Slot: live, Addresses: []value.Address{address}}, {Slot: spare, Addresses: []value.Address{address}}},
		Config: p.Configs + "/turnout-" + value.Path(name) + ".conf", Main: p.Main, ErrorLog: p.ErrorLog,
		StateDir: w.Preview.StateDir + "/sites/" + value.Path(name), Check: p.Check, Reload: p.Reload,
	}, nil
}

// domainName names the site that answers where there is no preview.
func domainName(p *spec.Preview) value.Name { return p.Name + "-pr" }

// serveDomain has every proxy answer 404 for names that lead to no preview.
func (w *work) serveDomain(ctx context.Context) error {
	return w.everywhere(func(h *host) error {
		site, err := w.site(h, domainName(w.Preview), w.Preview.Ports[0]) // the address is in no line of it
		if err != nil {
			return err
		}
		site.Hostname, site.Template, site.TemplateName = w.Preview.Domain, templates.PreviewDomain, "of the domain"
		_, err = w.install(ctx, h, site, "")
		return err
	})
}

// serve has every proxy lead to a preview.
func (w *work) serve(ctx context.Context, r Record) error {
	return w.everywhere(func(h *host) error {
		site, err := w.site(h, r.Name, r.Port)
		if err != nil {
			return err
		}
		site.Hostname, site.Template, site.TemplateName = r.Hostname, w.Template, w.Preview.Proxy.Template
		changed, err := w.install(ctx, h, site, r.Release)
		if err == nil && changed {
			w.tell(r, "%s leads %s to port %d", h.server.Name, r.Hostname, r.Port)
		}
		return err
	})
}

// install puts a site in place, unless the proxy serves just that already.
func (w *work) install(ctx context.Context, h *host, site proxy.Site, release string) (changed bool, err error) {
	found, err := proxy.Inspect.On(ctx, h.machine, site)
	if err != nil {
		return false, h.named(err)
	}
	site.Version, site.IPv6 = found.Version, found.IPv6
	rendered, err := proxy.Render(site)
	if err != nil {
		return false, h.named(err)
	}
	if found.Running != nil && found.Running.ID == rendered.ID && !found.Edited && found.Body == rendered.Body && found.Header.Releases[live] == release {
		return false, nil
	}
	in := proxy.Install{Site: site, Rendered: rendered, Active: live, Releases: map[value.Name]string{live: release}}
	if found.Header != nil {
		in.Expect = found.Header.Generation
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

// unserve has every proxy forget previews, with one reload each.
func (w *work) unserve(ctx context.Context, records []Record) error {
	return w.everywhere(func(h *host) error {
		var sites []proxy.Site
		for _, r := range records {
			site, err := w.site(h, r.Name, r.Port)
			if err != nil {
				return err
			}
			site.Hostname = r.Hostname
			if r.Hostname != "" { // else nothing but a port was leased
				sites = append(sites, site)
			}
		}
		if len(sites) == 0 {
			return nil
		}
		_, err := perform(ctx, w, h, proxy.Withdraw, sites)
		return err
	})
}
