package rollout

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/org/deploy-action/internal/canary"
	"github.com/org/deploy-action/internal/event"
	"github.com/org/deploy-action/internal/machine"
	"github.com/org/deploy-action/internal/proxy"
	"github.com/org/deploy-action/internal/spec"
	"github.com/org/deploy-action/internal/state"
)

// wordPoll is how often a canary listens for a word of somebody's.
const wordPoll = time.Second

// canary gives the new slot growing shares of the requests, as long as it does no
// worse than the old one. At its end the commit gives it all of them, or an error
// says why it gets none.
func (r *rollout) canary(ctx context.Context) (string, error) {
	if r.Canary == nil || r.Rollback {
		return "", nil
	}
	r.account.result.Canary = &event.Canary{Sticky: r.Canary.Sticky, Source: r.Canary.Analysis.Source, Synthetic: r.Canary.Synthetic, Outcome: event.CanaryInterrupted}
	log := r.account.result.Canary
	if r.first {
		log.Outcome, log.Reason = event.CanarySkipped, "nothing served yet that the first release could be compared with"
		return "skipped: " + log.Reason, nil
	}
	if err := r.stopProbers(ctx); err != nil { // what is counted from here on are requests of clients
		return "", err
	}
	a := &ascent{rollout: r, log: log, deadline: time.Now().Add(r.Canary.Deadline)}
	if err := a.begin(ctx); err != nil {
		return "", err
	}
	if err := a.animate(ctx); err != nil {
		return "", err
	}
	if err := a.climb(ctx); err != nil {
		return "", err
	}
	if err := a.hush(ctx); err != nil {
		return "", err
	}
	return a.reached(), nil
}

// ascent is a canary on its way up.
type ascent struct {
	*rollout
	log      *event.Canary
	deadline time.Time
	percent  int           // that the new slot has
	unjudged canary.Window // read, and not part of a reading yet: another proxy could not be read
	missed   bool          // some requests of it
	figures  []event.Figure
	warned   []string // by Prometheus
}

// plan is the canary as package canary wants it.
func (a *ascent) plan() canary.Plan {
	of := a.Canary.Analysis
	p := canary.Plan{Interval: of.Interval, Trusting: of.OnInsufficient == spec.PromoteUnproven, Rules: canary.Rules{
		MinRequests: of.MinRequests, MaxErrorRate: of.MaxErrorRate, MaxLatencyRatio: of.MaxLatencyRatio, Failures: of.Failures,
	}}
	for _, step := range a.Canary.Steps {
		p.Steps = append(p.Steps, canary.Step{Percent: step.Weight, Hold: step.Hold})
	}
	return p
}

// climb goes from share to share until all traffic may move.
func (a *ascent) climb(ctx context.Context) error {
	climb, action := canary.Start(a.plan(), time.Now())
	for {
		switch action.Kind {
		case canary.KindStep:
			if err := a.give(ctx, action.Percent); err != nil {
				return err
			}
		case canary.KindPromote:
			a.log.Outcome = event.CanaryPromoted
			return nil
		case canary.KindAbort:
			return a.abort(ctx, action.Reason)
		}
		word, err := a.rest(ctx, action.Next)
		switch {
		case err != nil:
			return err
		case word != nil && word.Verb == state.Abort:
			return a.abort(ctx, "asked for"+by(*word))
		case word != nil:
			a.log.Outcome, a.log.Reason = event.CanaryPromoted, fmt.Sprintf("asked for at %d %%%s", a.percent, by(*word))
			return nil
		}
		reading, err := a.read(ctx)
		if err != nil {
			return err
		}
		action = a.within(climb.Observe(time.Now(), reading))
		a.tell(reading, action)
	}
}

// within ends a canary whose deadline has passed.
func (a *ascent) within(action canary.Action) canary.Action {
	if action.Kind != canary.KindPromote && !time.Now().Before(a.deadline) {
		if action.Kind != canary.KindAbort {
			action.Reason = fmt.Sprintf("the deadline of %s has passed", a.Canary.Deadline)
		}
		action.Kind, action.Percent = canary.KindAbort, 0
	}
	return action
}

