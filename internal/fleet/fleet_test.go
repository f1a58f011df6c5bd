package fleet_test

import (
	"context"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/org/deploy-action/internal/fleet"
)

// visits records when each server's visit began, in seconds.
type visits struct {
	mu     sync.Mutex
	began  map[string]int
	now    int // visits under way
	most   int
	fails  []string
	cancel map[string]context.CancelFunc // called by that visit
}

// visit takes a second.
func (v *visits) visit(begin time.Time) func(context.Context, string) bool {
	return func(_ context.Context, server string) bool {
		v.mu.Lock()
		v.began[server] = int(time.Since(begin).Seconds())
		v.now++
		v.most = max(v.most, v.now)
		v.mu.Unlock()
		time.Sleep(time.Second) // of the bubble's clock
		if stop := v.cancel[server]; stop != nil {
			stop()
		}
		v.mu.Lock()
		v.now--
		v.mu.Unlock()
		return !slices.Contains(v.fails, server)
	}
}

func TestVisit(t *testing.T) {
	all := []string{"a", "b", "c", "d", "e"}
	one := slices.Collect(slices.Chunk(all, 1))
	two := slices.Collect(slices.Chunk(all, 2))
	for name, test := range map[string]struct {
		waves  [][]string
		policy fleet.Policy
		fails  []string
		cancel string
		began  map[string]int
		tally  fleet.Tally
	}{
		"parallel": {
			[][]string{all}, fleet.Policy{AtOnce: 10}, nil, "",
			map[string]int{"a": 0, "b": 0, "c": 0, "d": 0, "e": 0}, fleet.Tally{Succeeded: 5},
		},
		"bounded": {
			[][]string{all}, fleet.Policy{AtOnce: 2}, nil, "",
			map[string]int{"a": 0, "b": 0, "c": 1, "d": 1, "e": 2}, fleet.Tally{Succeeded: 5},
		},
		"rolling": {
			two, fleet.Policy{AtOnce: 10, Pause: 5 * time.Second}, nil, "",
			map[string]int{"a": 0, "b": 0, "c": 6, "d": 6, "e": 12}, fleet.Tally{Succeeded: 5},
		},
		"stops at the first failure": {
			one, fleet.Policy{AtOnce: 10, Pause: 5 * time.Second}, []string{"b"}, "",
			map[string]int{"a": 0, "b": 6}, fleet.Tally{Succeeded: 1, Failed: 1, Left: 3},
		},
		"stops within a wave": {
			[][]string{all}, fleet.Policy{AtOnce: 1}, []string{"b"}, "",
			map[string]int{"a": 0, "b": 1}, fleet.Tally{Succeeded: 1, Failed: 1, Left: 3},
		},
		"bears one failure": {
			one, fleet.Policy{AtOnce: 10, Failures: 1}, []string{"a", "c"}, "",
			map[string]int{"a": 0, "b": 1, "c": 2}, fleet.Tally{Succeeded: 1, Failed: 2, Left: 2},
		},
		"goes on": {
			one, fleet.Policy{AtOnce: 10, Failures: -1}, all, "",
			map[string]int{"a": 0, "b": 1, "c": 2, "d": 3, "e": 4}, fleet.Tally{Failed: 5},
		},
		"cancelled": {
			two, fleet.Policy{AtOnce: 10, Pause: time.Hour}, nil, "a",
			map[string]int{"a": 0, "b": 0}, fleet.Tally{Succeeded: 2, Left: 3},
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				v := &visits{began: map[string]int{}, fails: test.fails, cancel: map[string]context.CancelFunc{test.cancel: cancel}}
				tally := fleet.Visit(ctx, test.waves, test.policy, v.visit(time.Now()))
				if diff := cmp.Diff(test.tally, tally); diff != "" {
					t.Errorf("want, got:\n%s", diff)
				}
				if diff := cmp.Diff(test.began, v.began); diff != "" {
					t.Errorf("want, got:\n%s", diff)
				}
				if v.most > test.policy.AtOnce {
					t.Errorf("%d visits at once", v.most)
				}
			})
		})
	}
}
