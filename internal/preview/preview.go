// Package preview keeps one running copy of an application for each open pull
// request, behind an nginx or a HAProxy, and removes those whose request is closed.
//
// Everything about a preview follows from the number of its pull request and the
// spec; what can't (its port, its release) is in its record on the server, which
// is written before each effect. So whatever a run leaves when it is killed, the
// next one finds by the record and repairs. All previews of one block of the spec
// share a lock: two runs never lease one port.
package preview

import (
	"context"
	"fmt"
	"strconv"

	"github.com/org/deploy-action/internal/machine"
	"github.com/org/deploy-action/internal/preview/register"
	"github.com/org/deploy-action/internal/spec"
	"github.com/org/deploy-action/internal/state"
	"github.com/org/deploy-action/internal/value"
)

// Request is what every command about previews needs.
type Request struct {
	Preview    *spec.Preview
	Repository string // whose previews, as GitHub calls it: "owner/name"; empty: not known
	Template   string // text of the user's own template; empty: the built-in one
	Holder     state.Holder
	Machines   func(context.Context, *spec.Server) (machine.Machine, error)
	Tell       func(Step) // what was done, as it is done
}

// Step is something that was done about a preview.
type Step struct {
	Preview value.Name `json:"preview"` // empty: about all of them
	Text    string     `json:"text"`
}

// Record is what is known of a preview on its server.
type Record = register.Record

// URL is where people look at a preview.
func URL(p *spec.Preview, r Record) string {
	if r.Hostname == "" {
		return ""
	}
	return value.WebURL(p.Proxy.TLS != nil, string(r.Hostname), strconv.Itoa(int(p.Proxy.Listen.Port)))
}

// Check refuses what no preview can be made of, before anything is touched.
func Check(p *spec.Preview) error {
	if p.Proxy.Kind == spec.NGINX || p.Proxy.Kind == spec.HAProxy {
		return nil
	}
	return fmt.Errorf("%s:%d: preview %q is behind %s: previews need an nginx or a HAProxy, which can lead one host name after another to its own port", p.Proxy.Pos.File, p.Proxy.Pos.Line, p.Name, p.Proxy.Kind)
}

// List is what is known of the repository's previews, and of all where the
// repository is not known. Nothing is locked or changed.
func List(ctx context.Context, r Request) ([]Record, error) {
	m, err := r.Machines(ctx, r.Preview.Server)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", r.Preview.Server.Name, err)
	}
	records, err := register.All.On(ctx, m, string(r.Preview.StateDir))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", r.Preview.Server.Name, err)
	}
	if r.Repository == "" {
		return records, nil
	}
	own, _ := r.part(records)
	return own, nil
}
