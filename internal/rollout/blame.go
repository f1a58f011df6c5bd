package rollout

import (
	"context"
	"fmt"
	"maps"
	"strings"
	"time"

	"github.com/org/deploy-action/internal/event"
	"github.com/org/deploy-action/internal/release"
)

// blame marks a release as bad on all servers that have it. A server that can't
// be told is told of, and nothing more: the history knows as well.
func (r *rollout) blame(ctx context.Context, id, reason string) {
	if id == "" {
		return
	}
	mark := release.Mark{Reason: r.masked(reason), Run: r.Run.ID, Time: time.Now().UTC().Truncate(time.Second)}
	err := together(ctx, r.fleet.apps, func(ctx context.Context, a *app) error {
		if err := a.over(); err != nil {
			return err
		}
		_, err := perform(ctx, r, a.host, release.Blame, release.Blaming{Root: string(r.Environment.Root), ID: id, Mark: mark})
		return err
	})
	if err != nil {
		r.notice(event.Warning, fmt.Sprintf("release %s could not be marked as bad: %v", id, err), "")
	}
}

// acquit takes the mark of a release that serves away.
func (r *rollout) acquit(ctx context.Context, id string) error {
	return together(ctx, r.fleet.apps, func(ctx context.Context, a *app) error {
		_, err := perform(ctx, r, a.host, release.Acquit, release.Acquittal{Root: string(r.Environment.Root), ID: id})
		return err
	})
}

// remark brings the marks up to date once the new release serves: that one is good,
// and one that was rolled back from is not.
func (r *rollout) remark(ctx context.Context) {
	if err := r.acquit(ctx, r.toID); err != nil {
		r.notice(event.Warning, fmt.Sprintf("release %s may still be marked as bad: %v", r.toID, err), "")
	}
	if r.Rollback && r.fromID != r.toID {
		by := ""
		if r.Run.Actor != "" {
			by = " by " + r.Run.Actor
		}
		r.blame(ctx, r.fromID, "rolled back from"+by)
	}
}

// blamed is the reason for a mark: the first line of why a deploy failed.
func blamed(cause error) string {
	line, _, _ := strings.Cut(cause.Error(), "\n")
	return line
}

// blameInterrupted marks the release of a switch that was interrupted, unless it
// has served before: a rollback says nothing against where it goes.
func (r *rollout) blameInterrupted(ctx context.Context, id string) error {
	past, err := r.past(ctx)
	if err != nil || served(past.Deploys, id) {
		return err
	}
	r.blame(ctx, id, "its deploy was interrupted")
	return nil
}

// bad are the marks of releases on any server, by their ids.
func (r *rollout) bad(ctx context.Context) (map[string]release.Mark, error) {
	marks, err := gather(ctx, r.fleet.apps, func(ctx context.Context, a *app) (map[string]release.Mark, error) {
		return release.Bad.On(ctx, a.machine, string(r.Environment.Root))
	})
	all := make(map[string]release.Mark)
	for _, of := range marks {
		maps.Copy(all, of)
	}
	return all, err
}
