package rollout

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/org/deploy-action/internal/ask"
	"github.com/org/deploy-action/internal/elb"
	"github.com/org/deploy-action/internal/health"
	"github.com/org/deploy-action/internal/protocol"
	"github.com/org/deploy-action/internal/proxy"
	"github.com/org/deploy-action/internal/spec"
	"github.com/org/deploy-action/internal/state"
	"github.com/org/deploy-action/internal/value"
)

// A load balancer of AWS has no machine that could hold a lock or a journal, and
// the one that calls its API may be gone for good after a run. So the servers of
// the application keep the journal too, and the epoch stands in a tag: see
// docs/protocol.md.

// balanced reports whether an environment is behind a load balancer of AWS.
func balanced(env *spec.Environment) bool {
	for _, p := range env.Proxies {
		if p.Balancer != nil {
			return true
		}
	}
	return false
}

// balancers are the proxies that are load balancers of AWS.
func (f *fleet) balancers() []*edge {
	var all []*edge
	for _, e := range f.edges {
		if e.proxy.Balancer != nil {
			all = append(all, e)
		}
	}
	return all
}

// balancer is what a site needs to know of a load balancer; nil for a proxy on a
// machine.
func balancer(p *spec.Proxy) *elb.Balancer {
	if p.Balancer == nil {
		return nil
	}
	return &elb.Balancer{Resource: p.Balancer.Resource, Groups: p.Balancer.Groups, Endpoint: p.Balancer.Endpoint}
}

// instances are those of the servers, by address.
func instances(p *spec.Proxy, addresses map[value.Name]string) map[string]string {
	if p.Balancer.Instances == nil {
		return nil
	}
	all := make(map[string]string)
	for server, id := range p.Balancer.Instances {
		all[addresses[server]] = id
	}
	return all
}

// standing are the epochs at the load balancers.
func (f *fleet) standing(ctx context.Context) ([]protocol.Epoch, error) {
	return gather(ctx, f.balancers(), func(ctx context.Context, e *edge) (protocol.Epoch, error) {
		return proxy.Standing.On(ctx, e.machine, e.site)
	})
}

// claimBalancers begins this run's epoch at the load balancers.
func (r *rollout) claimBalancers(ctx context.Context) error {
	return together(ctx, r.fleet.balancers(), func(ctx context.Context, e *edge) error {
		e.site.Epoch = r.epoch
		_, err := perform(ctx, r, e.host, proxy.Claim, e.site)
		return err
	})
}

// foretell has the application's servers write what caller is about to tell a load
// balancer. A run that has lost them is not heard any more.
func (r *rollout) foretell(ctx context.Context, caller *host, entry *state.Entry) error {
	return together(ctx, r.fleet.apps, func(ctx context.Context, a *app) error {
		if a.host == caller {
			return nil // it writes with the call
		}
		return r.write(ctx, a.host, entry)
	})
}

// newcomer is an error for a listener or rule that was never deployed to and
// forwards elsewhere than the others serve; nil where there is none.
func (f *fleet) newcomer() error {
	for _, e := range f.balancers() {
		if e.live.Header == nil && e.live.Running != nil {
			return fmt.Errorf("%s is new to turnout and forwards to %s, which is not what the others serve: let it forward there too, then deploy again", e.site.Place(), e.live.Running.Slot)
		}
	}
	return nil
}

// door is where the clients of a proxy come in: its listener, or that of the load
// balancer.
func (e *edge) door() *proxy.Door {
	if e.live.Door != nil {
		return e.live.Door
	}
	door := &proxy.Door{Address: e.site.Listen.Local()}
	if e.site.TLS != nil {
		door.TLS = ask.AnyCertificate
	}
	return door
}

// reachable is an error where the listener of a load balancer can't be asked from
// the machine that is to watch it.
func (r *rollout) reachable(ctx context.Context, e *edge) error {
	if e.proxy.Balancer == nil || !r.asks() {
		return nil
	}
	if err := r.admitted(e); err != nil {
		return err
	}
	if name := e.proxy.Hostname; e.door().TLS != ask.Plain && (name == "" || strings.HasPrefix(string(name), "*")) {
		return errors.New("its listener speaks TLS, and the watch has to know for which name: give the proxy block the hostname that clients ask for")
	}
	verdict, err := health.Once.On(ctx, e.machine, health.Check{Address: e.door().Address, TCP: true, Timeout: r.Environment.Health.Timeout})
	if err == nil && !verdict.Healthy {
		err = fmt.Errorf("its listener can't be watched from %s: %s; let servers of the proxy block name a server that reaches it", e.host.Name(), verdict.Reason)
	}
	return err
}

// uncounted reports whether a proxy does not tell how many connections it has.
func (f *fleet) uncounted() bool { return len(f.balancers()) > 0 }

// url is where people reach the environment, as far as it is known by now.
func (r *rollout) url() string {
	first := r.Environment.Proxies[0]
	if r.fleet == nil || len(r.fleet.edges) == 0 || r.fleet.edges[0].live.Door == nil || first.Balancer == nil {
		return publicURL(first)
	}
	door := r.fleet.edges[0].live.Door
	_, address := door.Address.Network()
	host, port, _ := strings.Cut(address, ":")
	if first.Hostname != "" && !strings.HasPrefix(string(first.Hostname), "*") {
		host = string(first.Hostname)
	}
	return value.WebURL(door.TLS != ask.Plain, host, port)
}
