package github

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"
)

const (
	lastWords  = 3 * time.Second // that a run waits at its end for what is still to be told
	fewerWords = time.Second     // once it was cancelled: GitHub kills it 7.5 s after the signal
)

// desk does errands at GitHub beside a run, one after the other, in the order
// they came in. A run neither waits for it nor fails by it.
//
// An errand has a name. It reads what is to be told when its turn comes, so that
// the same errand is never queued twice, and what it came to is its last word.
type desk struct {
	ctx    context.Context
	cancel context.CancelFunc

	mu     sync.Mutex
	queue  []errand
	done   chan struct{} // closed when nothing is left; nil: nobody works
	failed map[string]error
	barred map[string]error // permissions that the token lacks
}

type errand struct {
	name  string // for messages: "deployment of shop"
	needs string // the permission that it takes: "deployments: write"
	input string // that turns it off
	do    func(context.Context) error
}

func newDesk() *desk {
	d := &desk{failed: make(map[string]error), barred: make(map[string]error)}
	d.ctx, d.cancel = context.WithCancel(context.Background()) // a cancelled run has something to tell
	return d
}

// add queues an errand, unless one of that name waits already.
func (d *desk) add(e errand) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if slices.ContainsFunc(d.queue, func(other errand) bool { return other.name == e.name }) {
		return
	}
	d.queue = append(d.queue, e)
	if d.done == nil {
		d.done = make(chan struct{})
		go d.work(d.done)
	}
}

// work does errands until none waits.
func (d *desk) work(done chan struct{}) {
	defer close(done)
	for {
		e, ok := d.next()
		if !ok {
			return
		}
		err := d.barred[e.needs]
		if err == nil {
			err = e.run(d.ctx)
		}
		if forbids(err) {
			d.barred[e.needs] = err
		}
		d.mu.Lock()
		d.failed[e.name] = err
		d.mu.Unlock()
	}
}

func (e errand) run(ctx context.Context) error {
	err := persist(ctx, e.do)
	if forbids(err) {
		err = fmt.Errorf("%w; the job needs the permission %s, or the input %s: false", err, e.needs, e.input)
	}
	return err
}

func (d *desk) next() (errand, bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(d.queue) == 0 {
		d.done = nil
		return errand{}, false
	}
	e := d.queue[0]
	d.queue = d.queue[1:]
	return e, true
}

// close waits a little for the errands that are left, less where ctx is or gets
// cancelled, drops the rest, and returns what could not be told, each reason once.
func (d *desk) close(ctx context.Context) []error {
	d.mu.Lock()
	done := d.done
	d.mu.Unlock()
	if done != nil && !within(ctx, done) {
		d.giveUp()
		<-done
	}
	d.cancel()
	return d.told()
}

// within waits for done and reports whether it came in time.
func within(ctx context.Context, done <-chan struct{}) bool {
	limit := time.NewTimer(lastWords)
	defer limit.Stop()
	select {
	case <-done:
		return true
	case <-limit.C:
		return false
	case <-ctx.Done():
	}
	limit.Reset(fewerWords)
	select {
	case <-done:
		return true
	case <-limit.C:
		return false
	}
}

var errLate = errors.New("GitHub did not take it before the run was over")

// giveUp drops what waits and what is under way.
func (d *desk) giveUp() {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, e := range d.queue {
		d.failed[e.name] = errLate
	}
	d.queue = nil
	d.cancel()
}

// told are the failures of errands by their names, those of one reason together.
func (d *desk) told() []error {
	d.mu.Lock()
	defer d.mu.Unlock()
	var all []error
	said := make(map[string]bool)
	for _, name := range slices.Sorted(maps.Keys(d.failed)) {
		err := d.failed[name]
		if errors.Is(err, context.Canceled) {
			err = errLate
		}
		if err == nil || said[err.Error()] {
			continue
		}
		said[err.Error()] = true
		all = append(all, fmt.Errorf("%s: %w", name, err))
	}
	return all
}
