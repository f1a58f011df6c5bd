package preview

import (
	"cmp"
	"context"
	"slices"

	"github.com/org/deploy-action/internal/preview/register"
	"github.com/org/deploy-action/internal/proxy"
	"github.com/org/deploy-action/internal/spec"
	"github.com/org/deploy-action/internal/value"
	"github.com/org/deploy-action/templates"
)

// A HAProxy parts a listener's requests in one frontend, hence in one file for all
// previews of a block. It is made from their records each time, whatever is in it:
// so a change of one preview keeps the others, and what a killed run has left there
// is gone with the next change.

// shared reports whether all previews are in one file.
func (w *work) shared() bool { return w.Preview.Proxy.Kind == spec.HAProxy }

// serveAll has every proxy lead to all previews that have a release. The record of
// shown, which may be none, is not written yet.
func (w *work) serveAll(ctx context.Context, shown Record) error {
	all, err := w.served(ctx, shown)
	if err != nil {
		return err
	}
	return w.everywhere(func(h *host) error {
		changed, err := w.installAll(ctx, h, all)
		if err == nil && changed && shown.Name != "" {
			w.tellServed(h, shown)
		}
		return err
	})
}

// unserveAll has every proxy forget previews whose records say that they are going.
func (w *work) unserveAll(ctx context.Context, gone []Record) error {
	all, err := w.served(ctx, Record{})
	if err != nil {
		return err
	}
	return w.everywhere(func(h *host) error {
		site, err := w.domainSite(h)
		if err != nil {
			return err
		}
		found, err := proxy.Inspect.On(ctx, h.machine, site)
		if err != nil || forgotten(found, gone) {
			return h.named(err)
		}
		_, err = w.installAll(ctx, h, all)
		return err
	})
}

// served are the previews that proxies are to lead to, by pull request.
func (w *work) served(ctx context.Context, shown Record) ([]Record, error) {
	all, err := w.records(ctx)
	if err != nil {
		return nil, err
	}
	for i := range all {
		if all[i].Name == shown.Name {
			all[i] = shown
		}
	}
	return slices.DeleteFunc(all, func(r Record) bool { return r.State == register.Going || r.Release == "" }), nil
}

// installAll puts the file of all previews in place.
func (w *work) installAll(ctx context.Context, h *host, all []Record) (changed bool, err error) {
	site, err := w.domainSite(h)
	if err != nil {
		return false, err
	}
	site.Template = cmp.Or(w.Template, templates.HAProxyPreviews)
	site.TemplateName = cmp.Or(w.Preview.Proxy.Template, "of the previews")
	releases := make(map[value.Name]string)
	for _, r := range all {
		address, err := value.TCP(h.address, r.Port)
		if err != nil {
			return false, h.named(err)
		}
		site.Routes = append(site.Routes, proxy.Route{Backend: r.Name, Hostname: r.Hostname, Address: address})
		releases[r.Name] = r.Release
	}
	return w.install(ctx, h, site, releases)
}

// forgotten reports whether a proxy leads to none of the previews, and will not
// after its next start either. Then there is nothing that could go wrong.
func forgotten(found proxy.Live, gone []Record) bool {
	if found.Header == nil {
		return found.Running == nil && !found.Edited
	}
	follows := found.Stopped != "" || found.Running != nil && found.Running.ID == found.Header.ID
	return follows && !found.Edited && !slices.ContainsFunc(gone, func(r Record) bool {
		_, there := found.Header.Releases[r.Name]
		return there
	})
}
