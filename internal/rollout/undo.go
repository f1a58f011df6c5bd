package rollout

import (
	"context"
	"slices"
	"strings"
)

// undo remembers how to take back what was done on one host, newest first. It is
// armed as soon as something is done and stays unused when the switch succeeds.
// Each host has its own, so that one that hangs holds up no other.
type undo struct {
	acts []act
}

// act takes one thing back. Acts that only make the idle slot as it was can be
// left out when the run was cancelled and time is short.
type act struct {
	what    string // for the report: "traffic back on blue"; empty: not worth telling
	leisure bool
	do      func(context.Context) error
}

func (u *undo) push(what string, do func(context.Context) error) {
	u.acts = append(u.acts, act{what: what, do: do})
}

func (u *undo) pushLeisure(what string, do func(context.Context) error) {
	u.acts = append(u.acts, act{what: what, leisure: true, do: do})
}

// run takes everything back, newest first, and goes on past a failure: traffic
// that can be put back is put back even where a file could not be. It returns
// what was done.
func (u *undo) run(ctx context.Context, hurry bool) ([]string, error) {
	var did []string
	var errs []error
	for i := len(u.acts) - 1; i >= 0; i-- {
		a := u.acts[i]
		if a.leisure && hurry {
			continue
		}
		if err := a.do(ctx); err != nil {
			errs = append(errs, err)
			continue
		}
		if a.what != "" {
			did = append(did, a.what)
		}
	}
	u.acts = nil
	return did, joined(errs)
}

// undoable is a host on which something may have to be taken back.
type undoable interface {
	named
	undoing() *undo
	over() error // why nothing may be taken back any more
}

// unwind takes back what was done on hosts, side by side. Its text tells once
// what was done on several.
func unwind[H undoable](ctx context.Context, hosts []H, hurry bool) (string, error) {
	did, err := gather(ctx, hosts, func(ctx context.Context, h H) ([]string, error) {
		if err := h.over(); err != nil {
			return nil, err
		}
		return h.undoing().run(ctx, hurry)
	})
	var all []string
	for _, text := range slices.Concat(did...) {
		if !slices.Contains(all, text) {
			all = append(all, text)
		}
	}
	return strings.Join(all, ", "), err
}
