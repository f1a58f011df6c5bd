// Package deadman is what the agent on a proxy's machine does when its run has gone in
// the middle of a switch: the dead man's switch.
package deadman

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/org/deploy-action/internal/elb"
	"github.com/org/deploy-action/internal/machine"
	"github.com/org/deploy-action/internal/proxy"
	"github.com/org/deploy-action/internal/state"
	"github.com/org/deploy-action/internal/value"
)

// Acquire is how a run takes the lock of a machine: with it the agent there takes on to
// put its proxies back when the run is gone.
var Acquire = machine.Op[state.Claim, state.Grant]{
	Name: state.Acquire(nil).Name,
	Do: func(ctx context.Context, at machine.At, c state.Claim) (state.Grant, error) {
		return state.Acquire(agent{proxy.Connector(at.Session)}.alone).Do(ctx, at, c)
	},
}

// agent is one that may find itself alone, when its session is over.
type agent struct{ connect elb.Connect }

// answerTime is how long a slot may take to show that it takes requests. What an
// agent does alone is to be done within 2 s.
const answerTime = 1500 * time.Millisecond

// alone is what an agent does whose run has gone after traffic may have moved: it
// sends it to the old slot again, if that takes requests, or none does. Whatever
// else is left is for the next run.
func (a agent) alone(ctx context.Context, o state.Orphan) error {
	var sites []proxy.Site
	if err := json.Unmarshal(o.Entries[0].Alone, &sites); err != nil {
		return fmt.Errorf("alone: journal: %w", err)
	}
	if len(sites) == 0 { // it stands in for a load balancer, and has nothing that it could move
		return nil
	}
	here := machine.NewLocal("here")
	defer here.Close()
	proxy.Balancing(here.Session(), a.connect)
	var ways []proxy.Selection
	for _, site := range sites {
		way := proxy.Selection{Site: site, Slot: value.Name(o.Entries[0].From), Stay: true}
		var err error
		if way.Unready, err = cutOff(ctx, way, value.Name(o.Entries[0].To)); err != nil {
			return fmt.Errorf("alone: %s: %s does not take requests, so traffic stays where it is: %w", site.Place(), way.Slot, err)
		}
		ways = append(ways, way)
	}
	errs := []error{o.Back()}
	for _, way := range ways {
		if errs[0] == nil {
			errs = append(errs, lead(ctx, here, way))
		}
	}
	return errors.Join(errs...)
}

// cutOff reports whether no server of either slot can be reached from here, as
// where the network has gone: then nothing is lost by going back, and once it is
// there again this host serves what the others do. An error is an old slot that does
// not answer beside a new one that does.
func cutOff(ctx context.Context, old proxy.Selection, to value.Name) (bool, error) {
	ctx, stop := context.WithTimeout(ctx, answerTime)
	defer stop()
	fromNew := make(chan error, 1)
	go func() { fromNew <- proxy.Answers(ctx, proxy.Selection{Site: old.Site, Slot: to}) }()
	err := proxy.Answers(ctx, old)
	if err == nil {
		return false, nil
	}
	if <-fromNew == nil {
		return false, err
	}
	return true, nil
}

// lead makes a proxy of the machine that this runs on serve a slot, unless it does.
func lead(ctx context.Context, here *machine.Local, way proxy.Selection) error {
	live, err := proxy.Inspect.On(ctx, here, way.Site)
	if err != nil || live.Leads(way.Slot) {
		return err
	}
	_, err = proxy.Select.On(ctx, here, way)
	return err
}
