package rollout

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"sync/atomic"
	"time"

	"github.com/org/deploy-action/internal/event"
	"github.com/org/deploy-action/internal/health"
	"github.com/org/deploy-action/internal/proxy"
	"github.com/org/deploy-action/internal/release"
	"github.com/org/deploy-action/internal/spec"
	"github.com/org/deploy-action/internal/state"
	"github.com/org/deploy-action/internal/value"
)

// interrupted is the outcome in the history of a switch that a later run had to
// settle.
const interrupted event.Outcome = "interrupted"

// Recover settles what an interrupted run of the environment left, and nothing
// more. It returns what it did, empty when there was nothing to do. It may be
// called any number of times, and die at any point.
func Recover(ctx context.Context, request Request) (did string, err error) {
	r := &rollout{Request: request, account: newAccount(request)}
	if r.fleet, err = open(ctx, request); err != nil {
		return "", err
	}
	if err := r.step(ctx, "lock", r.lock); err != nil {
		return "", err
	}
	defer r.unlockAll(ctx)
	err = r.step(ctx, "settle", func(ctx context.Context) (string, error) {
		did, err = r.settle(ctx)
		return did, err
	})
	return did, err
}

// settle puts right what a run left that died in the middle: by the journals on
// all proxy hosts it is known how far it came, and by the proxies what is really
// live. A switch that was decided is finished on every proxy, any other is taken
// back on every proxy. At its end all proxies serve the same slot.
func (r *rollout) settle(ctx context.Context) (string, error) {
	left, err := r.leftover(ctx)
	if err != nil {
		return "", err
	}
	if left == nil {
		return r.agree(ctx)
	}
	if left.decided {
		if err := r.finishForward(ctx, left); err != nil {
			return "", err
		}
		return r.settled(ctx, left, event.Succeeded, fmt.Sprintf("%s had been decided for %s and is recorded", left.last.Run, left.last.To))
	}
	text, err := r.takeBack(ctx, left)
	if err != nil {
		return "", err
	}
	return r.settled(ctx, left, interrupted, text)
}

// leftover is the journal of a switch that did not end, as all proxy hosts have
// it: what one of them knows has happened.
type leftover struct {
	last    state.Entry // the newest
	began   time.Time
	reached map[string]bool // steps, begun or done
	decided bool            // every proxy had moved and been watched
}

func (r *rollout) leftover(ctx context.Context) (*leftover, error) {
	journals := make([][]state.Entry, len(r.fleet.edges))
	err := together(ctx, r.fleet.edges, func(ctx context.Context, e *edge) error {
		journal, err := state.Journal.On(ctx, e.machine, string(r.Environment.StateDir))
		if err != nil {
			return fmt.Errorf("journal: %w", err)
		}
		journals[slices.Index(r.fleet.edges, e)] = journal.Entries
		return nil
	})
	if err != nil {
		return nil, err
	}
	left := read(journals)
	if left == nil || left.decided {
		return left, nil
	}
	past, err := r.past(ctx)
	left.decided = err == nil && left.recorded(past.Deploys)
	return left, err
}

// read puts journals together; nil where all are empty.
func read(journals [][]state.Entry) *leftover {
	var left *leftover
	for _, entry := range slices.Concat(journals...) {
		if left == nil {
			left = &leftover{began: entry.Time, reached: make(map[string]bool)}
		}
		left.reached[entry.Step] = true
		if entry.Time.After(left.last.Time) {
			left.last = entry
		}
		if entry.Time.Before(left.began) {
			left.began = entry.Time
		}
	}
	if left != nil {
		left.decided = left.reached["decided"]
	}
	return left
}

// recorded reports whether a host has the switch in its history as one that
// succeeded: a run that dies while it ends the journals has ended some.
func (l *leftover) recorded(deploys []state.Deploy) bool {
	return slices.ContainsFunc(deploys, func(d state.Deploy) bool {
		return d.Run == l.last.Run && d.To == l.last.To && d.ToRelease == l.last.ToRelease && d.Outcome == string(event.Succeeded)
	})
}

