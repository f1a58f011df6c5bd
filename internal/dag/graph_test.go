package dag_test

import (
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"sync"
	"testing"

	"go.uber.org/goleak"

	"github.com/org/deploy-action/internal/dag"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// graph reads "a:b,c" as: a needs b and c.
func graph(edges ...string) *dag.Graph[string] {
	g := dag.New[string]()
	for _, edge := range edges {
		var needs []string
		for _, need := range edge[2:] {
			needs = append(needs, string(need))
		}
		g.Add(edge[:1], needs...)
	}
	return g
}

func TestOrderAndWaves(t *testing.T) {
	for name, test := range map[string]struct {
		edges []string
		order []string
		waves [][]string
	}{
		"as written":         {[]string{"a:", "b:", "c:"}, []string{"a", "b", "c"}, [][]string{{"a", "b", "c"}}},
		"diamond":            {[]string{"a:", "b:a", "c:a", "d:bc"}, []string{"a", "b", "c", "d"}, [][]string{{"a"}, {"b", "c"}, {"d"}}},
		"need written later": {[]string{"a:z", "b:", "z:"}, []string{"z", "a", "b"}, [][]string{{"z", "b"}, {"a"}}},
		"need written twice": {[]string{"a:", "b:aa"}, []string{"a", "b"}, [][]string{{"a"}, {"b"}}},
		"late by depth":      {[]string{"a:", "b:a", "c:b", "d:ac"}, []string{"a", "b", "c", "d"}, [][]string{{"a"}, {"b"}, {"c"}, {"d"}}},
	} {
		t.Run(name, func(t *testing.T) {
			g := graph(test.edges...)
			if got := g.Order(); !slices.Equal(got, test.order) {
				t.Errorf("Order() = %q, want %q", got, test.order)
			}
			if got := g.Waves(); !reflect.DeepEqual(got, test.waves) {
				t.Errorf("Waves() = %q, want %q", got, test.waves)
			}
		})
	}
}

func TestOrderPanicsOnACycle(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Error("Order of a cycle did not panic")
		}
	}()
	graph("a:b", "b:a").Order()
}

func TestWalkTakesTheCriticalPathFirst(t *testing.T) {
	g := graph("s:", "t:", "a:", "b:a", "c:b")
	var order []string
	g.Walk(1, func(k string) { order = append(order, k) })
	if want := []string{"a", "b", "s", "t", "c"}; !slices.Equal(order, want) {
		t.Errorf("walked %q, want %q", order, want)
	}
}

// visits records a walk and complains about what it must not do.
type visits struct {
	t       *testing.T
	needs   map[int][]int
	mu      sync.Mutex
	done    map[int]bool
	running int
	most    int
}

func (v *visits) enter(node int) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.running++
	v.most = max(v.most, v.running)
	for _, need := range v.needs[node] {
		if !v.done[need] {
			v.t.Errorf("%d began before %d was done", node, need)
		}
	}
}

func (v *visits) leave(node int) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.done[node] {
		v.t.Errorf("%d was visited twice", node)
	}
	v.done[node] = true
	v.running--
}

// random returns a graph without cycles: nodes need nodes of smaller number,
// added in any order.
func random(r *rand.Rand) (*dag.Graph[int], map[int][]int) {
	g, needs := dag.New[int](), make(map[int][]int)
	for _, node := range r.Perm(1 + r.IntN(60)) {
		needs[node] = nil
		for range r.IntN(4) * min(node, 1) {
			needs[node] = append(needs[node], r.IntN(node))
		}
		g.Add(node, needs[node]...)
	}
	return g, needs
}

func TestRandomGraphs(t *testing.T) {
	for seed := range uint64(300) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			r := rand.New(rand.NewPCG(seed, 0))
			g, needs := random(r)
			checkOrder(t, slices.Concat(g.Waves()...), needs)
			checkOrder(t, g.Order(), needs)
			limit := 1 + r.IntN(8)
			v := &visits{t: t, needs: needs, done: make(map[int]bool)}
			g.Walk(limit, func(node int) { v.enter(node); v.leave(node) })
			if len(v.done) != len(needs) || v.most > limit {
				t.Errorf("visited %d of %d nodes, %d at once of %d", len(v.done), len(needs), v.most, limit)
			}
		})
	}
}

// checkOrder sees that every node comes once, after its needs.
func checkOrder(t *testing.T, order []int, needs map[int][]int) {
	t.Helper()
	place := make(map[int]int)
	for i, node := range order {
		place[node] = i
	}
	if len(order) != len(needs) || len(place) != len(needs) {
		t.Errorf("order has %d nodes, %d of them different; the graph has %d", len(order), len(place), len(needs))
	}
	for node, list := range needs {
		for _, need := range list {
			if place[need] >= place[node] {
				t.Errorf("%d comes before %d, which it needs", node, need)
			}
		}
	}
}

func BenchmarkWalk(b *testing.B) {
	g := dag.New[int]()
	for node := range 5000 {
		if node < 10 {
			g.Add(node)
			continue
		}
		g.Add(node, node-10, node-9)
	}
	for b.Loop() {
		g.Walk(2, func(int) {})
	}
}
