package rollout

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/org/deploy-action/internal/event"
	"github.com/org/deploy-action/internal/health"
	"github.com/org/deploy-action/internal/probe"
	"github.com/org/deploy-action/internal/proxy"
	"github.com/org/deploy-action/internal/state"
	"github.com/org/deploy-action/internal/value"
)

// The steps that touch the proxies, up to the commit point.

// prepare puts the configuration in place on every proxy while all traffic
// still goes to the slot that serves: checked inside every real tree before any
// is touched, reloaded only where the body changed, and proven. At its end every
// proxy can reach every server of the new slot, so that none holds the others up
// when traffic moves.
func (r *rollout) prepare(ctx context.Context) (string, error) {
	if err := r.startProbers(ctx, (*edge).serving); err != nil {
		return "", err
	}
	err := together(ctx, r.fleet.edges, r.verify)
	r.account.result.Diff = r.fleet.diff()
	if err != nil {
		return "", err
	}
	if err := together(ctx, r.fleet.edges, r.install); err != nil {
		return "", err
	}
	if err := together(ctx, r.fleet.edges, r.ready); err != nil {
		return "", err
	}
	if err := together(ctx, r.fleet.edges, r.reachable); err != nil {
		return "", err
	}
	return r.prepared(), nil
}

// prepared says what prepare did.
func (r *rollout) prepared() string {
	var texts []string
	for _, e := range r.fleet.edges {
		if e.proxy.Balancer != nil {
			texts = append(texts, fmt.Sprintf("%s finds every server of %s healthy", e.Name(), r.to.Name))
		}
		if e.reloads == 0 {
			continue
		}
		text := fmt.Sprintf("%s reloaded, configuration %s proven", e.site.Kind, e.install.Rendered.ID)
		if len(r.fleet.edges) > 1 {
			text = e.Name() + ": " + text
		}
		texts = append(texts, text)
	}
	if texts == nil {
		return "configuration unchanged, no reload"
	}
	return strings.Join(texts, "; ")
}

// verify renders what a proxy is to serve and has it check what is new to it.
func (r *rollout) verify(ctx context.Context, e *edge) error {
	var err error
	if e.install, err = r.wanted(e); err != nil {
		return err
	}
	if e.live.Exists && !e.live.Edited && e.live.Body == e.install.Rendered.Body {
		return nil
	}
	_, err = proxy.Verify.On(ctx, e.machine, e.install)
	return err
}

// install puts the configuration in place. The way back is armed before: a
// session that is lost in the middle leaves it open whether that was done.
func (r *rollout) install(ctx context.Context, e *edge) error {
	e.undo.push("", func(ctx context.Context) error { return r.proveBack(ctx, e) })
	back := proxy.Restoration{Site: e.site, Active: r.formerSlot(), Expect: e.install.Expect + 1}
	if e.live.Exists || e.live.Running == nil { // a file that had been deleted under a serving proxy stays, or the site would go
		e.undo.push(e.site.Place()+" as before", func(ctx context.Context) error {
			_, err := perform(ctx, r, e.host, proxy.Restore, back)
			return err
		})
	}
	installed, err := announce(ctx, r, e.host, r.entry(state.Install), proxy.Put, e.install)
	if err != nil {
		return err
	}
	back.Previous, back.Expect = installed.Previous, installed.Generation
	if installed.Reloaded {
		e.reloads++
	}
	if installed.Saved != "" {
		r.notice(event.Warning, r.at(e, fmt.Sprintf("%s was edited by hand; the edited file is kept as %s", e.site.Config, installed.Saved)),
			"put the change into the spec or into a template of your own, or the next deploy writes over it again")
	}
	return nil
}

// ready waits until the proxy can send requests to every server of the new slot.
func (r *rollout) ready(ctx context.Context, e *edge) error {
	_, err := proxy.Ready.On(ctx, e.machine, proxy.Selection{Site: e.site, Slot: r.to.Name})
	return err
}

