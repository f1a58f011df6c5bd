package rollout

import (
	"cmp"
	"context"
	"fmt"
	"time"

	"github.com/org/deploy-action/internal/event"
	"github.com/org/deploy-action/internal/probe"
)

// watchPoll is how often the watch looks at what the probers saw.
const watchPoll = 200 * time.Millisecond

// startProbers has the machines of those proxies ask their own listeners, from
// before the first change until the switch is decided. One that is asked already
// goes on.
func (r *rollout) startProbers(ctx context.Context, which func(*edge) bool) error {
	if r.Environment.Probe == 0 {
		return nil
	}
	return together(ctx, r.fleet.edges, func(ctx context.Context, e *edge) error {
		if !e.probed.IsZero() || !which(e) {
			return nil
		}
		if _, err := probe.Start.On(ctx, e.machine, r.target(e)); err != nil {
			return fmt.Errorf("prober: %w", err)
		}
		e.probed = time.Now()
		return nil
	})
}

// probeKey names the prober of one proxy; a machine may have several proxies.
func (e *edge) probeKey() string { return e.site.Place() }

// target is what the prober asks of one proxy.
func (r *rollout) target(e *edge) probe.Target {
	door := e.door()
	target := probe.Target{
		Key: e.probeKey(), Address: door.Address, TLS: door.TLS, Host: string(e.site.Hostname),
		Path: "/", Rate: r.Environment.Probe,
	}
	if check := r.Environment.Health.HTTP; check != nil {
		target.Path, target.Status = string(check.Path), check.Status
	}
	if door.Login {
		target.Status = nil // the way to the login is an answer too
	}
	return target
}

// stopProbers ends the probers and adds their figures to the account.
func (r *rollout) stopProbers(ctx context.Context) error {
	samples, err := gather(ctx, r.fleet.edges, func(ctx context.Context, e *edge) ([]probe.Sample, error) {
		if e.probed.IsZero() {
			return nil, nil
		}
		return probe.Stop.On(ctx, e.machine, e.probeKey())
	})
	r.account.result.Traffic = joint(r.account.result.Traffic, r.figures(samples))
	return err
}

// figures sum up what all probers saw, and keep with each proxy what its own
// did; nil where nothing was asked. The longest gap is one of a single proxy:
// another one that answered meanwhile must not hide it.
func (r *rollout) figures(samples [][]probe.Sample) *event.Traffic {
	began := r.probedFrom()
	if began.IsZero() {
		return nil
	}
	var all []probe.Sample
	var gap time.Duration
	for i, e := range r.fleet.edges {
		if e.probed.IsZero() {
			continue
		}
		own := event.Traffic(probe.Summarise(samples[i], r.committed.Sub(e.probed)))
		e.traffic, gap = joint(e.traffic, &own), max(gap, own.LongestGap)
		for _, s := range samples[i] {
			s.At += e.probed.Sub(began)
			all = append(all, s)
		}
		e.probed = time.Time{}
	}
	sum := event.Traffic(probe.Summarise(all, r.committed.Sub(began)))
	sum.LongestGap = gap
	return &sum
}

// probedFrom is when the first prober began; zero where none did.
func (r *rollout) probedFrom() time.Time {
	var first time.Time
	for _, e := range r.fleet.edges {
		if !e.probed.IsZero() && (first.IsZero() || e.probed.Before(first)) {
			first = e.probed
		}
	}
	return first
}

// joint are the figures of two times in which probers ran, one after the other:
// they rest while a canary climbs.
func joint(first, then *event.Traffic) *event.Traffic {
	if first == nil || then == nil {
		return cmp.Or(first, then)
	}
	return &event.Traffic{
		Requests: first.Requests + then.Requests, Failed: first.Failed + then.Failed,
		FirstError: or(first.FirstError, then.FirstError),
		P99Before:  cmp.Or(first.P99Before, then.P99Before), P99After: cmp.Or(then.P99After, first.P99After),
		LongestGap: max(first.LongestGap, then.LongestGap),
	}
}
