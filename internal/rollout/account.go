package rollout

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/org/deploy-action/internal/event"
	"github.com/org/deploy-action/internal/plan"
	"github.com/org/deploy-action/internal/spec"
	"github.com/org/deploy-action/internal/value"
)

// account gathers what the report says of a switch.
type account struct {
	began   time.Time
	moved   bool // traffic was told to go to the other slot
	putBack bool // everything that was done was taken back

	mu     sync.Mutex // of what several hosts write to at once
	result event.Switch
}

func newAccount(r Request) *account {
	return &account{began: time.Now(), result: event.Switch{
		Environment: string(r.Environment.Name), Rollback: r.Rollback, Pos: r.Pos,
		Proxy: kinds(r.Environment.Proxies), URL: publicURL(r.Environment.Proxies[0]),
		ConfigPath: site(r.Environment, r.Environment.Proxies[0], nil, "").Place(),
	}}
}

// kinds are those of the proxies, each once: "nginx, haproxy".
func kinds(proxies []*spec.Proxy) string {
	var all []string
	for _, p := range proxies {
		if kind := string(p.Kind); !slices.Contains(all, kind) {
			all = append(all, kind)
		}
	}
	return strings.Join(all, ", ")
}

// note adds a step to the timeline.
func (a *account) note(name string, began time.Time, text string) {
	a.result.Timeline = append(a.result.Timeline, event.TimelineItem{At: began.Sub(a.began), Name: name, Text: text})
}

// keepLogs keeps the last lines of a new slot on the first server that failed.
func (a *account) keepLogs(server string, lines []string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.result.Logs == nil && len(lines) > 0 {
		a.result.Logs, a.result.LogsOf = lines, server
	}
}

// close makes the account final.
func (a *account) close(r *rollout, err error) event.Switch {
	s := &a.result
	if r.fleet != nil {
		s.Servers, s.Proxies, s.URL = r.fleet.serverNames(), r.fleet.accounts(), r.url()
	}
	for _, p := range s.Proxies {
		s.Reloads += p.Reloads
	}
	s.Took = time.Since(a.began)
	s.From, s.To = slotRelease(r.from, r.fromID), slotRelease(r.to, r.toID)
	s.Serving = s.From
	if r.decided {
		s.Serving = s.To
	}
	s.Outcome = r.outcome(err)
	if err != nil {
		s.Reason = err.Error()
	}
	s.PutBack = a.moved && a.putBack
	return *s
}

// serverNames are the servers of the application, in the order of the spec.
func (f *fleet) serverNames() []string {
	var all []string
	for _, a := range f.apps {
		all = append(all, a.Name())
	}
	return all
}

// accounts are those of the proxies, in the order of the spec.
func (f *fleet) accounts() []event.ProxyAccount {
	var all []event.ProxyAccount
	first := f.firstMove()
	for _, e := range f.edges {
		a := event.ProxyAccount{
			Server: e.Name(), Kind: string(e.site.Kind), Serving: string(e.serves), Doubt: e.doubt, Reloads: e.reloads, Traffic: e.traffic,
		}
		if !e.moved.IsZero() {
			after := e.moved.Sub(first)
			a.After = &after
		}
		all = append(all, a)
	}
	return all
}

// outcome is how the switch ended. A rollback whose target is not healthy leaves
// a problem that nobody but a person can solve, though traffic stays where it
// was.
func (r *rollout) outcome(err error) event.Outcome {
	var stranded *strandedError
	var unhealthy *unhealthyError
	var unsettled *unsettledError
	switch {
	case err == nil:
		return event.Succeeded
	case errors.As(err, &stranded), errors.As(err, &unsettled), r.Rollback && errors.As(err, &unhealthy):
		return event.Stranded
	case errors.Is(err, errSuperseded):
		return event.Skipped
	case r.cancelled && errors.Is(err, context.Canceled):
		return event.Cancelled
	}
	return event.Failed
}

func slotRelease(slot *spec.Slot, id string) event.SlotRelease {
	if slot == nil {
		return event.SlotRelease{}
	}
	return event.SlotRelease{Slot: string(slot.Name), Release: id}
}

// Refused is the account of a switch that could not even begin.
func Refused(d *plan.Deploy, err error) event.Switch {
	a := newAccount(Request{Environment: d.Environment, Rollback: d.Rollback, Pos: d.Pos})
	a.result.Outcome, a.result.Reason = event.Failed, err.Error()
	return a.result
}

// publicURL is where people reach the environment, as far as the spec tells: by
// its hostname, else at the address of the first proxy.
func publicURL(p *spec.Proxy) string {
	if p.Balancer != nil {
		return "" // AWS knows the port and the protocol
	}
	host := string(p.Hostname)
	if host == "" || strings.HasPrefix(host, "*") {
		host = p.Listen.Host
	}
	if host == "0.0.0.0" || host == "::" {
		host = ""
	}
	if host == "" && p.Servers[0].Connection == spec.SSH {
		host = p.Servers[0].Host
	}
	if host == "" {
		host = "localhost"
	}
	return value.WebURL(p.TLS != nil, host, strconv.Itoa(int(p.Listen.Port)))
}
