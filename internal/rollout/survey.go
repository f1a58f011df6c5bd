package rollout

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/org/deploy-action/internal/event"
	"github.com/org/deploy-action/internal/health"
	"github.com/org/deploy-action/internal/proxy"
	"github.com/org/deploy-action/internal/release"
	"github.com/org/deploy-action/internal/spec"
	"github.com/org/deploy-action/internal/value"
)

// errForeign is a configuration file that we did not write.
var errForeign = errors.New("was not written by turnout; move it away, or give the proxy block another config path")

// survey reads what serves now and what the slots hold, decides which way the
// switch goes, and reports what is not as the last run left it.
func (r *rollout) survey(ctx context.Context) (string, error) {
	if err := r.look(ctx); err != nil {
		return "", err
	}
	for _, drift := range r.drift() {
		r.notice(event.Warning, drift, "")
	}
	if r.Rollback {
		if err := r.aim(ctx); err != nil {
			return "", err
		}
	} else if err := checkSource(r.Release); err != nil {
		return "", err
	}
	if r.first {
		return fmt.Sprintf("nothing serves yet; first release goes to %s", r.to.Name), nil
	}
	return fmt.Sprintf("%s serves %s; %s is idle", r.from.Name, or(r.fromID, "an unknown release"), r.to.Name), nil
}

// look reads the proxies and the slots and works out from and to.
func (r *rollout) look(ctx context.Context) error {
	for _, e := range r.fleet.edges {
		live, err := proxy.Inspect.On(ctx, e.machine, e.site)
		if err != nil {
			return fmt.Errorf("%s: %w", e.machine.Name(), err)
		}
		if live.Header == nil && live.Edited {
			return fmt.Errorf("%s: %s %w", e.machine.Name(), e.site.Config, errForeign)
		}
		e.live, e.site.Version = live, live.Version
	}
	if err := r.choose(); err != nil {
		return err
	}
	held, err := release.Slots.On(ctx, r.fleet.apps[0], string(r.Environment.Root))
	if err != nil {
		return fmt.Errorf("%s: %w", r.fleet.apps[0].Name(), err)
	}
	r.formerID = held[string(r.to.Name)]
	if r.from != nil {
		r.fromID = held[string(r.from.Name)]
	}
	return nil
}

// choose finds the slot that serves and the one that is idle.
func (r *rollout) choose() error {
	serving := serving(r.fleet.edges[0].live)
	if serving == "" {
		r.first, r.to = true, r.Environment.Slots[0]
		return nil
	}
	r.from = slotNamed(r.Environment, serving)
	if r.from == nil {
		return fmt.Errorf("%s serves slot %q, which environment %q no longer has (it has %s and %s); name the slots as before, or take the site out of the proxy and deploy anew",
			r.fleet.edges[0].site.Config, serving, r.Environment.Name, r.Environment.Slots[0].Name, r.Environment.Slots[1].Name)
	}
	r.to = other(r.Environment, r.from)
	return nil
}

// serving is the slot that receives requests: what the running proxy says, or
// the selector on disk where it can't be asked. Empty: none yet.
func serving(live proxy.Live) value.Name {
	if live.Running != nil {
		return live.Running.Slot // also where the file was deleted and not yet reloaded
	}
	return live.Active
}

func other(env *spec.Environment, slot *spec.Slot) *spec.Slot {
	if env.Slots[0] == slot {
		return env.Slots[1]
	}
	return env.Slots[0]
}

// drift names what is not as the last run left it.
func (r *rollout) drift() []string {
	var all []string
	for _, e := range r.fleet.edges {
		all = append(all, driftOf(e, r.from, r.fromID)...)
	}
	return all
}

func driftOf(e *edge, from *spec.Slot, fromID string) []string {
	live, config := e.live, e.site.Config
	switch {
	case live.Header == nil && live.Running == nil:
		return nil
	case live.Header == nil:
		return []string{fmt.Sprintf("%s is gone, and %s still serves %s from memory: its next reload would take the site away", config, e.site.Kind, live.Running.Slot)}
	}
	var all []string
	if live.Edited {
		all = append(all, fmt.Sprintf("%s was edited by hand since it was written", config))
	}
	switch {
	case live.Running == nil:
		all = append(all, fmt.Sprintf("%s does not answer for this site: %s", e.site.Kind, live.Trouble))
	case live.Running.ID != live.Header.ID:
		all = append(all, fmt.Sprintf("%s serves configuration %s, the file has %s: it was not reloaded since", e.site.Kind, live.Running.ID, live.Header.ID))
	case live.Running.Slot != live.Active:
		all = append(all, fmt.Sprintf("%s serves %s, the record beside its configuration says %s", e.site.Kind, live.Running.Slot, live.Active))
	}
	if from != nil && live.Header.Releases[from.Name] != fromID {
		all = append(all, fmt.Sprintf("slot %s holds %s, the configuration was written for %s", from.Name, or(fromID, "nothing"), or(live.Header.Releases[from.Name], "nothing")))
	}
	return all
}

// aim checks the target of a rollback: there is a release, and if it is still
// running it is healthy.
func (r *rollout) aim(ctx context.Context) error {
	switch {
	case r.first:
		return errors.New("nothing serves yet, so there is nothing to go back from")
	case r.formerID == "":
		return fmt.Errorf("slot %s holds no release to go back to; %s goes on serving %s", r.to.Name, r.from.Name, r.fromID)
	}
	r.toID = r.formerID
	for _, app := range r.fleet.apps {
		verdict, err := health.Once.On(ctx, app, healthCheck(r.Environment, r.to, slotAddress(r.to)))
		if err != nil {
			return fmt.Errorf("%s: %w", app.Name(), err)
		}
		r.warm = verdict.Healthy
	}
	return nil
}

// checkSource finds out early that there is nothing to ship.
func checkSource(dir string) error {
	info, err := os.Stat(dir)
	if err != nil {
		return fmt.Errorf("release: %w", err)
	}
	if !info.IsDir() {
		return fmt.Errorf("release: %s is not a directory", dir)
	}
	return nil
}
