package rollout

import (
	"context"
	"fmt"
	"strings"
	"sync/atomic"
	"time"

	"github.com/org/deploy-action/internal/event"
	"github.com/org/deploy-action/internal/proxy"
	"github.com/org/deploy-action/internal/release"
	"github.com/org/deploy-action/internal/spec"
	"github.com/org/deploy-action/internal/state"
)

// The steps past the commit point. The new slot serves and has been watched:
// from here on a cancelled run finishes forward, and a failure is a warning.

// drainPoll is how often connections are counted while the old slot drains.
const drainPoll = 250 * time.Millisecond

// record passes the commit point and writes the deploy into the history.
func (r *rollout) record(ctx context.Context) (string, error) {
	if err := r.decide(ctx); err != nil {
		return "", err
	}
	r.decided = true
	if err := r.finish(context.WithoutCancel(ctx), event.Succeeded, nil); err != nil {
		r.notice(event.Warning, "the history could not be written: "+err.Error(), "traffic is not affected; the next run settles what is left of this one")
	}
	return fmt.Sprintf("%s serves %s", r.to.Name, r.toID), nil
}

// finish ends the journal of this switch and adds it to the history.
func (r *rollout) finish(ctx context.Context, outcome event.Outcome, cause error) error {
	record := state.Deploy{
		Time: r.account.began, Run: r.Run.ID, Command: r.Run.Command, Actor: r.Run.Actor, Commit: r.Run.Commit, URL: r.Run.URL,
		Outcome: string(outcome), Began: r.Run.Began, Took: time.Since(r.account.began),
	}
	if r.from != nil {
		record.From, record.FromRelease = string(r.from.Name), r.fromID
	}
	if r.to != nil {
		record.To, record.ToRelease = string(r.to.Name), r.toID
	}
	if cause != nil {
		record.Reason = cause.Error()
	}
	if t := r.account.result.Traffic; t != nil {
		record.Requests, record.Failed = t.Requests, t.Failed
	}
	return r.end(ctx, record)
}

// end adds a deploy to the history on every proxy host, then ends the journal
// there. Where the one fails, the other is left to the next run.
func (r *rollout) end(ctx context.Context, deploy state.Deploy) error {
	deploy.Reason = r.masked(deploy.Reason)
	return together(ctx, r.fleet.fronts(), func(ctx context.Context, h *host) error {
		if _, err := perform(ctx, r, h, state.Record, state.Recording{Dir: h.dir, Deploy: deploy}); err != nil {
			return err
		}
		_, err := perform(ctx, r, h, state.Finish, h.dir)
		return err
	})
}

// masked is a text without what commands may have said of secrets.
func (r *rollout) masked(text string) string {
	if r.Mask == nil {
		return text
	}
	return r.Mask(text)
}

// drain waits until the old slot has let go of its connections, at most as long
// as the spec says, and then stops it unless it is kept warm.
func (r *rollout) drain(ctx context.Context) (string, error) {
	if r.first || r.Hurried { // there is no time to wait for connections, so the slot stays up for them
		return "", nil
	}
	if r.fleet.uncounted() {
		return r.drainUncounted(ctx)
	}
	return r.letGo(ctx, r.from) + r.retire(ctx), nil
}

// letGo waits until a slot that gets no new requests has let go of its
// connections, and says how that went.
func (r *rollout) letGo(ctx context.Context, slot *spec.Slot) string {
	began := time.Now()
	before, err := r.connections(ctx, slot)
	if err != nil {
		r.notice(event.Warning, "connections could not be counted: "+err.Error(), "")
	}
	after := r.drained(ctx, slot, before)
	r.account.result.Drained = &event.Drain{Slot: string(slot.Name), Before: before, After: after, Took: time.Since(began)}
	text := fmt.Sprintf("%s let go of %s in %s", slot.Name, plural(before-after, "connection", "connections"), round(time.Since(began)))
	if after > 0 {
		text += fmt.Sprintf(", %d left", after)
	}
	return text
}

