package rollout

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/org/deploy-action/internal/machine"
	"github.com/org/deploy-action/internal/proxy"
	"github.com/org/deploy-action/internal/state"
	"github.com/org/deploy-action/internal/value"
)

// acquire is how a rollout takes the lock of a machine: with it the agent there
// takes on to put its proxies back when the run is gone.
var acquire = state.Acquire(alone)

// takesTime is how long the old slot may take to show that it takes requests.
const takesTime = 2 * time.Second

// alone is what an agent does whose run has gone after traffic may have moved: it
// sends it to the old slot again, if that takes requests. Whatever else is left
// is for the next run.
func alone(ctx context.Context, o state.Orphan) error {
	var sites []proxy.Site
	if err := json.Unmarshal(o.Entries[0].Alone, &sites); err != nil {
		return fmt.Errorf("alone: journal: %w", err)
	}
	if len(sites) == 0 { // it stands in for a load balancer, and has nothing that it could move
		return nil
	}
	from := value.Name(o.Entries[0].From)
	here := machine.NewLocal("here")
	defer here.Close()
	for _, site := range sites {
		if err := takes(ctx, proxy.Selection{Site: site, Slot: from}); err != nil {
			return fmt.Errorf("alone: %s: %s does not take requests, so traffic stays where it is: %w", site.Place(), from, err)
		}
	}
	errs := []error{o.Back()}
	for _, site := range sites {
		if errs[0] == nil {
			errs = append(errs, lead(ctx, here, site, from))
		}
	}
	return errors.Join(errs...)
}

func takes(ctx context.Context, s proxy.Selection) error {
	ctx, stop := context.WithTimeout(ctx, takesTime)
	defer stop()
	return proxy.Takes(ctx, s)
}

// leads reports whether a proxy sends every request to a slot, now and after its
// next reload. One that has no configuration of ours, or is down, is the survey's
// affair.
func leads(live proxy.Live, slot value.Name) bool {
	return live.Header == nil || live.Active == slot && serving(live) == slot && !divided(live)
}

// divided reports whether a proxy sends requests to both slots, now or after its
// next reload.
func divided(live proxy.Live) bool {
	return live.Share > 0 || live.Running != nil && live.Running.Share > 0
}

// lead makes a proxy of the machine that this runs on serve a slot, unless it does.
func lead(ctx context.Context, here *machine.Local, site proxy.Site, slot value.Name) error {
	live, err := proxy.Inspect.On(ctx, here, site)
	if err != nil || leads(live, slot) {
		return err
	}
	_, err = proxy.Select.On(ctx, here, proxy.Selection{Site: site, Slot: slot})
	return err
}
