package report

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/org/deploy-action/internal/event"
)

// randomBoxes are boxes that need boxes before them.
func randomBoxes(r *rand.Rand) []*box {
	var all []*box
	for i := range 2 + r.IntN(80) {
		b := &box{}
		for leg := range 1 + r.IntN(3) {
			b.stages = append(b.stages, &stage{Stage: event.Stage{Name: fmt.Sprintf("s%d[%d]", i, leg), Leg: fmt.Sprint("s", i)}})
		}
		for range r.IntN(4) * min(i, 1) {
			b.needs(all[r.IntN(i)])
		}
		all = append(all, b)
	}
	return all
}

// TestLayers checks that boxes stand right of what they need, that nothing in a
// layer overlaps, and that every edge passes each layer between its boxes.
func TestLayers(t *testing.T) {
	for seed := range uint64(100) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			boxes := randomBoxes(rand.New(rand.NewPCG(seed, 2)))
			l := layer(boxes)
			depth := make(map[*vertex]int)
			placed := 0
			for i, all := range l.layers {
				for j, v := range all {
					depth[v] = i
					if v.box != nil {
						placed++
					}
					if j > 0 && v.y-all[j-1].y < apart(all[j-1], v)-0.001 {
						t.Errorf("layer %d: %d and %d overlap", i, j-1, j)
					}
				}
			}
			if placed != len(boxes) {
				t.Errorf("%d of %d boxes are placed", placed, len(boxes))
			}
			checkCourses(t, l, depth)
		})
	}
}

func checkCourses(t *testing.T, l *layered, depth map[*vertex]int) {
	t.Helper()
	for _, c := range l.courses {
		for i, v := range c.via {
			if depth[v] != c.first+i {
				t.Errorf("an edge from layer %d is in layer %d after %d", c.first, depth[v], i)
			}
		}
		if len(c.via) < 2 || c.via[0].box != c.from || c.via[len(c.via)-1].box != c.to {
			t.Errorf("an edge does not lead from box to box")
		}
	}
}

// A diamond is drawn without a crossing, its middle layer around its ends.
func TestDiamond(t *testing.T) {
	boxes := []*box{{stages: make([]*stage, 1)}, {stages: make([]*stage, 1)}, {stages: make([]*stage, 1)}, {stages: make([]*stage, 1)}}
	boxes[1].needed, boxes[2].needed, boxes[3].needed = boxes[:1], boxes[:1], boxes[1:3]
	l := layer(boxes)
	top, bottom := l.layers[1][0].y, l.layers[1][1].y
	if middle := (top + bottom) / 2; l.layers[0][0].y != middle || l.layers[2][0].y != middle {
		t.Errorf("%v between %v and %v", l.layers[0][0].y, top, bottom)
	}
}

func TestGraphsThatAreLeftOut(t *testing.T) {
	var wide []event.Stage
	for i := range 140 { // each of the second half needs all of the first
		s := event.Stage{Name: fmt.Sprint(i)}
		for need := range 70 * (i / 70) {
			s.Needs = append(s.Needs, fmt.Sprint(need))
		}
		wide = append(wide, s)
	}
	for name, test := range map[string]struct {
		events []event.Event
		want   string
	}{
		"too many boxes": {big(maxBoxes + 1), "The graph is left out: 301 boxes are more than the 300 that can be read."},
		"too many lines": {newLog(wide...).finish(event.Result{}), "The graph is left out: it has more than 4000 lines."},
		"a single stage": {newLog(event.Stage{Name: "a"}).finish(event.Result{}), ""},
	} {
		t.Run(name, func(t *testing.T) {
			if d, why := draw(read(test.events)); d != nil || why != test.want {
				t.Errorf("%q, want %q", why, test.want)
			}
		})
	}
	if d, why := draw(read(big(maxBoxes))); d == nil {
		t.Errorf("%d boxes: %s", maxBoxes, why)
	}
}

// The legs of a matrix are one box, and what needs them is joined to it once.
func TestLegsShareABox(t *testing.T) {
	boxes := boxesOf(read(recorded(t, "release")))
	var found *box
	for _, b := range boxes {
		if b.title() == "test" {
			found = b
		}
	}
	if found == nil || len(found.stages) != 3 || found.name(found.stages[1]) != "integration" {
		t.Fatalf("no box of three legs among %d", len(boxes))
	}
	for _, b := range boxes {
		if b.stages[0].Name == "deploy" && len(b.needed) != 3 {
			t.Errorf("deploy is joined to %d boxes, want 3", len(b.needed))
		}
	}
}

// A log that was written by hand may say that stages need each other.
func TestNeedsInACircle(t *testing.T) {
	l := newLog(event.Stage{Name: "a", Needs: []string{"b", "a"}}, event.Stage{Name: "b", Needs: []string{"a", "nobody"}})
	events := l.good("b", time.Second).good("a", time.Second).finish(event.Result{Outcome: event.Succeeded, Took: time.Hour})
	if text := Markdown(events, Options{}); strings.Count(text, "==>") != 1 {
		t.Errorf("%s", text)
	}
	pageOf(t, events, nil)
	junit(t, events)
}
