package rollout

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/org/deploy-action/internal/event"
	"github.com/org/deploy-action/internal/release"
	"github.com/org/deploy-action/internal/state"
)

// aim chooses where a rollback goes: to the release that was asked for, else to
// the one in the idle slot, if every server has it there and it is not bad, else
// to the newest good release that every server has. A slot that still runs its
// release is healthy, and moved to at once.
func (r *rollout) aim(ctx context.Context) error {
	if r.first {
		return errors.New("nothing serves yet, so there is nothing to go back from")
	}
	if r.To != "" {
		return r.aimAt(ctx, r.To)
	}
	past, err := r.past(ctx)
	if err != nil {
		return err
	}
	marks, err := r.bad(ctx)
	if err != nil {
		return err
	}
	_, marked := marks[r.formerID]
	if r.inSlot(r.formerID) && !marked && !failed(past.Deploys, r.formerID) {
		r.toID = r.formerID
		return r.isWarm(ctx)
	}
	return r.search(ctx, past.Deploys, marks)
}

// aimAt aims at one release, which every server must have. It may be marked bad:
// someone asks for it.
func (r *rollout) aimAt(ctx context.Context, id string) error {
	if id == r.fromID {
		return fmt.Errorf("%s serves %s already", r.from.Name, id)
	}
	have, err := r.releasesOn(ctx)
	if err != nil {
		return err
	}
	if lacking := r.lacking(have, id); len(lacking) > 0 {
		return fmt.Errorf("release %s is not on %s; %s goes on serving %s", id, strings.Join(lacking, ", "), r.from.Name, r.fromID)
	}
	r.toID = id
	if r.inSlot(id) {
		return r.isWarm(ctx)
	}
	r.repoint = true
	return nil
}

// inSlot reports whether the idle slot of every server holds that release.
func (r *rollout) inSlot(id string) bool {
	return id != "" && !slices.ContainsFunc(r.fleet.apps, func(a *app) bool { return a.held[string(r.to.Name)] != id })
}

// failed reports whether a release never served: its deploys are known, and none
// of them succeeded.
func failed(deploys []state.Deploy, id string) bool {
	known := slices.ContainsFunc(deploys, func(d state.Deploy) bool { return d.ToRelease == id })
	return known && !served(deploys, id)
}

// served reports whether a release has served, as far as deploys tell.
func served(deploys []state.Deploy, id string) bool {
	return slices.ContainsFunc(deploys, func(d state.Deploy) bool {
		return d.ToRelease == id && d.Outcome == string(event.Succeeded) || d.FromRelease == id
	})
}

// search aims at the newest release of the past that succeeded, is not the one
// that serves, is not marked bad, and lies whole on every server. Of those that are
// passed over it says why.
func (r *rollout) search(ctx context.Context, deploys []state.Deploy, marks map[string]release.Mark) error {
	have, err := r.releasesOn(ctx)
	if err != nil {
		return err
	}
	var skipped []string
	seen := map[string]bool{r.fromID: true, "": true}
	for _, d := range deploys {
		id := d.ToRelease
		if d.Outcome != string(event.Succeeded) || seen[id] {
			continue
		}
		seen[id] = true
		lacking := r.lacking(have, id)
		mark, bad := marks[id]
		switch {
		case bad:
			skipped = append(skipped, fmt.Sprintf("%s is bad (%s)", id, mark.Reason))
		case len(lacking) == 0:
			r.toID, r.repoint = id, true
			return nil
		case len(lacking) < len(r.fleet.apps):
			skipped = append(skipped, fmt.Sprintf("%s is not on %s", id, strings.Join(lacking, ", ")))
		}
	}
	if skipped != nil {
		return fmt.Errorf("no good release to go back to is on every server: %s; %s goes on serving %s; turnout rollback -to RELEASE goes to a certain one", strings.Join(skipped, "; "), r.from.Name, r.fromID)
	}
	return fmt.Errorf("slot %s holds no release to go back to; %s goes on serving %s", r.to.Name, r.from.Name, r.fromID)
}

// releasesOn are the releases on each server.
func (r *rollout) releasesOn(ctx context.Context) (map[*app][]string, error) {
	ids, err := gather(ctx, r.fleet.apps, func(ctx context.Context, a *app) ([]string, error) {
		return release.List.On(ctx, a.machine, string(r.Environment.Root))
	})
	have := make(map[*app][]string)
	for i, a := range r.fleet.apps {
		have[a] = ids[i]
	}
	return have, err
}

func (r *rollout) lacking(have map[*app][]string, id string) []string {
	var names []string
	for _, a := range r.fleet.apps {
		if !slices.Contains(have[a], id) {
			names = append(names, a.Name())
		}
	}
	return names
}

// isWarm finds out whether the target of a rollback runs, and is healthy, on every
// server.
func (r *rollout) isWarm(ctx context.Context) (err error) {
	r.warm, err = r.healthy(ctx, r.fleet.apps, r.to)
	return err
}
