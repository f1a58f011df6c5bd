package dag_test

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"

	"github.com/org/deploy-action/internal/dag"
)

// TestMakespanIsWhatAWalkTakes walks with calls that last, and compares. No two
// calls end at the same moment, or the walk would have a choice.
func TestMakespanIsWhatAWalkTakes(t *testing.T) {
	for seed := range uint64(100) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			r := rand.New(rand.NewPCG(seed, 1))
			g, needs := random(r)
			lasts := make(map[int]time.Duration)
			for node := range needs {
				lasts[node] = time.Duration(r.Int64N(int64(time.Hour)))
			}
			took := func(node int) time.Duration { return lasts[node] }
			for limit := 1; limit < 6; limit++ {
				synctest.Test(t, func(t *testing.T) {
					began := time.Now()
					g.Walk(limit, func(node int) { time.Sleep(took(node)) })
					if got, want := g.Makespan(limit, took), time.Since(began); got != want {
						t.Errorf("Makespan(%d) = %s, the walk took %s", limit, got, want)
					}
				})
			}
		})
	}
}

func TestMakespan(t *testing.T) {
	g := graph("a:", "b:a", "c:a", "d:bc")
	lasts := map[string]time.Duration{"a": 1, "b": 5, "c": 3, "d": 1}
	for limit, want := range map[int]time.Duration{0: 10, 1: 10, 2: 7, 9: 7} {
		if got := g.Makespan(limit, func(k string) time.Duration { return lasts[k] }); got != want {
			t.Errorf("Makespan(%d) = %d, want %d", limit, got, want)
		}
	}
	if got := dag.New[int]().Makespan(3, nil); got != 0 {
		t.Errorf("nothing takes %s", got)
	}
}
