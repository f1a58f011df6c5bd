package rollout

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/org/deploy-action/internal/event"
	"github.com/org/deploy-action/internal/probe"
)

// watchPoll is how often the watch looks at what the prober saw.
const watchPoll = 200 * time.Millisecond

// startProbers has each proxy's machine ask its own listener, from before the
// first change until the switch is decided.
func (r *rollout) startProbers(ctx context.Context) error {
	if r.Environment.Probe == 0 || r.probing {
		return nil
	}
	for _, e := range r.fleet.edges {
		if _, err := probe.Start.On(ctx, e.machine, r.target(e)); err != nil {
			return fmt.Errorf("%s: prober: %w", e.machine.Name(), err)
		}
	}
	r.probing = true
	r.account.probedFrom = time.Now()
	return nil
}

// target is what the prober asks of one proxy.
func (r *rollout) target(e *edge) probe.Target {
	target := probe.Target{
		Key: string(r.Environment.Name), Address: e.site.Listen.Local(), Host: string(e.site.Hostname),
		Path: "/", Rate: r.Environment.Probe,
	}
	if check := r.Environment.Health.HTTP; check != nil {
		target.Path, target.Status = string(check.Path), check.Status
	}
	return target
}

// stopProbers ends the probers and puts their figures into the account.
func (r *rollout) stopProbers(ctx context.Context) error {
	if !r.probing {
		return nil
	}
	r.probing = false
	var all []probe.Sample
	var errs []error
	for _, e := range r.fleet.edges {
		samples, err := probe.Stop.On(context.WithoutCancel(ctx), e.machine, string(r.Environment.Name))
		all, errs = append(all, samples...), append(errs, err)
	}
	figures := probe.Summarise(all, r.committed.Sub(r.account.probedFrom))
	traffic := event.Traffic(figures)
	r.account.result.Traffic = &traffic
	return errors.Join(errs...)
}
