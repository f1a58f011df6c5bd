package rollout

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/org/deploy-action/internal/state"
)

// ErrNoCanary means that no run is at a canary that could be told anything.
var ErrNoCanary = errors.New("no canary is under way")

const (
	takenTime = 15 * time.Second // in which a run that lives has taken a word
	takenPoll = 250 * time.Millisecond
)

// Tell leaves a word to the run that is at a canary of the environment, on every
// proxy host that can be reached, and waits until it has taken it. It returns what
// that run does. The error is ErrNoCanary where there is none.
func Tell(ctx context.Context, request Request, word state.Word) (string, error) {
	r := &rollout{Request: request, fleet: reach(ctx, request)}
	fronts := r.fleet.fronts()
	if len(fronts) == 0 {
		return "", r.fleet.losses()
	}
	heard, err := gather(ctx, fronts, func(ctx context.Context, h *host) (state.Audience, error) {
		return state.Say.On(ctx, h.machine, state.Speech{Dir: h.dir, Word: word})
	})
	at := slices.IndexFunc(heard, func(a state.Audience) bool { return a.Canary })
	switch {
	case at >= 0: // one host that was told is enough
		return r.taken(ctx, fronts[at], *heard[at].Last)
	case err != nil:
		return "", err
	}
	return "", fmt.Errorf("%s: %w: %s", r.Environment.Name, ErrNoCanary, instead(heard))
}

// instead says what is done to the environment where there is no canary.
func instead(heard []state.Audience) string {
	for _, a := range heard {
		switch {
		case !a.Grant.Held:
		case a.Last != nil:
			return fmt.Sprintf("%s deploys; its last step was %s", a.Grant.By, a.Last.Kind)
		default:
			return fmt.Sprintf("%s has the lock, and nothing has been changed yet", a.Grant.By)
		}
	}
	return "nobody deploys"
}

// taken waits until the run has gone on from a share: it has then heard the word,
// or did something of its own accord a moment before.
func (r *rollout) taken(ctx context.Context, h *host, from state.Entry) (string, error) {
	ctx, stop := context.WithTimeout(ctx, takenTime)
	defer stop()
	tick := time.NewTicker(takenPoll)
	defer tick.Stop()
	for {
		journal, err := state.Journal.On(ctx, h.machine, h.dir)
		if err != nil {
			return "", on(h, err)
		}
		if did := wentOn(journal, from); did != "" {
			return fmt.Sprintf("run %s %s", from.Epoch.Run, did), nil
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return "", fmt.Errorf("%s: run %s has not taken the word in %s; it is left for it; see: turnout status %s", h.Name(), from.Epoch.Run, takenTime, r.Environment.Name)
		}
	}
}

// wentOn says what a run has done since a share; empty: nothing yet.
func wentOn(journal state.Journalled, from state.Entry) string {
	if len(journal.Entries) == 0 || journal.Entries[0].Epoch != from.Epoch {
		return "has ended"
	}
	switch last := journal.Entries[len(journal.Entries)-1]; last.Kind {
	case state.Share:
		return ""
	case state.Back:
		return fmt.Sprintf("gives all traffic to %s again", last.From)
	default:
		return fmt.Sprintf("gives all traffic to %s and watches it", last.To)
	}
}
