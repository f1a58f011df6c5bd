// Package dag orders things that need each other and visits them side by side.
package dag

import (
	"container/heap"
	"slices"
)

// Graph is a set of nodes and what each of them needs. Wherever the needs leave
// a choice, nodes come in the order of their first mention.
type Graph[K comparable] struct {
	nodes      []K
	index      map[K]int
	needs      [][]int
	dependants [][]int
}

// New returns an empty graph.
func New[K comparable]() *Graph[K] { return &Graph[K]{index: make(map[K]int)} }

// Add adds k, which needs the others. What is only ever needed is a node too.
func (g *Graph[K]) Add(k K, needs ...K) {
	node := g.node(k)
	for _, need := range needs {
		needed := g.node(need)
		g.needs[node] = append(g.needs[node], needed)
		g.dependants[needed] = append(g.dependants[needed], node)
	}
}

func (g *Graph[K]) node(k K) int {
	node, known := g.index[k]
	if known {
		return node
	}
	node = len(g.nodes)
	g.index[k] = node
	g.nodes = append(g.nodes, k)
	g.needs = append(g.needs, nil)
	g.dependants = append(g.dependants, nil)
	return node
}

// Cycle returns nodes of which each needs the next and the last needs the
// first, beginning with the one mentioned first; nil where there is no cycle.
func (g *Graph[K]) Cycle() []K {
	search := cycleSearch{needs: g.needs, state: make([]visit, len(g.nodes))}
	for node := range g.nodes {
		if search.enter(node) {
			return g.keys(rotate(search.path))
		}
	}
	return nil
}

// Order returns every node after those it needs. It panics on a cycle.
func (g *Graph[K]) Order() []K {
	w := g.newWaiting(func(a, b int) bool { return a < b })
	var order []int
	for w.ready.Len() > 0 {
		node := heap.Pop(&w.ready).(int)
		order = append(order, node)
		w.done(node)
	}
	if len(order) != len(g.nodes) {
		panic("dag: a graph with a cycle has no order")
	}
	return g.keys(order)
}

// Waves returns the nodes in groups: each node is in the first group in which
// all it needs has come before. It panics on a cycle.
func (g *Graph[K]) Waves() [][]K {
	depth := make([]int, len(g.nodes))
	var waves [][]K
	for _, k := range g.Order() {
		node := g.index[k]
		for _, need := range g.needs[node] {
			depth[node] = max(depth[node], depth[need]+1)
		}
		if depth[node] == len(waves) {
			waves = append(waves, nil)
		}
		waves[depth[node]] = append(waves[depth[node]], k)
	}
	return waves
}

func (g *Graph[K]) keys(nodes []int) []K {
	keys := make([]K, len(nodes))
	for i, node := range nodes {
		keys[i] = g.nodes[node]
	}
	return keys
}

// visit says how far a search has come with a node.
type visit int

const (
	unseen  visit = iota
	onPath        // its needs are being looked at
	settled       // no cycle can be reached from it
)

type cycleSearch struct {
	needs [][]int
	state []visit
	path  []int // at the end, the cycle
}

// enter looks for a cycle from node on and leaves it in path.
func (c *cycleSearch) enter(node int) bool {
	switch c.state[node] {
	case settled:
		return false
	case onPath:
		c.path = c.path[slices.Index(c.path, node):]
		return true
	}
	c.state[node] = onPath
	c.path = append(c.path, node)
	if slices.ContainsFunc(c.needs[node], c.enter) {
		return true
	}
	c.path = c.path[:len(c.path)-1]
	c.state[node] = settled
	return false
}

// rotate puts the smallest element first and keeps the round.
func rotate(round []int) []int {
	first := slices.Index(round, slices.Min(round))
	return slices.Concat(round[first:], round[:first])
}
