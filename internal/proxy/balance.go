package proxy

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/org/deploy-action/internal/elb"
	"github.com/org/deploy-action/internal/machine"
	"github.com/org/deploy-action/internal/value"
)

// What the operations come to where the proxy is a load balancer of AWS.

func (s Site) inspectBalanced(ctx context.Context, at machine.At) (Live, error) {
	b, state, err := s.balanceNow(ctx, at)
	if err != nil {
		return Live{}, err
	}
	return b.live(state)
}

// verifyBalanced looks for what AWS would refuse in the middle of a Put.
func (in Install) verifyBalanced(ctx context.Context, at machine.At) (Verified, error) {
	b, state, err := in.Site.balanceNow(ctx, at)
	if err != nil {
		return Verified{}, err
	}
	for _, pool := range b.Pools {
		if _, err := b.wanted(state, pool); err != nil {
			return Verified{}, err
		}
	}
	return Verified{Way: ByReading}, nil
}

// wanted are the targets that a pool comes to.
func (b balanced) wanted(state elb.State, pool Pool) ([]elb.Target, error) {
	g := state.Groups[pool.Slot]
	if !g.Instances && b.Site.Balancer.Instances != nil {
		return nil, fmt.Errorf("target group %s takes addresses, not instances: leave instances out of the proxy block", g.Name)
	}
	return b.Balancer.Targets(g, pool.Addresses)
}

// putBalanced has both groups hold their servers, and both in the forward action,
// while all requests go where they go.
func (in Install) putBalanced(ctx context.Context, at machine.At) (Installed, error) {
	b, state, err := in.Site.balanceNow(ctx, at)
	if err != nil {
		return Installed{}, err
	}
	live, err := b.live(state)
	if err != nil {
		return Installed{}, err
	}
	if live.generation() != in.Expect {
		return Installed{}, &StaleError{Expected: in.Expect, Found: live.generation()}
	}
	if err := b.admit(state.Tags); err != nil {
		return Installed{}, err
	}
	previous, err := json.Marshal(former{state.Tags, state.Groups})
	if err != nil {
		panic("proxy: tags and targets are plain data: " + err.Error())
	}
	if err := b.Mark(ctx, in.tags(live.generation()+1)); err != nil {
		return Installed{}, err
	}
	return Installed{Generation: live.generation() + 1, Previous: previous}, b.fill(ctx, state, in.Active)
}

// former is what a Put found.
type former struct {
	Tags   map[string]string        `json:"tags"`
	Groups map[value.Name]elb.Group `json:"groups"`
}

func (in Install) tags(generation int) map[string]string {
	tags := map[string]string{
		tagEnvironment: string(in.Site.Env), tagGeneration: strconv.Itoa(generation), tagConfiguration: in.Rendered.ID,
	}
	for _, pool := range in.Site.Pools {
		tags[tagRelease+string(pool.Slot)] = in.Releases[pool.Slot]
	}
	return tags
}

// fill registers who is missing, then has the action know both groups, then takes
// out who is no server of the slot any more. The slot that serves never has fewer
// healthy targets than before.
func (b balanced) fill(ctx context.Context, state elb.State, active value.Name) error {
	wanted := make(map[value.Name][]elb.Target)
	for _, pool := range b.Pools {
		targets, err := b.wanted(state, pool)
		if err != nil {
			return err
		}
		wanted[pool.Slot] = targets
		if err := b.Register(ctx, pool.Slot, elb.Missing(targets, registered(state.Groups[pool.Slot]))); err != nil {
			return err
		}
	}
	if !state.Split.Equal(b.split(all(active))) {
		if err := b.Route(ctx, b.split(all(active))); err != nil {
			return err
		}
	}
	for _, pool := range b.Pools {
		left := elb.Missing(registered(state.Groups[pool.Slot]), wanted[pool.Slot])
		if len(left) > 0 && pool.Slot == active {
			if err := b.awaitHealthy(ctx, state.Groups[active].Patience, active, wanted[active]); err != nil {
				return err
			}
		}
		if err := b.Deregister(ctx, pool.Slot, left); err != nil {
			return err
		}
	}
	return nil
}

func (b balanced) awaitHealthy(ctx context.Context, patience time.Duration, slot value.Name, targets []elb.Target) error {
	ctx, stop := context.WithTimeout(ctx, patience)
	defer stop()
	return b.AwaitHealthy(ctx, slot, targets, false)
}

// split is traffic in weights, which are percentages.
func (b balanced) split(t traffic) elb.Split {
	s := elb.Split{Weights: map[value.Name]int{t.slot: hundred - t.share, b.other(t.slot): t.share}}
	if t.share > 0 && b.Canary != nil && b.Canary.Sticky == StickyCookie {
		s.Sticky = clientStays
	}
	return s
}