// give sends a share of the requests to the new slot on every proxy, and proves
// that they go there.
func (a *ascent) give(ctx context.Context, percent int) error {
	began := time.Now()
	a.account.moved = true
	took, err := gather(ctx, a.fleet.edges, func(ctx context.Context, e *edge) (time.Duration, error) { return a.share(ctx, e, percent) })
	if err != nil {
		return err
	}
	share := event.Share{Slot: string(a.to.Name), At: began.Sub(a.account.began), Percent: percent}
	for _, t := range took {
		share.Took = max(share.Took, t)
	}
	a.percent = percent
	a.log.Shares = append(a.log.Shares, share)
	a.account.note("share", began, fmt.Sprintf("%s gets %d %% of the requests, after %s", a.to.Name, percent, round(share.Took)))
	a.Emit(event.Event{Kind: event.CanaryShared, Step: a.at(), Share: &share})
	return nil
}

// share sends a share of one proxy's requests to the new slot.
func (a *ascent) share(ctx context.Context, e *edge, percent int) (time.Duration, error) {
	a.armBack(e)
	e.share = percent
	e.doubt = fmt.Sprintf("was told to give %s %d %%, and it is not known whether it does", a.to.Name, percent)
	entry := a.entry(state.Share)
	entry.Percent = percent
	selected, err := announce(ctx, a.rollout, e.host, entry, proxy.Share, proxy.Portion{Site: e.site, Slot: a.to.Name, Percent: percent})
	if err == nil {
		e.doubt = ""
	}
	return selected.Took, err
}

// rest lets time pass until the next look, or until somebody says a word.
func (a *ascent) rest(ctx context.Context, until time.Time) (*state.Word, error) {
	if until.After(a.deadline) {
		until = a.deadline
	}
	end := time.NewTimer(time.Until(until))
	defer end.Stop()
	tick := time.NewTicker(wordPoll)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		case <-end.C:
			return a.listen(ctx)
		case <-tick.C:
			if word, err := a.listen(ctx); word != nil || err != nil {
				return word, err
			}
		}
	}
}

// listen is the word that was left on a proxy host. Of several that differ, the
// one that aborts counts.
func (a *ascent) listen(ctx context.Context) (*state.Word, error) {
	words, err := gather(ctx, a.fleet.fronts(), func(ctx context.Context, h *host) (*state.Word, error) {
		return state.Heard.On(ctx, h.machine, state.Reign{Dir: h.dir, Epoch: a.epoch})
	})
	var heard *state.Word
	for _, word := range words {
		if word != nil && (heard == nil || word.Verb == state.Abort) {
			heard = word
		}
	}
	return heard, err
}

func by(w state.Word) string {
	if w.By == "" {
		return ""
	}
	return " by " + w.By
}

// abortedError is a canary that was ended for the sake of what served before.
type abortedError struct {
	percent int
	reason  string
}

func (e *abortedError) Error() string {
	return fmt.Sprintf("aborted at %d %%: %s", e.percent, e.reason)
}

// abort sends all traffic to the old slot again, waits until the new one has let go
// of its connections, and keeps its last lines. What fails of it is tried, and told,
// by the way back of every switch that fails.
func (a *ascent) abort(ctx context.Context, reason string) error {
	a.log.Outcome, a.log.Reason = event.CanaryAborted, reason
	err := errors.Join(a.ruleBack(ctx), together(ctx, a.fleet.edges, func(ctx context.Context, e *edge) error {
		return a.moveBack(ctx, e)
	}))
	err = errors.Join(err, a.hush(ctx))
	if err == nil && ctx.Err() == nil {
		began := time.Now()
		a.account.note("back", began, fmt.Sprintf("%s gets all requests", a.from.Name))
		if a.fleet.uncounted() {
			a.sitOut(ctx)
		} else {
			a.account.note("drain", began, a.letGo(ctx, a.to))
		}
		for _, app := range a.fleet.apps {
			a.keepLogs(ctx, app)
		}
	}
	return &abortedError{percent: a.percent, reason: reason}
}

// reached says how far the canary has come.
func (a *ascent) reached() string {
	text := fmt.Sprintf("%s in %s", plural(len(a.log.Shares), "step", "steps"), plural(len(a.log.Looks), "look", "looks"))
	if a.log.Reason != "" {
		return text + "; promoted: " + a.log.Reason
	}
	return text + "; no worse than " + string(a.from.Name)
}

func (a *ascent) at() *event.Step {
	return &event.Step{Environment: string(a.Environment.Name), Name: "canary"}
}

// lost reports whether an error means that a session is over: forward is then
// closed.
func lost(err error) bool { return errors.Is(err, machine.ErrLost) }
