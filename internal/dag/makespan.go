package dag

import (
	"container/heap"
	"time"
)

// Makespan is how long Walk would take, at most limit calls at once, if the call
// for each node lasted as long as took says. It panics on a cycle.
func (g *Graph[K]) Makespan(limit int, took func(K) time.Duration) time.Duration {
	w := g.newWaiting(g.longestFirst())
	ends := make([]time.Duration, len(g.nodes))
	running := queue{before: func(a, b int) bool { return ends[a] < ends[b] }}
	var now time.Duration
	for running.Len() > 0 || w.ready.Len() > 0 {
		for running.Len() < max(limit, 1) && w.ready.Len() > 0 {
			node := heap.Pop(&w.ready).(int)
			ends[node] = now + took(g.nodes[node])
			heap.Push(&running, node)
		}
		node := heap.Pop(&running).(int)
		now = ends[node]
		w.done(node)
	}
	return now
}
