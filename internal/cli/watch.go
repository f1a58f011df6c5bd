package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"time"

	"github.com/org/deploy-action/internal/console"
	"github.com/org/deploy-action/internal/rollout"
	"github.com/org/deploy-action/internal/spec"
)

// watchInterval is how often a watch looks unless it is told otherwise.
const watchInterval = 2 * time.Second

// clearScreen moves to the upper left and clears what is there (ECMA-48, CUP
// and ED).
const clearScreen = "\x1b[H\x1b[2J"

// watch is what is shown again and again.
type watch struct {
	command  string // what shows it, for its heading
	interval time.Duration
	asJSON   bool
	changes  bool // only what has changed is shown
	look     func(context.Context) ([]byte, error)
}

// watch shows what it sees until ctx ends: that is how a watch is meant to end,
// and no failure. What can't be read is shown as well, and looked at again.
func (a *app) watch(ctx context.Context, w watch) error {
	if w.interval <= 0 {
		return &usageError{fmt.Errorf("-interval %s: must be more than 0", w.interval)}
	}
	tick := time.NewTicker(w.interval)
	defer tick.Stop()
	var before []byte
	for {
		now, err := w.look(ctx)
		if ctx.Err() != nil {
			return nil
		}
		if err != nil && before == nil {
			return err // what is wrong from the start does not get better by looking
		}
		if err != nil {
			now = fmt.Appendf(nil, "turnout: error: %v\n", err)
		}
		if !w.changes || !bytes.Equal(now, before) {
			if err := a.show(now, w); err != nil {
				return err
			}
		}
		before = now
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

// show replaces the screen of a terminal, and adds to everything else.
func (a *app) show(text []byte, w watch) error {
	now := time.Now().Format("15:04:05")
	switch {
	case w.asJSON:
		text = console.Escaped(text)
	case isTerminal(a.env.Stdout):
		if _, err := io.WriteString(a.data, clearScreen); err != nil {
			return err
		}
		text = fmt.Appendf(nil, "%s  turnout %s -watch, Ctrl-C ends\n\n%s", now, w.command, text)
	default:
		text = fmt.Appendf(nil, "── %s\n%s", now, text)
	}
	_, err := a.stdout.Write(text)
	return err
}

// watchStatus shows what serves whenever it changes.
func (a *app) watchStatus(ctx context.Context, environments []*spec.Environment, interval time.Duration, asJSON bool) error {
	return a.watch(ctx, watch{"status", interval, asJSON, true, func(ctx context.Context) ([]byte, error) {
		all, err := a.statuses(ctx, environments)
		if err != nil {
			return nil, err
		}
		var text bytes.Buffer
		if asJSON {
			err = json.NewEncoder(&text).Encode(all)
		} else {
			err = writeStatuses(&text, all)
		}
		return text.Bytes(), err
	}})
}

// statuses are those of all the environments.
func (a *app) statuses(ctx context.Context, environments []*spec.Environment) ([]*rollout.Status, error) {
	return ofEach(a, environments, func(request rollout.Request) (*rollout.Status, error) { return rollout.Inspect(ctx, request) })
}
