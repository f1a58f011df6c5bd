package rollout

import (
	"context"
	"fmt"
	"net"
	"net/netip"

	"github.com/org/deploy-action/internal/machine"
	"github.com/org/deploy-action/internal/proxy"
	"github.com/org/deploy-action/internal/spec"
	"github.com/org/deploy-action/internal/value"
)

// fleet is the machines of an environment: those that run it and those whose
// proxies stand in front of it.
type fleet struct {
	apps  []machine.Machine
	edges []*edge
}

// edge is one proxy on one host.
type edge struct {
	machine machine.Machine
	site    proxy.Site
	live    proxy.Live // as the survey found it
}

// open connects to every machine of the environment and works out what each
// proxy renders from. Nothing is changed.
func open(ctx context.Context, r Request) (*fleet, error) {
	f := &fleet{}
	for _, server := range r.Environment.Servers {
		m, err := r.Machines(ctx, server)
		if err != nil {
			return nil, err
		}
		f.apps = append(f.apps, m)
	}
	pools, err := pools(ctx, r.Environment)
	if err != nil {
		return nil, err
	}
	for _, p := range r.Environment.Proxies {
		for _, server := range p.Servers {
			m, err := r.Machines(ctx, server)
			if err != nil {
				return nil, err
			}
			f.edges = append(f.edges, &edge{machine: m, site: site(r.Environment, p, pools, r.Templates[p.Template])})
		}
	}
	return f, nil
}

// pools are the addresses of both slots, sorted by slot name as the renderer
// wants them.
func pools(ctx context.Context, env *spec.Environment) ([]proxy.Pool, error) {
	var pools []proxy.Pool
	for _, slot := range env.Slots {
		addresses, err := addresses(ctx, env.Servers, slot)
		if err != nil {
			return nil, err
		}
		pools = append(pools, proxy.Pool{Slot: slot.Name, Addresses: addresses})
	}
	if pools[0].Slot > pools[1].Slot {
		pools[0], pools[1] = pools[1], pools[0]
	}
	return pools, nil
}

func addresses(ctx context.Context, servers []*spec.Server, slot *spec.Slot) ([]value.Address, error) {
	if slot.Socket != "" {
		return []value.Address{value.Unix(slot.Socket)}, nil
	}
	var all []value.Address
	for _, server := range servers {
		host, err := resolve(ctx, server)
		if err != nil {
			return nil, err
		}
		address, err := value.TCP(host, slot.Port)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", server.Name, err)
		}
		all = append(all, address)
	}
	return all, nil
}

// resolve turns a server's address into an IP literal: a name that stops
// resolving would take the whole proxy down at its next reload.
func resolve(ctx context.Context, server *spec.Server) (string, error) {
	if _, err := netip.ParseAddr(server.Address); err == nil {
		return server.Address, nil
	}
	found, err := net.DefaultResolver.LookupNetIP(ctx, "ip", server.Address)
	if err != nil {
		return "", fmt.Errorf("%s: resolve address %q: %w", server.Name, server.Address, err)
	}
	return found[0].Unmap().String(), nil
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