// wanted is the configuration that a proxy is to serve, with all traffic where
// it is.
func (r *rollout) wanted(e *edge) (proxy.Install, error) {
	rendered, err := proxy.Render(e.site)
	install := proxy.Install{Site: e.site, Rendered: rendered, Releases: r.releases(), Active: r.servingSlot()}
	if e.live.Header != nil {
		install.Expect = e.live.Header.Generation
	}
	return install, err
}

// releases are what the slots hold once this switch is done.
func (r *rollout) releases() map[value.Name]string {
	releases := map[value.Name]string{r.to.Name: r.toID}
	if r.from != nil && r.fromID != "" {
		releases[r.from.Name] = r.fromID
	}
	return releases
}

// servingSlot is the slot that must serve while the configuration is put in
// place; at the first deploy that is already the new one.
func (r *rollout) servingSlot() value.Name {
	if r.first {
		return r.to.Name
	}
	return r.from.Name
}

// formerSlot is the slot that served before, empty at the first deploy.
func (r *rollout) formerSlot() value.Name {
	if r.first {
		return ""
	}
	return r.from.Name
}

// commit sends the traffic to the new slot on every proxy and proves that it
// arrives there. If one proxy does not move, all go back.
func (r *rollout) commit(ctx context.Context) (string, error) {
	if err := r.startProbers(ctx, func(*edge) bool { return true }); err != nil {
		return "", err
	}
	r.account.moved = !r.first
	r.committed = time.Now()
	if err := together(ctx, r.fleet.edges, r.move); err != nil {
		return "", err
	}
	r.account.result.Gap = r.fleet.gap()
	return r.moved(), nil
}

// move sends one proxy's traffic to the new slot.
func (r *rollout) move(ctx context.Context, e *edge) error {
	r.armBack(e)
	e.doubt = fmt.Sprintf("was told to serve %s, and it is not known whether it does", r.to.Name)
	selected, err := announce(ctx, r, e.host, r.entry(state.Commit), proxy.Select, proxy.Selection{Site: e.site, Slot: r.to.Name})
	if err != nil {
		return err
	}
	e.serves, e.doubt = r.to.Name, ""
	e.took, e.moved = selected.Took, time.Now().Add(-selected.Ago)
	return nil
}

// armBack arms the way back of one proxy's traffic, once.
func (r *rollout) armBack(e *edge) {
	if r.first || e.share > 0 {
		return
	}
	e.undo.push("traffic back on "+string(r.from.Name), func(ctx context.Context) error { return r.moveBack(ctx, e) })
}

// moveBack sends one proxy's traffic to the slot that served before, unless it
// never went elsewhere.
func (r *rollout) moveBack(ctx context.Context, e *edge) error {
	err := r.lead(ctx, e, r.from)
	if err == nil {
		e.serves, e.doubt = r.from.Name, ""
		return nil
	}
	if live, unknown := proxy.Inspect.On(ctx, e.machine, e.site); unknown == nil && live.Running != nil {
		e.serves, e.doubt = live.Running.Slot, ""
	}
	return err
}

// moved says how the traffic moved.
func (r *rollout) moved() string {
	var took time.Duration
	for _, e := range r.fleet.edges {
		took = max(took, e.took)
	}
	text := fmt.Sprintf("%s serves after %s", r.to.Name, round(took))
	if n := len(r.fleet.edges); n > 1 {
		text += fmt.Sprintf("; %d proxies moved within %s", n, round(r.account.result.Gap))
	}
	return text
}

// gap is the time between the first proxy that served the new slot and the last.
// The clocks of the hosts don't matter; the way of an answer to us does.
func (f *fleet) gap() time.Duration {
	first, last := f.firstMove(), time.Time{}
	for _, e := range f.edges {
		if e.moved.After(last) {
			last = e.moved
		}
	}
	return last.Sub(first)
}

