package proxy

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"time"

	"github.com/org/deploy-action/internal/machine"
	"github.com/org/deploy-action/internal/value"
)

// Ready waits until the proxy can send requests to every server of a slot, so
// that a Select has nothing to wait for. An error names the servers that do not
// accept connections from here.
var Ready = machine.Op[Selection, machine.None]{Name: "proxy.ready", Do: func(ctx context.Context, at machine.At, n Selection) (machine.None, error) {
	if err := n.ready(ctx, at); err != nil {
		return machine.None{}, fmt.Errorf("slot %s: %w", n.Slot, err)
	}
	return machine.None{}, nil
}}

func (n Selection) ready(ctx context.Context, at machine.At) error {
	if n.Site.Balancer != nil {
		return n.readyBalanced(ctx, at)
	}
	if err := n.Site.validate(); err != nil {
		return err
	}
	pool, ok := n.Site.pool(n.Slot)
	if !ok {
		return fmt.Errorf("not a slot of %s", n.Site.Env)
	}
	if err := allAnswer(ctx, pool); err != nil {
		return err
	}
	return n.Site.dialect().ready(ctx, n.Site, pool)
}

// Answers is nil as soon as one server of a slot accepts a connection from here.
func Answers(ctx context.Context, n Selection) error {
	pool, ok := n.Site.pool(n.Slot)
	if !ok {
		return fmt.Errorf("not a slot of %s", n.Site.Env)
	}
	answers := knock(ctx, pool)
	var errs []error
	for range pool.Addresses {
		err := <-answers
		if err == nil {
			return nil
		}
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

// connectTime bounds a connection to a server: the built-in templates give it as
// long.
const connectTime = 2 * time.Second

// allAnswer is nil when every server of the pool accepts a connection.
func allAnswer(ctx context.Context, pool Pool) error {
	answers := knock(ctx, pool)
	var errs []error
	for range pool.Addresses {
		errs = append(errs, <-answers)
	}
	return errors.Join(errs...)
}

// knock connects to every server of the pool side by side, and says of each how that went.
func knock(ctx context.Context, pool Pool) <-chan error {
	answers := make(chan error, len(pool.Addresses))
	for _, address := range pool.Addresses {
		go func() { answers <- answer(ctx, address) }()
	}
	return answers
}

func answer(ctx context.Context, address value.Address) error {
	dialer := net.Dialer{Timeout: connectTime}
	network, target := address.Network()
	conn, err := dialer.DialContext(ctx, network, target)
	if err != nil {
		return err
	}
	return conn.Close()
}

// Resolve looks up host names on the proxy's own machine and returns an IP
// literal for each: a name that stops resolving would take the whole proxy down
// at its next reload. Of several addresses it is the lowest, IPv4 before IPv6,
// so that the same answer renders the same configuration.
var Resolve = machine.Op[[]string, map[string]string]{Name: "proxy.resolve", Do: func(ctx context.Context, _ machine.At, names []string) (map[string]string, error) {
	return ResolveHere(ctx, names)
}}

// ResolveHere is Resolve on this machine.
func ResolveHere(ctx context.Context, names []string) (map[string]string, error) {
	found := make(map[string]string, len(names))
	for _, name := range names {
		all, err := net.DefaultResolver.LookupNetIP(ctx, "ip", name)
		if err != nil {
			return nil, fmt.Errorf("resolve address %q: %w", name, err)
		}
		for i := range all {
			all[i] = all[i].Unmap()
		}
		found[name] = slices.MinFunc(all, netip.Addr.Compare).String()
	}
	return found, nil
}
