package report

import (
	"cmp"
	"slices"

	"github.com/org/deploy-action/internal/dag"
)

// vertex is a box of the graph, or the place where an edge passes between the
// boxes of a layer that it crosses.
type vertex struct {
	box         *box // nil: an edge passes
	height      float64
	place       float64 // within its layer, for ordering
	y           float64 // of its middle
	left, right []*vertex
}

// course is an edge of the graph on its way through the layers.
type course struct {
	from, to *box
	first    int       // layer of from
	via      []*vertex // one in each layer, with the vertices of both boxes
}

const (
	boxGap  = 14 // between boxes above each other
	edgeGap = 10 // around an edge that passes
	sweeps  = 8  // enough: more change hardly anything
)

// layered is a graph in layers from left to right: each box stands right of all
// that it needs, and edges pass between boxes.
type layered struct {
	layers  [][]*vertex
	courses []course
}

// layer arranges boxes. Ordering each layer by the middle of its neighbours,
// back and forth, keeps crossings few (Sugiyama's method).
func layer(boxes []*box) *layered {
	g := dag.New[*box]()
	for _, b := range boxes {
		g.Add(b, b.needed...)
	}
	l := &layered{}
	depth, at := make(map[*box]int), make(map[*box]*vertex)
	for i, wave := range g.Waves() {
		l.layers = append(l.layers, nil)
		for _, b := range wave {
			depth[b], at[b] = i, &vertex{box: b, height: b.height()}
			l.layers[i] = append(l.layers[i], at[b])
		}
	}
	for _, b := range boxes {
		for _, needed := range b.needed {
			l.connect(at[needed], at[b], depth[needed], depth[b])
		}
	}
	l.order()
	l.settle()
	return l
}

// connect leads an edge through every layer between its boxes.
func (l *layered) connect(from, to *vertex, first, last int) {
	c := course{from: from.box, to: to.box, first: first, via: []*vertex{from}}
	previous := from
	for i := first + 1; i <= last; i++ {
		next := to
		if i < last {
			next = &vertex{}
			l.layers[i] = append(l.layers[i], next)
		}
		previous.right, next.left = append(previous.right, next), append(next.left, previous)
		c.via = append(c.via, next)
		previous = next
	}
	l.courses = append(l.courses, c)
}

// order decides who stands above whom.
func (l *layered) order() {
	for _, all := range l.layers {
		number(all)
	}
	for sweep := range sweeps {
		for i := range l.layers {
			if sweep%2 == 0 {
				sortBy(l.layers[i], func(v *vertex) []*vertex { return v.left })
			} else {
				sortBy(l.layers[len(l.layers)-1-i], func(v *vertex) []*vertex { return v.right })
			}
		}
	}
}

func sortBy(all []*vertex, neighbours func(*vertex) []*vertex) {
	want := make(map[*vertex]float64, len(all))
	for _, v := range all {
		want[v] = mean(neighbours(v), func(n *vertex) float64 { return n.place }, v.place)
	}
	slices.SortStableFunc(all, func(x, y *vertex) int { return cmp.Compare(want[x], want[y]) })
	number(all)
}

// number makes places comparable between layers of different length: from 0 to 1.
func number(all []*vertex) {
	for i, v := range all {
		v.place = (float64(i) + 0.5) / float64(len(all))
	}
}

func mean(all []*vertex, of func(*vertex) float64, otherwise float64) float64 {
	if len(all) == 0 {
		return otherwise
	}
	sum := 0.0
	for _, v := range all {
		sum += of(v)
	}
	return sum / float64(len(all))
}

// settle gives each vertex its height on the page: as near to the middle of its
// neighbours as those above and below allow.
func (l *layered) settle() {
	for _, all := range l.layers {
		stack(all)
	}
	y := func(v *vertex) float64 { return v.y }
	for sweep := range sweeps {
		for i := range l.layers {
			if sweep%2 == 0 {
				spread(l.layers[i], func(v *vertex) float64 { return mean(v.left, y, v.y) })
			} else {
				spread(l.layers[len(l.layers)-1-i], func(v *vertex) float64 { return mean(v.right, y, v.y) })
			}
		}
	}
}

// stack puts vertices right below each other.
func stack(all []*vertex) {
	for i, v := range all {
		if i > 0 {
			v.y = all[i-1].y + apart(all[i-1], v)
		}
	}
}

// apart is the least distance of the middles of two vertices.
func apart(above, below *vertex) float64 {
	gap := float64(boxGap)
	if above.box == nil || below.box == nil {
		gap = edgeGap
	}
	return above.height/2 + below.height/2 + gap
}

// spread moves vertices to where they want to be, in their order and far enough
// apart: those that would collide form a block that stands in the middle of what
// its members want (the pool-adjacent-violators algorithm).
func spread(all []*vertex, want func(*vertex) float64) {
	type block struct {
		first, n int
		sum      float64 // of what its members want, as if all had no height
	}
	offset := make([]float64, len(all))
	var blocks []block
	for i, v := range all {
		if i > 0 {
			offset[i] = offset[i-1] + apart(all[i-1], v)
		}
		b := block{i, 1, want(v) - offset[i]}
		for len(blocks) > 0 {
			last := blocks[len(blocks)-1]
			if last.sum/float64(last.n) < b.sum/float64(b.n) {
				break
			}
			b = block{last.first, last.n + b.n, last.sum + b.sum}
			blocks = blocks[:len(blocks)-1]
		}
		blocks = append(blocks, b)
	}
	for _, b := range blocks {
		for i := b.first; i < b.first+b.n; i++ {
			all[i].y = b.sum/float64(b.n) + offset[i]
		}
	}
}
