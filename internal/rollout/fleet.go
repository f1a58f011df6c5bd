package rollout

import (
	"context"
	"fmt"
	"net/netip"
	"time"

	"github.com/org/deploy-action/internal/event"
	"github.com/org/deploy-action/internal/machine"
	"github.com/org/deploy-action/internal/proxy"
	"github.com/org/deploy-action/internal/spec"
	"github.com/org/deploy-action/internal/value"
)

// fleet is the machines of an environment: those that run it and those whose
// proxies stand in front of it. One machine may be both.
type fleet struct {
	apps  []*app
	edges []*edge
	lost  []*host // servers that can't be reached; what is on them is left out above
}

// host is a server of the environment and the session with it.
type host struct {
	server  *spec.Server
	machine machine.Machine
	err     error  // why there is no session
	front   bool   // it keeps the journal: it has a proxy of the environment, or stands in for a load balancer
	calls   bool   // it calls AWS for a load balancer
	dir     string // of the lock, the epoch and the journal
	locked  bool   // this switch has its lock, as far as it knows
	decided bool   // "decided" may stand in its journal

	overtaken error // another run has taken this host over: who
}

// Name is the server's name in the spec.
func (h *host) Name() string { return string(h.server.Name) }

func (h *host) over() error { return h.overtaken }

// app is a server that runs the application.
type app struct {
	*host
	held map[string]string // release in each slot, as the survey found it
	idle bool              // new in the spec: the slot that serves is not on it
	undo undo

	vacated bool // what ran in the idle slot was stopped before it was filled
}

func (a *app) undoing() *undo { return &a.undo }

// edge is one proxy on one host.
type edge struct {
	*host
	proxy     *spec.Proxy
	site      proxy.Site
	among     int                   // load balancers of the environment
	addresses map[value.Name]string // of each application server, as this host sees it
	live      proxy.Live            // as the survey found it
	course
}

// course is what became of one proxy in a switch.
type course struct {
	serves  value.Name // slot that receives requests, as far as is known; empty: none
	doubt   string     // why that is not certain
	install proxy.Install
	undo    undo
	reloads int
	share   int           // percent that the new slot was given in a canary; 0: none yet
	upto    string        // how far the requests to both slots were counted
	took    time.Duration // from the order to serve the new slot to the first answer
	moved   time.Time     // when it served the new slot first, by our clock; zero: not
	probed  time.Time     // since when its listener is asked; zero: it is not
	traffic *event.Traffic
}

func (e *edge) undoing() *undo { return &e.undo }

// Name is that of the host, or of the load balancer: where there are several, of
// its listener or rule.
func (e *edge) Name() string {
	switch {
	case e.proxy.Balancer == nil:
		return e.host.Name()
	case e.among > 1:
		return e.proxy.Balancer.Resource.Resource()
	}
	return "load balancer " + e.proxy.Balancer.Resource.Named()
}

// serving reports whether the proxy has sent requests to a slot when it was looked
// at.
func (e *edge) serving() bool { return e.live.Serving() != "" }

// open connects to every machine of the environment and works out what each
// proxy renders from. Nothing is changed.
func open(ctx context.Context, r Request) (*fleet, error) {
	f := reach(ctx, r)
	if len(f.lost) > 0 {
		return nil, f.losses()
	}
	return f, together(ctx, f.edges, func(ctx context.Context, e *edge) error { return e.locate(ctx, r) })
}

// openWithout is open for recovery: it goes on without proxy hosts that can't be
// reached, as long as one is left and none of them runs the application.
func openWithout(ctx context.Context, r Request) (*fleet, error) {
	f := reach(ctx, r)
	if len(f.edges) == 0 || len(f.apps) < len(r.Environment.Servers) {
		return nil, f.losses()
	}
	return f, together(ctx, f.edges, func(ctx context.Context, e *edge) error { return e.locate(ctx, r) })
}

// reach connects to the machines of the environment side by side.
func reach(ctx context.Context, r Request) *fleet {
	hosts := make(map[value.Name]*host)
	var all []*host
	add := func(server *spec.Server) *host {
		if hosts[server.Name] == nil {
			hosts[server.Name] = &host{server: server, dir: lockDir(r.Environment)}
			all = append(all, hosts[server.Name])
		}
		return hosts[server.Name]
	}
	for _, server := range r.Environment.Servers {
		add(server).front = balanced(r.Environment)
	}
	for _, p := range r.Environment.Proxies {
		for _, server := range p.Servers {
			h := add(server)
			h.calls = h.calls || p.Balancer != nil
			if p.Balancer == nil || !h.front { // a server of the application keeps its directory
				h.dir = string(r.Environment.StateDir)
			}
			h.front = true
		}
	}
	_ = together(ctx, all, func(ctx context.Context, h *host) error {
		h.machine, h.err = r.Machines(ctx, h.server)
		return nil
	})
	return assemble(r.Environment, hosts, all)
}

