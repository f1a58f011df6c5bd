package rollout

import (
	"context"
	"fmt"

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
	r := &rollout{Request: request, account: newAccount(request), undo: newUndo()}
	if r.fleet, err = open(ctx, request); err != nil {
		return "", err
	}
	if err := r.step(ctx, "lock", r.lock); err != nil {
		return "", err
	}
	err = r.step(ctx, "settle", func(ctx context.Context) (string, error) {
		did, err = r.settle(ctx)
		return did, err
	})
	if unlockErr := r.unlock(ctx); err == nil {
		err = unlockErr
	}
	return did, err
}

// settle puts right what a run left that died in the middle: by its journal it
// is known how far it came, and by the proxy what is really live.
func (r *rollout) settle(ctx context.Context) (string, error) {
	left, err := r.leftover(ctx)
	if err != nil || left == nil {
		return "", err
	}
	if left.reached("decided") {
		return r.settled(ctx, left, event.Succeeded, fmt.Sprintf("%s had been decided for %s and is recorded", left.last.Run, left.last.To))
	}
	text, err := r.takeBack(ctx, left)
	if err != nil {
		return "", err
	}
	return r.settled(ctx, left, interrupted, text)
}

// leftover is the journal of a switch that did not end.
type leftover struct {
	last    state.Entry
	entries []state.Entry
}

// reached reports whether the switch came to the step, begun or done.
func (l *leftover) reached(step string) bool {
	for _, entry := range l.entries {
		if entry.Step == step {
			return true
		}
	}
	return false
}

func (r *rollout) leftover(ctx context.Context) (*leftover, error) {
	for _, e := range r.fleet.edges {
		journal, err := state.Journal.On(ctx, e.machine, string(r.Environment.StateDir))
		if err != nil {
			return nil, fmt.Errorf("%s: journal: %w", e.machine.Name(), err)
		}
		if n := len(journal.Entries); n > 0 {
			return &leftover{last: journal.Entries[n-1], entries: journal.Entries}, nil
		}
	}
	return nil, nil
}

// takeBack undoes a switch that was not decided: traffic first, then the file,
// then the idle slot.
func (r *rollout) takeBack(ctx context.Context, left *leftover) (string, error) {
	text := fmt.Sprintf("%s was interrupted before traffic moved", left.last.Run)
	if left.reached("commit") {
		var err error
		if text, err = r.takeTrafficBack(ctx, left); err != nil {
			return "", err
		}
	}
	for _, e := range r.fleet.edges {
		if err := r.reprove(ctx, e); err != nil {
			return "", err
		}
	}
	return text, r.refill(ctx, left)
}

// takeTrafficBack moves traffic to the slot that served before, if that one is
// healthy; the healthier side keeps it otherwise.
func (r *rollout) takeTrafficBack(ctx context.Context, left *leftover) (string, error) {
	from, to := slotNamed(r.Environment, value.Name(left.last.From)), slotNamed(r.Environment, value.Name(left.last.To))
	if from == nil {
		return fmt.Sprintf("%s was interrupted in the first deploy; traffic stays on %s", left.last.Run, left.last.To), nil
	}
	healthy, err := r.healthy(ctx, from)
	if err != nil {
		return "", err
	}
	if !healthy {
		text := fmt.Sprintf("%s was interrupted; %s, which served before, is not healthy, so traffic stays where it is", left.last.Run, from.Name)
		r.notice(event.Warning, text, fmt.Sprintf("look at slots %s and %s before the next deploy", from.Name, to.Name))
		return text, nil
	}
	for _, e := range r.fleet.edges {
		if _, err := proxy.Select.On(ctx, e.machine, proxy.Selection{Site: e.site, Slot: from.Name}); err != nil {
			return "", fmt.Errorf("%s: %w", e.machine.Name(), err)
		}
	}
	return fmt.Sprintf("%s was interrupted; traffic is back on %s", left.last.Run, from.Name), nil
}

func (r *rollout) healthy(ctx context.Context, slot *spec.Slot) (bool, error) {
	for _, app := range r.fleet.apps {
		verdict, err := health.Once.On(ctx, app, healthCheck(r.Environment, slot, slotAddress(slot)))
		if err != nil || !verdict.Healthy {
			return false, err
		}
	}
	return true, nil
}

// reprove makes sure that the proxy serves the file it has. A run that died
// between the rename and the reload leaves the two apart: the former file goes
// back.
func (r *rollout) reprove(ctx context.Context, e *edge) error {
	live, err := proxy.Inspect.On(ctx, e.machine, e.site)
	if err != nil {
		return fmt.Errorf("%s: %w", e.machine.Name(), err)
	}
	if live.Header == nil || live.Running != nil && live.Running.ID == live.Header.ID {
		return nil
	}
	if _, err := proxy.Restore.On(ctx, e.machine, proxy.Restoration{Site: e.site, Expect: live.Header.Generation}); err != nil {
		return fmt.Errorf("%s: %w", e.machine.Name(), err)
	}
	return nil
}

// refill points the idle slot to the release it held before the interrupted run,
// so that a rollback does not find one that never served.
func (r *rollout) refill(ctx context.Context, left *leftover) error {
	former := left.last.Former
	if former == "" {
		return nil
	}
	for _, app := range r.fleet.apps {
		at := release.Pointing{Root: string(r.Environment.Root), Slot: left.last.To, ID: former}
		if _, err := release.Point.On(ctx, app, at); err != nil {
			return fmt.Errorf("%s: %w", app.Name(), err)
		}
	}
	return nil
}

// settled closes the journal that was left and notes in the history how.
func (r *rollout) settled(ctx context.Context, left *leftover, outcome event.Outcome, text string) (string, error) {
	record := state.Deploy{
		Time: left.entries[0].Time, Run: left.last.Run, Outcome: string(outcome), Reason: text,
		From: left.last.From, FromRelease: left.last.FromRelease, To: left.last.To, ToRelease: left.last.ToRelease,
	}
	for _, e := range r.fleet.edges {
		if _, err := state.Record.On(ctx, e.machine, state.Recording{Dir: string(r.Environment.StateDir), Deploy: record}); err != nil {
			return "", fmt.Errorf("%s: history: %w", e.machine.Name(), err)
		}
		if _, err := state.Finish.On(ctx, e.machine, string(r.Environment.StateDir)); err != nil {
			return "", fmt.Errorf("%s: journal: %w", e.machine.Name(), err)
		}
	}
	return text, nil
}