// finishForward makes sure that a decided switch holds on every proxy.
func (r *rollout) finishForward(ctx context.Context, left *leftover) error {
	to := slotNamed(r.Environment, value.Name(left.last.To))
	if to == nil {
		return nil // renamed since: the survey says what to do
	}
	return together(ctx, r.fleet.edges, func(ctx context.Context, e *edge) error { return r.lead(ctx, e, to) })
}

// lead makes one proxy serve a slot, now and after its next reload. A proxy that has
// no configuration of ours, or is down, is the survey's affair.
func (r *rollout) lead(ctx context.Context, e *edge, slot *spec.Slot) error {
	live, err := proxy.Inspect.On(ctx, e.machine, e.site)
	if err != nil || live.Header == nil || live.Active == slot.Name && serving(live) == slot.Name {
		return err
	}
	_, err = perform(ctx, r, e.host, proxy.Select, proxy.Selection{Site: e.site, Slot: slot.Name})
	return err
}

// agree makes all proxies serve the slot that the history names, if some don't
// and no journal says why: a host that was put back from a backup, or a hand that
// moved one.
func (r *rollout) agree(ctx context.Context) (string, error) {
	if len(r.fleet.edges) == 1 {
		return "", nil
	}
	if err := together(ctx, r.fleet.edges, r.inspect); err != nil {
		return "", err
	}
	var split *disagreement
	if !errors.As(r.choose(), &split) {
		return "", nil
	}
	past, err := r.past(ctx)
	if err != nil {
		return "", err
	}
	slot := slotNamed(r.Environment, lastSlot(past.Deploys))
	if slot == nil {
		return "", fmt.Errorf("%s, and no history says which is right: move one by hand", split.whereabouts)
	}
	if healthy, err := r.healthy(ctx, r.fleet.apps, slot); err != nil || !healthy {
		return "", errors.Join(err, fmt.Errorf("%s; the history names %s, which is not healthy on every server: start it, then try again", split.whereabouts, slot.Name))
	}
	text := fmt.Sprintf("%s; all serve %s now, as the history says", split.whereabouts, slot.Name)
	return text, together(ctx, r.fleet.edges, func(ctx context.Context, e *edge) error { return r.lead(ctx, e, slot) })
}

// lastSlot is the slot that served after the newest of the deploys; empty where
// there is none.
func lastSlot(deploys []state.Deploy) value.Name {
	for _, d := range deploys {
		if d.Outcome == string(event.Succeeded) {
			return value.Name(d.To)
		}
		if d.From != "" {
			return value.Name(d.From)
		}
	}
	return ""
}

// takeBack undoes a switch that was not decided: traffic first, then the files,
// then the idle slot.
func (r *rollout) takeBack(ctx context.Context, left *leftover) (string, error) {
	text := fmt.Sprintf("%s was interrupted before traffic moved", left.last.Run)
	if left.reached["commit"] {
		var err error
		if text, err = r.takeTrafficBack(ctx, left); err != nil {
			return "", err
		}
	}
	if err := together(ctx, r.fleet.edges, r.reprove); err != nil {
		return "", err
	}
	return text, r.refill(ctx, left)
}

// takeTrafficBack moves traffic to the slot that served before, if that one is
// healthy; otherwise all proxies go to the new one, if that is, and else stay.
func (r *rollout) takeTrafficBack(ctx context.Context, left *leftover) (string, error) {
	from, to := slotNamed(r.Environment, value.Name(left.last.From)), slotNamed(r.Environment, value.Name(left.last.To))
	if from == nil {
		return fmt.Sprintf("%s was interrupted in the first deploy; traffic stays on %s", left.last.Run, left.last.To), nil
	}
	healthy, err := r.healthyWith(ctx, from, left.last.FromRelease)
	if err != nil {
		return "", err
	}
	if !healthy {
		return r.stay(ctx, left, from, to)
	}
	err = together(ctx, r.fleet.edges, func(ctx context.Context, e *edge) error { return r.lead(ctx, e, from) })
	return fmt.Sprintf("%s was interrupted; traffic is back on %s", left.last.Run, from.Name), err
}

