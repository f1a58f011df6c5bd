package preview

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/org/deploy-action/internal/machine"
	"github.com/org/deploy-action/internal/protocol"
	"github.com/org/deploy-action/internal/proxy"
	"github.com/org/deploy-action/internal/spec"
	"github.com/org/deploy-action/internal/state"
)

// host is a machine that previews need.
type host struct {
	server  *spec.Server
	machine machine.Machine
	address string // of a proxy's: where it reaches the previews, an IP literal
}

// work is a command about previews while it holds their lock.
type work struct {
	Request
	app   *host
	edges []*host
	epoch protocol.Epoch
}

const (
	lockTimeout = 15 * time.Minute // that a run waits for another one
	lockPoll    = 300 * time.Millisecond
)

// An agent alone has nothing to do: no journal is open, and the record says what
// the next run has to repair.
var acquire = state.Acquire(func(context.Context, state.Orphan) error { return nil })

// begin connects to the machines and takes the lock.
func begin(ctx context.Context, r Request) (*work, error) {
	if err := Check(r.Preview); err != nil {
		return nil, err
	}
	w := &work{Request: r}
	if err := w.connect(ctx); err != nil {
		return nil, err
	}
	if err := w.lock(ctx); err != nil {
		w.end()
		return nil, err
	}
	for _, h := range w.edges {
		if err := w.locate(ctx, h); err != nil {
			w.end()
			return nil, h.named(err)
		}
	}
	return w, nil
}

// connect opens the machines. One that is named twice, as all local ones are, is
// one session and one lock.
func (w *work) connect(ctx context.Context) error {
	var opened []*host
	open := func(server *spec.Server) (*host, error) {
		m, err := w.Machines(ctx, server)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", server.Name, err)
		}
		for _, h := range opened {
			if h.machine == m {
				return h, nil
			}
		}
		h := &host{server: server, machine: m}
		opened = append(opened, h)
		return h, nil
	}
	var err error
	if w.app, err = open(w.Preview.Server); err != nil {
		return err
	}
	for _, server := range w.Preview.Proxy.Servers {
		h, err := open(server)
		if err != nil {
			return err
		}
		if !slices.Contains(w.edges, h) {
			w.edges = append(w.edges, h)
		}
	}
	slices.SortFunc(w.edges, func(a, b *host) int { return strings.Compare(string(a.server.Name), string(b.server.Name)) })
	return nil
}

// hosts are all machines in the order in which every run locks them: whoever has
// the server of the previews finds the others free, or soon free.
func (w *work) hosts() []*host {
	all := []*host{w.app}
	for _, h := range w.edges {
		if h != w.app {
			all = append(all, h)
		}
	}
	return all
}

func (w *work) lock(ctx context.Context) error {
	ctx, stop := context.WithTimeoutCause(ctx, lockTimeout, fmt.Errorf("waited %s for it", lockTimeout))
	defer stop()
	var standing []protocol.Epoch
	for _, h := range w.hosts() {
		grant, err := w.await(ctx, h)
		if err != nil {
			return h.named(err)
		}
		standing = append(standing, grant.Epoch)
	}
	w.epoch = protocol.Next(w.Holder.Run, standing...)
	for _, h := range w.hosts() {
		if _, err := state.BeginEpoch.On(ctx, h.machine, w.reign()); err != nil {
			return h.named(err)
		}
	}
	return nil
}

// await takes the lock on one machine, as soon as it is free.
func (w *work) await(ctx context.Context, h *host) (state.Grant, error) {
	claim := state.Claim{Dir: w.dir(), Holder: w.Holder}
	told := false
	for {
		grant, err := acquire.On(ctx, h.machine, claim)
		if err != nil || grant.Held {
			return grant, err
		}
		if grant.By.Run == w.Holder.Run {
			return grant, fmt.Errorf("is one machine with another server of preview %q under another name: use one name for it", w.Preview.Name)
		}
		if !told {
			told = true
			w.Tell(Step{Text: fmt.Sprintf("waiting for %s, which is at work on these previews", grant.By)})
		}
		select {
		case <-time.After(lockPoll + rand.N(lockPoll)):
		case <-ctx.Done():
			return grant, fmt.Errorf("the previews are locked by %s: %w", grant.By, context.Cause(ctx))
		}
	}
}

// end gives the lock back. It is free in any case when the sessions end.
func (w *work) end() {
	for _, h := range w.hosts() {
		_, _ = state.Release.On(context.Background(), h.machine, w.dir())
	}
}

// locate looks up where a proxy's machine reaches the previews: it is the one
// that uses the address.
func (w *work) locate(ctx context.Context, h *host) error {
	h.address = w.Preview.Server.Address
	if _, err := netip.ParseAddr(h.address); err == nil {
		return nil
	}
	found, err := proxy.Resolve.On(ctx, h.machine, []string{h.address})
	if err != nil {
		return err
	}
	h.address = found[h.address]
	return nil
}

func (w *work) dir() string { return string(w.Preview.StateDir) }

func (w *work) reign() state.Reign { return state.Reign{Dir: w.dir(), Epoch: w.epoch} }

// tell says what was done about a preview.
func (w *work) tell(r Record, format string, values ...any) {
	w.Tell(Step{Preview: r.Name, Text: fmt.Sprintf(format, values...)})
}

func (h *host) named(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s: %w", h.server.Name, err)
}

// perform has a machine do what changes something there, in this run's epoch.
func perform[Req, Res any](ctx context.Context, w *work, h *host, op machine.Op[Req, Res], request Req) (Res, error) {
	result, err := state.Guarded(op).On(ctx, h.machine, state.Order[Req]{Reign: w.reign(), Request: request})
	return result, h.named(err)
}

// everywhere does something on every proxy's machine, though it fails on one.
func (w *work) everywhere(do func(*host) error) error {
	var errs []error
	for _, h := range w.edges {
		errs = append(errs, do(h))
	}
	return errors.Join(errs...)
}
