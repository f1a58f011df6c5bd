package dag

import (
	"container/heap"
	"sync"
)

// Walk calls do once for every node, each after the calls for those it needs
// have returned, at most limit at once (below 1 counts as 1). Among nodes that
// are ready, the one with the longest path of dependants behind it goes first.
// Walk returns when all calls have; what a failed node means for its dependants
// is for do to know. It panics on a cycle.
func (g *Graph[K]) Walk(limit int, do func(K)) {
	w := &walk{waiting: g.newWaiting(g.longestFirst()), left: len(g.nodes)}
	w.changed.L = &w.mu
	var workers sync.WaitGroup
	for range min(max(limit, 1), len(g.nodes)) {
		workers.Go(func() { w.work(func(node int) { do(g.nodes[node]) }) })
	}
	workers.Wait()
}

// walk is a walk under way. Those who work on it go from one node straight to
// the next: starting a goroutine for each, and its stack growing anew, would
// cost more than all the rest here.
type walk struct {
	mu      sync.Mutex
	changed sync.Cond // there may be a node to take, or nothing more to wait for
	*waiting
	left int // nodes that nobody has taken
}

// work visits nodes until none is left.
func (w *walk) work(do func(node int)) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for {
		for w.left > 0 && w.ready.Len() == 0 {
			w.changed.Wait()
		}
		if w.left == 0 {
			w.changed.Broadcast()
			return
		}
		w.left--
		node := heap.Pop(&w.ready).(int)
		w.mu.Unlock()
		do(node)
		w.mu.Lock()
		before := w.ready.Len()
		w.done(node)
		for range w.ready.Len() - before - 1 { // one is for this worker
			w.changed.Signal()
		}
	}
}

// longestFirst orders nodes by the length of the path of dependants behind them.
func (g *Graph[K]) longestFirst() func(a, b int) bool {
	rank := g.ranks()
	return func(a, b int) bool {
		if rank[a] != rank[b] {
			return rank[a] > rank[b]
		}
		return a < b
	}
}

// ranks counts, for each node, the nodes on the longest path of dependants
// behind it.
func (g *Graph[K]) ranks() []int {
	rank := make([]int, len(g.nodes))
	order := g.Order()
	for i := len(order) - 1; i >= 0; i-- {
		node := g.index[order[i]]
		for _, need := range g.needs[node] {
			rank[need] = max(rank[need], rank[node]+1)
		}
	}
	return rank
}

// waiting knows which nodes are ready, and how many needs keep the others back.
type waiting struct {
	dependants [][]int
	missing    []int
	ready      queue
}

func (g *Graph[K]) newWaiting(before func(a, b int) bool) *waiting {
	w := &waiting{dependants: g.dependants, missing: make([]int, len(g.nodes)), ready: queue{before: before}}
	for node, needs := range g.needs {
		w.missing[node] = len(needs)
		if len(needs) == 0 {
			heap.Push(&w.ready, node)
		}
	}
	return w
}

// done makes ready what waited for node alone.
func (w *waiting) done(node int) {
	for _, dependant := range w.dependants[node] {
		w.missing[dependant]--
		if w.missing[dependant] == 0 {
			heap.Push(&w.ready, dependant)
		}
	}
}

// queue is a heap of nodes.
type queue struct {
	nodes  []int
	before func(a, b int) bool
}

func (q queue) Len() int           { return len(q.nodes) }
func (q queue) Less(i, j int) bool { return q.before(q.nodes[i], q.nodes[j]) }
func (q queue) Swap(i, j int)      { q.nodes[i], q.nodes[j] = q.nodes[j], q.nodes[i] }
func (q *queue) Push(node any)     { q.nodes = append(q.nodes, node.(int)) }
func (q *queue) Pop() any {
	last := len(q.nodes) - 1
	node := q.nodes[last]
	q.nodes = q.nodes[:last]
	return node
}