// restoreBalanced sends all requests to a slot and writes the former tags. Where
// there were none of ours, who was registered since leaves again; else targets stay:
// a slot without weight gets no requests. Where a Put was broken off, what there is
// becomes what is known.
func (r Restoration) restoreBalanced(ctx context.Context, at machine.At) (Restored, error) {
	b, state, err := r.Site.balanceNow(ctx, at)
	if err != nil {
		return Restored{}, err
	}
	live, err := b.live(state)
	if err != nil || live.Header == nil || live.generation() != r.Expect {
		return Restored{}, err
	}
	if err := b.admit(state.Tags); err != nil {
		return Restored{}, err
	}
	if r.Active != "" && !state.Split.Equal(b.split(all(r.Active))) {
		if err := b.Route(ctx, b.split(all(r.Active))); err != nil {
			return Restored{}, err
		}
	}
	tags := map[string]string{tagConfiguration: bodyID(live.Body)}
	if r.Previous != nil {
		if err := b.takeBack(ctx, state, r.Previous, tags); err != nil {
			return Restored{}, err
		}
	}
	return Restored{Restored: true}, b.Mark(ctx, tags)
}

// takeBack adds to tags what a Put found, and undoes what it registered at a load
// balancer that was not ours.
func (b balanced) takeBack(ctx context.Context, state elb.State, previous []byte, tags map[string]string) error {
	var was former
	if err := json.Unmarshal(previous, &was); err != nil {
		return fmt.Errorf("what was before: %w", err)
	}
	tags[tagEnvironment] = was.Tags[tagEnvironment]
	for _, pool := range b.Pools {
		tags[tagRelease+string(pool.Slot)] = was.Tags[tagRelease+string(pool.Slot)]
		if tags[tagEnvironment] != "" {
			continue
		}
		since := elb.Missing(registered(state.Groups[pool.Slot]), registered(was.Groups[pool.Slot]))
		if err := b.Deregister(ctx, pool.Slot, since); err != nil {
			return err
		}
	}
	return nil
}

// readyBalanced waits until the load balancer finds every server of a slot healthy.
func (n Selection) readyBalanced(ctx context.Context, at machine.At) error {
	b, state, err := n.Site.balanceNow(ctx, at)
	if err != nil {
		return err
	}
	return b.awaitSlot(ctx, state, n.Slot, false)
}

func (b balanced) awaitSlot(ctx context.Context, state elb.State, slot value.Name, anyOf bool) error {
	pool, ok := b.pool(slot)
	if !ok {
		return fmt.Errorf("not a slot of %s", b.Env)
	}
	targets, err := b.wanted(state, pool)
	if err != nil {
		return err
	}
	if anyOf {
		return b.AwaitHealthy(ctx, slot, targets, true)
	}
	return b.awaitHealthy(ctx, state.Groups[slot].Patience, slot, targets)
}

// doBalanced is a share or all of the requests.
func (p Portion) doBalanced(ctx context.Context, at machine.At) (Selected, error) {
	if err := p.validate(); err != nil {
		return Selected{}, err
	}
	b, state, err := p.Site.balanceNow(ctx, at)
	if err != nil {
		return Selected{}, err
	}
	if state.Tags[tagEnvironment] != string(b.Env) {
		return Selected{}, fmt.Errorf("%s was never deployed to by turnout: there is nothing to switch", b.Place())
	}
	if err := b.admit(state.Tags); err != nil {
		return Selected{}, err
	}
	from, to := b.trafficOf(state), b.traffic(p.Slot, p.Percent)
	limited, stop := context.WithTimeout(ctx, selectTime)
	defer stop()
	if err := b.awaitSlot(limited, state, b.growing(from, to), true); err != nil {
		return Selected{}, fmt.Errorf("%w; nothing was changed", err)
	}
	began := time.Now()
	if err := b.lead(ctx, to); err != nil {
		return Selected{}, &SelectError{Cause: err, From: from.slot, FromShare: from.share, Back: b.leadBack(ctx, from)}
	}
	return Selected{From: from.slot, FromShare: from.share, Took: time.Since(began)}, nil
}

// lead tells the load balancer. Which slot a share is of is said before.
func (b balanced) lead(ctx context.Context, t traffic) error {
	if t.share > 0 {
		if err := b.Mark(ctx, map[string]string{tagGrowing: string(b.other(t.slot))}); err != nil {
			return err
		}
	}
	return b.Route(ctx, b.split(t))
}

// leadBack does not depend on the context, which may have ended. Another run that
// has come since is left alone.
func (b balanced) leadBack(ctx context.Context, t traffic) error {
	ctx, stop := context.WithTimeout(context.WithoutCancel(ctx), selectTime+askTime)
	defer stop()
	tags, err := b.Tags(ctx)
	if err != nil {
		return err
	}
	if err := b.admit(tags); err != nil {
		return err
	}
	return b.Route(ctx, b.split(t))
}

// errUncounted is why there are no counters.
var errUncounted = errors.New("AWS counts requests by the minute, too coarsely to judge a canary by: let the analysis take its figures from another source")
