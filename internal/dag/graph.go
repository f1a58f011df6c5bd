// Package dag orders things that need each other and visits them side by side.
package dag

import "container/heap"

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