// drainUncounted lets requests under way end that nobody counts: where the old slot
// is stopped, all of the time that the spec gives.
func (r *rollout) drainUncounted(ctx context.Context) (string, error) {
	if r.Environment.KeepPrevious == spec.Warm {
		return string(r.from.Name) + strings.TrimPrefix(r.retire(ctx), "; it"), nil
	}
	if !r.sitOut(ctx) {
		return fmt.Sprintf("%s stays up: it may have requests under way, which AWS does not count", r.from.Name), nil
	}
	return fmt.Sprintf("%s had %s for its last requests, which AWS does not count", r.from.Name, r.Environment.Drain) + r.retire(ctx), nil
}

// sitOut lets all the time pass that the spec gives to requests under way, and
// reports whether it has.
func (r *rollout) sitOut(ctx context.Context) bool {
	timer := time.NewTimer(r.Environment.Drain)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// drained polls until nothing is connected to a slot any more and returns what is
// left.
func (r *rollout) drained(ctx context.Context, slot *spec.Slot, left int) int {
	ctx, stop := context.WithTimeout(ctx, r.Environment.Drain)
	defer stop()
	tick := time.NewTicker(drainPoll)
	defer tick.Stop()
	for left > 0 {
		select {
		case <-ctx.Done():
			return left
		case <-tick.C:
			if n, err := r.connections(ctx, slot); err == nil {
				left = n
			}
		}
	}
	return left
}

// connections are those of all proxies to a slot.
func (r *rollout) connections(ctx context.Context, slot *spec.Slot) (int, error) {
	var total atomic.Int64
	err := together(ctx, r.fleet.edges, func(ctx context.Context, e *edge) error {
		open, err := proxy.Connections.On(ctx, e.machine, proxy.Flow{Site: e.site, Slot: slot.Name})
		total.Add(int64(open.Connections))
		return err
	})
	return int(total.Load()), err
}

// retire stops the old slot, or says that it is kept running.
func (r *rollout) retire(ctx context.Context) string {
	if r.Environment.KeepPrevious == spec.Warm {
		return "; it stays warm for a rollback"
	}
	if r.from.Stop == "" {
		return ""
	}
	ctx = context.WithoutCancel(ctx)
	if err := together(ctx, r.fleet.edges, r.stillServes); err != nil {
		r.notice(event.Warning, err.Error(), string(r.from.Name)+" is not stopped")
		return "; it is left running"
	}
	err := together(ctx, r.serversOf(r.from), func(ctx context.Context, a *app) error {
		return r.command(ctx, a, r.from, "stop", r.from.Stop)
	})
	if err != nil {
		r.notice(event.Warning, err.Error(), "the new release serves; stop the old one by hand")
		return ""
	}
	return "; it is stopped"
}

// cleanUp marks what has turned out bad and removes the oldest releases, never one
// that a slot refers to.
func (r *rollout) cleanUp(ctx context.Context) (string, error) {
	r.remark(context.WithoutCancel(ctx))
	var removed atomic.Int64
	err := together(context.WithoutCancel(ctx), r.fleet.apps, func(ctx context.Context, a *app) error {
		pruned, err := perform(ctx, r, a.host, release.Prune, release.Pruning{
			Root: string(r.Environment.Root), Keep: r.Environment.KeepReleases, InUse: []string{r.fromID, r.toID},
		})
		removed.Add(int64(len(pruned)))
		return err
	})
	if err != nil {
		r.notice(event.Warning, "old releases could not be removed: "+err.Error(), "")
	}
	if removed.Load() == 0 {
		return "", nil
	}
	text := plural(int(removed.Load()), "old release removed", "old releases removed")
	if n := len(r.fleet.apps); n > 1 {
		text += fmt.Sprintf(" from %d servers", n)
	}
	return text, nil
}