// losses says why servers can't be reached, nil where all can.
func (f *fleet) losses() error {
	var errs []error
	for _, h := range f.lost {
		errs = append(errs, on(h, h.err))
	}
	return joined(errs)
}

// lockDir is where the lock of a server without a proxy is: its user need not be
// allowed to write anywhere else.
func lockDir(env *spec.Environment) string { return string(env.Root) + "/.turnout" }

// assemble puts the servers that were reached in their places.
func assemble(env *spec.Environment, hosts map[value.Name]*host, all []*host) *fleet {
	f := &fleet{}
	for _, h := range all {
		if h.err != nil {
			f.lost = append(f.lost, h)
		}
	}
	for _, server := range env.Servers {
		if h := hosts[server.Name]; h.err == nil {
			f.apps = append(f.apps, &app{host: h})
		}
	}
	for _, p := range env.Proxies {
		for _, server := range p.Servers {
			if h := hosts[server.Name]; h.err == nil {
				f.edges = append(f.edges, &edge{host: h, proxy: p})
			}
		}
	}
	for _, e := range f.balancers() {
		e.among = len(f.balancers())
	}
	return f
}

// locate works out where this proxy finds the application, and what it renders
// from. A name is looked up on the proxy's own machine: it is the one that uses
// the address.
func (e *edge) locate(ctx context.Context, r Request) error {
	found, err := resolve(r.Environment, func(names []string) (map[string]string, error) {
		return proxy.Resolve.On(ctx, e.machine, names)
	})
	if err != nil {
		return err
	}
	pools, err := pools(r.Environment, found)
	e.addresses, e.site = found, site(r.Environment, e.proxy, pools, r.Templates[e.proxy.Template])
	if e.site.Balancer != nil {
		e.site.Balancer.Instances = instances(e.proxy, found)
	}
	if r.Canary != nil { // also one that the spec does not have
		e.site.Canary = splitter(&r.Canary.Split)
	}
	return err
}

// resolve are the addresses of the application's servers, as IP literals.
func resolve(env *spec.Environment, lookUp func(names []string) (map[string]string, error)) (map[value.Name]string, error) {
	var names []string
	for _, server := range env.Servers {
		if _, err := netip.ParseAddr(server.Address); err != nil {
			names = append(names, server.Address)
		}
	}
	found := map[string]string{}
	if len(names) > 0 {
		var err error
		if found, err = lookUp(names); err != nil {
			return nil, err
		}
	}
	addresses := make(map[value.Name]string)
	for _, server := range env.Servers {
		addresses[server.Name] = or(found[server.Address], server.Address)
	}
	return addresses, nil
}

// pools are the addresses of both slots, sorted by slot name as the renderer
// wants them.
func pools(env *spec.Environment, addresses map[value.Name]string) ([]proxy.Pool, error) {
	var pools []proxy.Pool
	for _, slot := range env.Slots {
		of, err := slotAddresses(env.Servers, slot, addresses)
		if err != nil {
			return nil, err
		}
		pools = append(pools, proxy.Pool{Slot: slot.Name, Addresses: of})
	}
	if pools[0].Slot > pools[1].Slot {
		pools[0], pools[1] = pools[1], pools[0]
	}
	return pools, nil
}

func slotAddresses(servers []*spec.Server, slot *spec.Slot, addresses map[value.Name]string) ([]value.Address, error) {
	if slot.Socket != "" {
		return []value.Address{value.Unix(slot.Socket)}, nil
	}
	var all []value.Address
	for _, server := range servers {
		address, err := value.TCP(addresses[server.Name], slot.Port)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", server.Name, err)
		}
		all = append(all, address)
	}
	return all, nil
}

// slotAddress is where slot answers on its own machine.
func slotAddress(slot *spec.Slot) value.Address {
	if slot.Socket != "" {
		return value.Unix(slot.Socket)
	}
	address, err := value.TCP("127.0.0.1", slot.Port)
	if err != nil {
		panic("rollout: loopback is an address: " + err.Error())
	}
	return address
}

// machines are the sessions with the application's servers.
func (f *fleet) machines() []machine.Machine {
	var all []machine.Machine
	for _, a := range f.apps {
		all = append(all, a.machine)
	}
	return all
}
