package dag

import "container/heap"

// Walk calls do once for every node, each after the calls for those it needs
// have returned, at most limit at once (below 1 counts as 1). Among nodes that
// are ready, the one with the longest path of dependants behind it goes first.
// Walk returns when all calls have; what a failed node means for its dependants
// is for do to know. It panics on a cycle.
func (g *Graph[K]) Walk(limit int, do func(K)) {
	rank := g.ranks()
	w := g.newWaiting(func(a, b int) bool {
		if rank[a] != rank[b] {
			return rank[a] > rank[b]
		}
		return a < b
	})
	returned := make(chan int)
	for running := 0; running > 0 || w.ready.Len() > 0; running-- {
		for ; running < max(limit, 1) && w.ready.Len() > 0; running++ {
			node := heap.Pop(&w.ready).(int)
			go func() {
				do(g.nodes[node])
				returned <- node
			}()
		}
		w.done(<-returned)
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
