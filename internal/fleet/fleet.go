// Package fleet visits many servers in waves, and knows when to stop.
package fleet

import (
	"context"
	"sync"
	"time"
)

// Policy says how servers are visited.
type Policy struct {
	AtOnce   int           // most visits at the same time
	Pause    time.Duration // between waves
	Failures int           // visits that may fail before no other begins; negative: any number
}

// Tally counts visits by their end.
type Tally struct {
	Succeeded, Failed int
	Left              int // not begun: too many had failed, or ctx had ended
}

// Visit calls visit for every element of every wave: those of a wave side by
// side, each wave after the one before. visit reports whether it succeeded.
// When ctx ends or more visits have failed than the policy allows, no other
// begins; those under way are waited for.
func Visit[S any](ctx context.Context, waves [][]S, p Policy, visit func(context.Context, S) bool) Tally {
	t := &tour{policy: p, places: make(chan struct{}, max(1, p.AtOnce))}
	for i, wave := range waves {
		if i > 0 && t.open(ctx) {
			pause(ctx, p.Pause)
		}
		var visits sync.WaitGroup
		for _, s := range wave {
			t.places <- struct{}{}
			if !t.open(ctx) {
				t.tally.Left++
				<-t.places
				continue
			}
			visits.Go(func() {
				t.count(visit(ctx, s))
				<-t.places
			})
		}
		visits.Wait()
	}
	return t.tally
}

// tour is a visit of all servers under way. Left belongs to the one who walks.
type tour struct {
	policy Policy
	places chan struct{}

	mu    sync.Mutex
	tally Tally
}

// open reports whether another visit may begin.
func (t *tour) open(ctx context.Context) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return ctx.Err() == nil && (t.policy.Failures < 0 || t.tally.Failed <= t.policy.Failures)
}

func (t *tour) count(succeeded bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if succeeded {
		t.tally.Succeeded++
	} else {
		t.tally.Failed++
	}
}

func pause(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	}
}