// stay is for a switch whose way back is closed.
func (r *rollout) stay(ctx context.Context, left *leftover, from, to *spec.Slot) (string, error) {
	text := fmt.Sprintf("%s was interrupted; %s, which served before, is not healthy, so traffic stays where it is", left.last.Run, from.Name)
	hint := fmt.Sprintf("look at slots %s and %s before the next deploy", left.last.From, left.last.To)
	r.notice(event.Warning, text, hint)
	if to == nil || len(r.fleet.edges) == 1 {
		return text, nil
	}
	healthy, err := r.healthyWith(ctx, to, left.last.ToRelease)
	if err != nil || !healthy {
		return text, err
	}
	return fmt.Sprintf("%s was interrupted; %s, which served before, is not healthy, so all traffic goes to %s", left.last.Run, from.Name, to.Name),
		together(ctx, r.fleet.edges, func(ctx context.Context, e *edge) error { return r.lead(ctx, e, to) })
}

// healthyWith asks the servers on which the slot holds that release.
func (r *rollout) healthyWith(ctx context.Context, slot *spec.Slot, id string) (bool, error) {
	holders := make([]bool, len(r.fleet.apps))
	err := together(ctx, r.fleet.apps, func(ctx context.Context, a *app) error {
		held, err := release.Slots.On(ctx, a.machine, string(r.Environment.Root))
		holders[slices.Index(r.fleet.apps, a)] = held[string(slot.Name)] == id
		return err
	})
	if err != nil {
		return false, err
	}
	var with []*app
	for i, a := range r.fleet.apps {
		if holders[i] {
			with = append(with, a)
		}
	}
	if with == nil {
		with = r.fleet.apps
	}
	return r.healthy(ctx, with, slot)
}

// healthy reports whether the slot passes its check on all of these servers.
func (r *rollout) healthy(ctx context.Context, apps []*app, slot *spec.Slot) (bool, error) {
	var ill atomic.Bool
	err := together(ctx, apps, func(ctx context.Context, a *app) error {
		verdict, err := health.Once.On(ctx, a.machine, healthCheck(r.Environment, slot, slotAddress(slot)))
		if err == nil && !verdict.Healthy {
			ill.Store(true)
		}
		return err
	})
	return err == nil && !ill.Load(), err
}

// reprove makes sure that the proxy serves the file it has. A run that died
// between the rename and the reload leaves the two apart: the former file goes
// back.
func (r *rollout) reprove(ctx context.Context, e *edge) error {
	live, err := proxy.Inspect.On(ctx, e.machine, e.site)
	if err != nil {
		return err
	}
	if live.Header == nil || live.Running != nil && live.Running.ID == live.Header.ID {
		return nil
	}
	_, err = perform(ctx, r, e.host, proxy.Restore, proxy.Restoration{Site: e.site, Expect: live.Header.Generation})
	return err
}

// refill points the idle slot to the release it held before the interrupted run,
// where that is, so that a rollback does not find one that never served.
func (r *rollout) refill(ctx context.Context, left *leftover) error {
	former := left.last.Former
	if former == "" {
		return nil
	}
	return together(ctx, r.fleet.apps, func(ctx context.Context, a *app) error {
		at := release.Pointing{Root: string(r.Environment.Root), Slot: left.last.To, ID: former}
		_, err := perform(ctx, r, a.host, release.Point, at)
		if errors.Is(err, fs.ErrNotExist) && len(r.fleet.apps) > 1 {
			return nil // a server that was new to the environment
		}
		return err
	})
}

// settled closes the journals that were left and notes in the history how.
func (r *rollout) settled(ctx context.Context, left *leftover, outcome event.Outcome, text string) (string, error) {
	return text, r.write(ctx, state.Deploy{
		Time: left.began, Run: left.last.Run, Outcome: string(outcome), Reason: text,
		From: left.last.From, FromRelease: left.last.FromRelease, To: left.last.To, ToRelease: left.last.ToRelease,
	})
}
