package rollout

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/org/deploy-action/internal/canary"
	"github.com/org/deploy-action/internal/event"
	"github.com/org/deploy-action/internal/proxy"
	"github.com/org/deploy-action/internal/value"
)

// What a canary looks at: the counts of all proxies added up, and whether each of
// them still serves what it was told to.

// sight is what was seen at one proxy.
type sight struct {
	window  canary.Window
	missed  bool
	trouble string
}

// begin has every proxy count from now on.
func (a *ascent) begin(ctx context.Context) error {
	return together(ctx, a.fleet.edges, func(ctx context.Context, e *edge) error {
		_, err := a.count(ctx, e)
		return err
	})
}

// read looks at every proxy. Its error ends the canary; what a later look may find
// again is in the reading.
func (a *ascent) read(ctx context.Context) (canary.Reading, error) {
	seen, err := gather(ctx, a.fleet.edges, a.look)
	switch {
	case ctx.Err() != nil:
		return canary.Reading{}, context.Cause(ctx)
	case lost(err):
		return canary.Reading{}, err
	}
	var troubles []string
	a.missed = false
	for _, s := range seen {
		a.unjudged = a.unjudged.Plus(s.window)
		a.missed = a.missed || s.missed
		if s.trouble != "" {
			troubles = append(troubles, s.trouble)
		}
	}
	reading := canary.Reading{Trouble: strings.Join(troubles, "; "), Err: err}
	if err == nil && reading.Trouble == "" {
		reading.Opinion, reading.Err = a.opinion(ctx)
	}
	if ctx.Err() != nil {
		return reading, context.Cause(ctx)
	}
	if reading.Trouble != "" {
		reading.Err = nil // it counts whatever else can't be read
	}
	if reading.Err == nil {
		reading.Window, a.unjudged = a.unjudged, canary.Window{}
	}
	return reading, nil
}

// look looks at one proxy.
func (a *ascent) look(ctx context.Context, e *edge) (sight, error) {
	live, err := proxy.Inspect.On(ctx, e.machine, e.site)
	if err != nil {
		return sight{}, err
	}
	s := sight{trouble: a.strayed(e, live)}
	counted, err := a.count(ctx, e)
	if err != nil {
		return s, err
	}
	s.missed = counted.Missed
	s.window = canary.Window{
		New: counted.Slots[a.to.Name], Old: counted.Slots[a.from.Name],
		SyntheticNew: counted.Synthetic[a.to.Name], SyntheticOld: counted.Synthetic[a.from.Name],
	}
	if down := counted.Down[a.to.Name]; s.trouble == "" && len(down) > 0 {
		s.trouble = on(e, fmt.Errorf("%s is down: %s", a.to.Name, strings.Join(down, ", "))).Error()
	}
	if live.Running == nil {
		err = fmt.Errorf("the proxy does not say what it serves: %s", live.Trouble)
	}
	return s, err
}

// strayed says that a proxy does not do what it was told; empty where it does, or
// can't be asked.
func (a *ascent) strayed(e *edge, live proxy.Live) string {
	running := live.Running
	if running == nil || running.ID == e.install.Rendered.ID && running.Slot == a.from.Name && running.Share == a.percent {
		return ""
	}
	return on(e, fmt.Errorf("somebody has changed what the proxy serves: %s", describe(live))).Error()
}

// count are the requests at one proxy since it was counted last; none where AWS
// has the figures, which are too coarse.
func (a *ascent) count(ctx context.Context, e *edge) (proxy.Counted, error) {
	if e.site.Balancer != nil {
		return proxy.Counted{}, nil
	}
	counted, err := proxy.Counters.On(ctx, e.machine, proxy.Tally{Site: e.site, Since: e.upto})
	if err == nil {
		e.upto = counted.Upto
	}
	return counted, err
}

// tell tells listeners what a look has come to.
func (a *ascent) tell(reading canary.Reading, action canary.Action) {
	look := event.Look{
		At: time.Since(a.account.began), Percent: a.percent, Missed: a.missed,
		New: side(a.to.Name, action.Window.New), Old: side(a.from.Name, action.Window.Old),
		Verdict: string(action.Verdict), Why: action.Why, Action: string(action.Kind), Next: action.Percent, Reason: action.Reason,
	}
	if w := action.Window; w.SyntheticNew.Requests+w.SyntheticOld.Requests > 0 {
		newer, older := side(a.to.Name, w.SyntheticNew), side(a.from.Name, w.SyntheticOld)
		look.SyntheticNew, look.SyntheticOld = &newer, &older
	}
	if reading.Opinion != nil {
		look.Figures = a.figures
	}
	if reading.Err != nil {
		look.Why = reading.Err.Error()
	}
	a.log.Looks = append(a.log.Looks, look)
	a.Emit(event.Event{Kind: event.CanaryLooked, Step: a.at(), Look: &look})
}

func side(slot value.Name, c canary.Counts) event.Side {
	return event.Side{
		Slot: string(slot), Requests: c.Requests, Errors: c.Errors, P50: c.Latency.Quantile(0.5), P95: c.Latency.Quantile(0.95),
	}
}