// firstMove is when the first proxy served the new slot; zero: none did.
func (f *fleet) firstMove() time.Time {
	var first time.Time
	for _, e := range f.edges {
		if !e.moved.IsZero() && (first.IsZero() || e.moved.Before(first)) {
			first = e.moved
		}
	}
	return first
}

// watch keeps an eye on the real listeners before the switch is final.
func (r *rollout) watch(ctx context.Context) (string, error) {
	if err := together(ctx, r.fleet.edges, r.healthThrough); err != nil {
		return "", err
	}
	if !r.Hurried {
		if err := r.observe(ctx); err != nil {
			return "", err
		}
	}
	if err := together(ctx, r.fleet.edges, r.stillServes); err != nil {
		return "", err
	}
	if err := r.stopProbers(ctx); err != nil {
		return "", err
	}
	return r.watched(), nil
}

// stillServes is an error for a proxy that does not serve the new slot any more.
func (r *rollout) stillServes(ctx context.Context, e *edge) error {
	live, err := proxy.Inspect.On(ctx, e.machine, e.site)
	if err != nil {
		return err
	}
	if live.Running == nil || live.Running.Slot != r.to.Name || live.Divided() {
		return fmt.Errorf("the proxy no longer serves %s: %s", r.to.Name, describe(live))
	}
	return nil
}

// watched says what the watch saw.
func (r *rollout) watched() string {
	t := r.account.result.Traffic
	if r.Hurried {
		return "not watched: the run was cancelled"
	}
	if t == nil {
		return fmt.Sprintf("healthy through the proxy for %s", r.Environment.Watch)
	}
	return fmt.Sprintf("%d requests, %d failed, longest gap %s", t.Requests, t.Failed, round(t.LongestGap))
}

func describe(live proxy.Live) string {
	if live.Running == nil {
		return live.Trouble
	}
	text := fmt.Sprintf("it serves %s of configuration %s", live.Running.Slot, live.Running.ID)
	if live.Running.Share > 0 {
		text += fmt.Sprintf(", and the other slot gets %d %% of the requests", live.Running.Share)
	}
	return text
}

// healthThrough asks the health path of the new slot at a proxy's real listener.
func (r *rollout) healthThrough(ctx context.Context, e *edge) error {
	door := e.door()
	if r.Environment.Health.HTTP == nil || door.Login { // who has not logged in gets to no slot
		return nil
	}
	check := healthCheck(r.Environment, r.to, door.Address)
	check.Files, check.TCP, check.Run, check.HTTP.TLS = nil, false, "", door.TLS
	check.HTTP.Host = or(r.Environment.Health.HTTP.Host, string(e.site.Hostname))
	verdict, err := health.Once.On(ctx, e.machine, check)
	if err == nil && !verdict.Healthy {
		err = &unhealthyError{where: e.Name() + " through " + string(e.site.Kind), slot: r.to.Name, verdict: verdict}
	}
	return err
}

// observe waits for the watch to pass, and fails as soon as the probers have
// seen enough.
func (r *rollout) observe(ctx context.Context) error {
	end := time.NewTimer(r.Environment.Watch)
	defer end.Stop()
	tick := time.NewTicker(watchPoll)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-end.C:
			return r.judge(ctx, true)
		case <-tick.C:
			if err := r.judge(ctx, false); err != nil {
				return err
			}
		}
	}
}

// judge looks at what was seen since the commit, at each proxy by itself: one
// that fails must not hide behind others that don't.
func (r *rollout) judge(ctx context.Context, final bool) error {
	return together(ctx, r.fleet.edges, func(ctx context.Context, e *edge) error {
		if e.probed.IsZero() {
			return nil
		}
		samples, err := probe.Read.On(ctx, e.machine, e.probeKey())
		if err != nil {
			return err
		}
		return probe.Judge(probe.Since(samples, r.committed.Sub(e.probed)), final)
	})
}
