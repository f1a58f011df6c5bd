package rollout

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/org/deploy-action/internal/event"
	"github.com/org/deploy-action/internal/health"
	"github.com/org/deploy-action/internal/protocol"
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
// called any number of times, and die at any point. Proxy hosts that can't be
// reached are left out, as far as that is safe: then, and where a person has to
// look, the error is Stranded.
func Recover(ctx context.Context, request Request) (did string, err error) {
	r := &rollout{Request: request, account: newAccount(request), recovering: true}
	if r.fleet, err = openWithout(ctx, request); err != nil {
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

// Stranded reports whether an error of Recover leaves something to a person.
func Stranded(err error) bool {
	var unsettled *unsettledError
	return errors.As(err, &unsettled)
}

// unsettledError is an interrupted switch that is not settled, or not well.
type unsettledError struct{ text string }

func (e *unsettledError) Error() string { return e.text }

// settle puts right what a run left that died in the middle. At its end all
// proxies serve the same slot, and that alone.
func (r *rollout) settle(ctx context.Context) (string, error) {
	did, err := r.settleJournals(ctx)
	if err != nil {
		return did, err
	}
	whole, err := r.undivide(ctx)
	return listed("; ", did, whole), err
}

// undivide gives the slot that serves on each proxy the share that the other one
// still has: no canary holds it any more, and the other slot is about to be
// emptied.
func (r *rollout) undivide(ctx context.Context) (string, error) {
	did, err := gather(ctx, r.fleet.edges, func(ctx context.Context, e *edge) (string, error) {
		live, err := proxy.Inspect.On(ctx, e.machine, e.site)
		if err != nil || live.Header == nil || !live.Divided() {
			return "", err
		}
		slot := slotNamed(r.Environment, live.Serving())
		if slot == nil {
			return "", nil // renamed since, and the survey says what to do
		}
		return r.at(e, fmt.Sprintf("%d %% of the requests did not go to %s, and no run had left it so: all go to %s now", max(live.Share, share(live)), slot.Name, slot.Name)), r.lead(ctx, e, slot)
	})
	return listed("; ", did...), err
}

// settleJournals settles by what the journals on the proxy hosts come to.
func (r *rollout) settleJournals(ctx context.Context) (string, error) {
	left, err := r.leftover(ctx)
	if err != nil {
		return "", err
	}
	if err := r.setAside(ctx, left.stale); err != nil {
		return "", err
	}
	switch left.outcome {
	case protocol.PutBack:
		return r.takeBack(ctx, left)
	case protocol.Finish:
		return r.finishForward(ctx, left)
	case protocol.Undecided:
		return "", &unsettledError{fmt.Sprintf("run %s had decided for %s wherever that can be read; only a host that can't be reached knows whether it was everywhere: %v; nothing was changed, both slots run; once it is back: turnout recover %s",
			left.run(), left.last.To, r.fleet.losses(), r.Environment.Name)}
	}
	return r.agree(ctx)
}

// leftover is the journal of a switch that did not end, as the proxy hosts have
// it.
type leftover struct {
	outcome protocol.Outcome
	last    state.Entry // the newest
	began   time.Time
	moved   bool     // traffic may have been on the new slot
	alone   []string // hosts whose agent went back by itself
	stale   []*host  // with a journal older than what has ended elsewhere
}

func (l *leftover) run() string { return l.last.Epoch.Run }

func (r *rollout) leftover(ctx context.Context) (*leftover, error) {
	hosts := r.fleet.fronts()
	journals, err := gather(ctx, hosts, func(ctx context.Context, h *host) (state.Journalled, error) {
		journal, err := state.Journal.On(ctx, h.machine, h.dir)
		if err != nil {
			err = fmt.Errorf("journal: %w", err)
		}
		return journal, err
	})
	if err != nil {
		return nil, err
	}
	return read(hosts, journals, r.fleet.unread()), nil
}

// read puts the journals of hosts together; unread more can't be reached.
func read(hosts []*host, journals []state.Journalled, unread int) *leftover {
	left := &leftover{}
	ended := 0
	for _, j := range journals {
		ended = max(ended, j.Ended)
	}
	var standing []protocol.Standing
	for i, j := range journals {
		if n := len(j.Entries); n > 0 && j.Entries[n-1].Epoch.Number < ended {
			left.stale = append(left.stale, hosts[i])
			continue
		}
		s := j.Standing()
		standing = append(standing, s)
		left.moved = left.moved || s.Committing
		for _, entry := range j.Entries {
			left.add(hosts[i], entry)
		}
	}
	left.outcome = protocol.Settle(standing, unread)
	return left
}

// add takes an entry in. What an agent wrote repeats one of its run under the clock
// of its host, which may be off: it says nothing about the order.
func (l *leftover) add(h *host, entry state.Entry) {
	if entry.By == "agent" {
		l.alone = append(l.alone, h.Name())
		return
	}
	if entry.Time.After(l.last.Time) {
		l.last = entry
	}
	if l.began.IsZero() || entry.Time.Before(l.began) {
		l.began = entry.Time
	}
}

// unread is how many proxy hosts can't be reached.
func (f *fleet) unread() int {
	n := 0
	for _, h := range f.lost {
		if h.front {
			n++
		}
	}
	return n
}

// setAside ends the journals of hosts that were out of the spec while others went
// on: they settle nothing, and the survey says what those hosts serve.
func (r *rollout) setAside(ctx context.Context, hosts []*host) error {
	return together(ctx, hosts, func(ctx context.Context, h *host) error {
		_, err := perform(ctx, r, h, state.Finish, h.dir)
		return err
	})
}

// finishForward makes sure that a decided switch holds on every proxy.
func (r *rollout) finishForward(ctx context.Context, left *leftover) (string, error) {
	to := slotNamed(r.Environment, value.Name(left.last.To)) // nil: renamed since, and the survey says what to do
	if to != nil {
		if err := together(ctx, r.fleet.edges, func(ctx context.Context, e *edge) error { return r.lead(ctx, e, to) }); err != nil {
			return "", err
		}
	}
	return r.settled(ctx, left, event.Succeeded, fmt.Sprintf("%s had been decided for %s and is recorded", left.run(), left.last.To))
}

// lead makes one proxy serve a slot, unless it does.
func (r *rollout) lead(ctx context.Context, e *edge, slot *spec.Slot) error {
	live, err := proxy.Inspect.On(ctx, e.machine, e.site)
	if err != nil || live.Leads(slot.Name) {
		return err
	}
	_, err = perform(ctx, r, e.host, proxy.Select, proxy.Selection{Site: e.site, Slot: slot.Name, Stay: true})
	return err
}

// takeBack undoes a switch that was not decided: traffic first, then the files,
// then the idle slot, and that only where no proxy can send to it any more.
func (r *rollout) takeBack(ctx context.Context, left *leftover) (string, error) {
	from := slotNamed(r.Environment, value.Name(left.last.From))
	text := fmt.Sprintf("%s was interrupted before traffic moved", left.run())
	switch {
	case left.moved && from == nil:
		text = fmt.Sprintf("%s was interrupted in the first deploy; traffic stays on %s", left.run(), left.last.To)
	case left.moved:
		healthy, err := r.healthyWith(ctx, from, left.last.FromRelease)
		if err != nil {
			return "", err
		}
		if !healthy {
			return r.stay(ctx, left, from)
		}
		text = fmt.Sprintf("%s was interrupted; traffic is back on %s", left.run(), from.Name)
	}
	if err := r.rule(ctx, left, state.Back); err != nil {
		return "", err
	}
	if left.moved && from != nil {
		if err := together(ctx, r.fleet.edges, func(ctx context.Context, e *edge) error { return r.lead(ctx, e, from) }); err != nil {
			return "", err
		}
	}
	if err := together(ctx, r.fleet.edges, r.reprove); err != nil {
		return "", err
	}
	if n := len(left.alone); n > 0 {
		slices.Sort(left.alone)
		text += fmt.Sprintf(" (the agent on %s did so when the run was gone)", strings.Join(slices.Compact(left.alone), ", "))
	}
	if r.fleet.unread() > 0 {
		return "", &unsettledError{fmt.Sprintf("%s where it can be reached, but not everywhere: %v; %s goes on running for it; once it is back: turnout recover %s",
			text, r.fleet.losses(), left.last.To, r.Environment.Name)}
	}
	if err := r.refill(ctx, left); err != nil {
		return "", err
	}
	if err := r.blameInterrupted(ctx, left.last.ToRelease); err != nil {
		return "", err
	}
	return r.settled(ctx, left, interrupted, text)
}

// rule writes a ruling about an interrupted switch on every host that still has
// its journal.
func (r *rollout) rule(ctx context.Context, left *leftover, kind state.Kind) error {
	return together(ctx, r.fleet.fronts(), func(ctx context.Context, h *host) error {
		journal, err := state.Journal.On(ctx, h.machine, h.dir)
		if err != nil || len(journal.Entries) == 0 {
			return err
		}
		entry := left.last
		entry.Time, entry.Kind, entry.By, entry.Alone = time.Now().UTC(), kind, "recover", nil
		return r.write(ctx, h, &entry)
	})
}

// stay is for a switch whose way back is closed: its old slot is not healthy. All
// proxies go to the new one, if that is. Else none is moved; where they agree, a
// deploy may mend it.
func (r *rollout) stay(ctx context.Context, left *leftover, from *spec.Slot) (string, error) {
	to := slotNamed(r.Environment, value.Name(left.last.To))
	why := fmt.Sprintf("%s was interrupted; %s, which served before, is not healthy", left.run(), from.Name)
	hint := fmt.Sprintf("look at slots %s and %s before the next deploy", left.last.From, left.last.To)
	if to == nil || r.fleet.unread() > 0 {
		return "", &unsettledError{why + ", so traffic stays where it is; " + hint}
	}
	healthy, err := r.healthyWith(ctx, to, left.last.ToRelease)
	if err != nil {
		return "", err
	}
	if !healthy {
		return r.stayDown(ctx, left, why, hint)
	}
	if err := r.rule(ctx, left, state.Decided); err != nil {
		return "", err
	}
	if err := together(ctx, r.fleet.edges, func(ctx context.Context, e *edge) error { return r.lead(ctx, e, to) }); err != nil {
		return "", err
	}
	return r.doubtful(ctx, left, event.Succeeded, fmt.Sprintf("%s, so all traffic goes to %s", why, to.Name), hint)
}

// stayDown is for a switch of which neither slot is healthy.
func (r *rollout) stayDown(ctx context.Context, left *leftover, why, hint string) (string, error) {
	if err := together(ctx, r.fleet.edges, r.inspect); err != nil {
		return "", err
	}
	text := fmt.Sprintf("%s, nor is %s, so traffic stays where it is: %s", why, left.last.To, r.whereabouts())
	if err := r.choose(); err != nil {
		return "", &unsettledError{text + "; start one of them on every server, then: turnout recover " + string(r.Environment.Name)}
	}
	ruling, outcome := state.Back, interrupted
	if string(r.from.Name) == left.last.To {
		ruling, outcome = state.Decided, event.Succeeded
	}
	if err := r.rule(ctx, left, ruling); err != nil {
		return "", err
	}
	return r.doubtful(ctx, left, outcome, text, hint)
}

// doubtful is settled for a switch that a person should look at. A deploy goes on
// and may be what mends it; there is nothing more to recover.
func (r *rollout) doubtful(ctx context.Context, left *leftover, outcome event.Outcome, text, hint string) (string, error) {
	did, err := r.settled(ctx, left, outcome, text)
	if err == nil && r.recovering {
		return "", &unsettledError{text + "; " + hint}
	}
	if err == nil {
		r.notice(event.Warning, text, hint)
	}
	return did, err
}

// healthyWith asks the servers on which the slot holds that release.
func (r *rollout) healthyWith(ctx context.Context, slot *spec.Slot, id string) (bool, error) {
	held, err := gather(ctx, r.fleet.apps, func(ctx context.Context, a *app) (map[string]string, error) {
		return release.Slots.On(ctx, a.machine, string(r.Environment.Root))
	})
	if err != nil {
		return false, err
	}
	var with []*app
	for i, a := range r.fleet.apps {
		if held[i][string(slot.Name)] == id {
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
// where that is, so that a rollback does not find one that never served, nor one
// that still runs under the name of another.
func (r *rollout) refill(ctx context.Context, left *leftover) error {
	former, slot := left.last.Former, slotNamed(r.Environment, value.Name(left.last.To))
	if former == "" || slot == nil {
		return nil
	}
	if err := r.readSlots(ctx); err != nil {
		return err
	}
	return together(ctx, r.fleet.apps, func(ctx context.Context, a *app) error {
		if a.held[string(slot.Name)] == former {
			return nil
		}
		if err := r.vacate(ctx, a, slot); err != nil {
			return err
		}
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
	return text, r.end(ctx, state.Deploy{
		Time: left.began, Run: left.run(), Outcome: string(outcome), Reason: text,
		From: left.last.From, FromRelease: left.last.FromRelease, To: left.last.To, ToRelease: left.last.ToRelease,
	})
}
