package rollout

import (
	"context"
	"errors"
	"fmt"
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
// still goes to the slot that serves: checked inside the real tree first,
// reloaded only when the body changed, and proven.
func (r *rollout) prepare(ctx context.Context) (string, error) {
	if !r.first {
		if err := r.startProbers(ctx); err != nil {
			return "", err
		}
	}
	text := "configuration unchanged, no reload"
	for _, e := range r.fleet.edges {
		install, err := r.wanted(e)
		if err != nil {
			return "", err
		}
		if err := r.verify(ctx, e, install); err != nil {
			return "", err
		}
		installed, err := r.install(ctx, e, install)
		if err != nil {
			return "", err
		}
		if installed.Reloaded {
			r.account.result.Reloads++
			text = fmt.Sprintf("%s reloaded, configuration %s proven", e.site.Kind, install.Rendered.ID)
		}
	}
	return text, nil
}

// verify has the proxy check a configuration that is new to it.
func (r *rollout) verify(ctx context.Context, e *edge, install proxy.Install) error {
	if e.live.Exists && !e.live.Edited && e.live.Body == install.Rendered.Body {
		return nil
	}
	r.account.result.Diff = diff(e.live.Body, install.Rendered.Body, string(e.site.Config))
	if _, err := proxy.Verify.On(ctx, e.machine, install); err != nil {
		return fmt.Errorf("%s: %w", e.machine.Name(), err)
	}
	return nil
}

// install puts the configuration in place and arms the way back.
func (r *rollout) install(ctx context.Context, e *edge, install proxy.Install) (proxy.Installed, error) {
	if err := r.journal(ctx, "install", state.Begin); err != nil {
		return proxy.Installed{}, err
	}
	installed, err := proxy.Put.On(ctx, e.machine, install)
	if err != nil {
		return installed, fmt.Errorf("%s: %w", e.machine.Name(), err)
	}
	back := proxy.Restoration{Site: e.site, Previous: installed.Previous, Active: r.formerSlot(), Expect: installed.Generation}
	if r.first || e.live.Exists { // a file that had been deleted under a serving proxy stays, or the site would go
		r.undo.push(string(e.site.Config)+" as before", func(ctx context.Context) error {
			_, err := proxy.Restore.On(ctx, e.machine, back)
			return err
		})
	}
	if installed.Saved != "" {
		r.notice(event.Warning, fmt.Sprintf("%s was edited by hand; the edited file is kept as %s", e.site.Config, installed.Saved),
			"put the change into the spec or into a template of your own, or the next deploy writes over it again")
	}
	return installed, nil
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
// arrives there.
func (r *rollout) commit(ctx context.Context) (string, error) {
	if err := r.startProbers(ctx); err != nil {
		return "", err
	}
	if err := r.journal(ctx, "commit", state.Begin); err != nil {
		return "", err
	}
	r.committed = time.Now()
	var took time.Duration
	for _, e := range r.fleet.edges {
		if !r.first {
			r.account.moved = true
			r.undo.push("traffic back on "+string(r.from.Name), func(ctx context.Context) error {
				_, err := proxy.Select.On(ctx, e.machine, proxy.Selection{Site: e.site, Slot: r.from.Name})
				return err
			})
		}
		selected, err := proxy.Select.On(ctx, e.machine, proxy.Selection{Site: e.site, Slot: r.to.Name})
		if err != nil {
			return "", fmt.Errorf("%s: %w", e.machine.Name(), err)
		}
		took = max(took, selected.Took)
	}
	return fmt.Sprintf("%s serves after %s", r.to.Name, round(took)), r.journal(ctx, "commit", state.Done)
}

// watch keeps an eye on the real listener before the switch is final.
func (r *rollout) watch(ctx context.Context) (string, error) {
	if err := r.healthThroughProxy(ctx); err != nil {
		return "", err
	}
	if !r.Hurried {
		if err := r.observe(ctx); err != nil {
			return "", err
		}
	}
	for _, e := range r.fleet.edges {
		live, err := proxy.Inspect.On(ctx, e.machine, e.site)
		if err != nil {
			return "", fmt.Errorf("%s: %w", e.machine.Name(), err)
		}
		if live.Running == nil || live.Running.Slot != r.to.Name {
			return "", fmt.Errorf("%s: the proxy no longer serves %s: %s", e.machine.Name(), r.to.Name, describe(live))
		}
	}
	if err := r.stopProbers(ctx); err != nil {
		return "", err
	}
	return r.watched(), nil
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
	return fmt.Sprintf("it serves %s of configuration %s", live.Running.Slot, live.Running.ID)
}

// healthThroughProxy asks the health path of the new slot at the real listener.
func (r *rollout) healthThroughProxy(ctx context.Context) error {
	if r.Environment.Health.HTTP == nil {
		return nil
	}
	for _, e := range r.fleet.edges {
		check := healthCheck(r.Environment, r.to, e.site.Listen.Local())
		check.Files, check.TCP, check.Run = nil, false, ""
		verdict, err := health.Once.On(ctx, e.machine, check)
		if err != nil {
			return fmt.Errorf("%s: %w", e.machine.Name(), err)
		}
		if !verdict.Healthy {
			return &unhealthyError{server: e.machine.Name() + " through " + string(e.site.Kind), slot: r.to.Name, verdict: verdict}
		}
	}
	return nil
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

// judge looks at what was seen since the commit.
func (r *rollout) judge(ctx context.Context, final bool) error {
	if !r.probing {
		return nil
	}
	var errs []error
	for _, e := range r.fleet.edges {
		samples, err := probe.Read.On(ctx, e.machine, string(r.Environment.Name))
		if err == nil {
			err = probe.Judge(probe.Since(samples, r.committed.Sub(r.account.probedFrom)), final)
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", e.machine.Name(), err))
		}
	}
	return errors.Join(errs...)
}
