package spec

import (
	"fmt"
	"strings"

	"github.com/hashicorp/hcl/v2"
)

// cycles finds the ways that lead back to where they began, each name on at most
// one of them. It visits every name and every edge once.
func cycles(names []string, next func(string) []string) [][]string {
	w := &walk{next: next, state: make(map[string]int, len(names))}
	for _, name := range names {
		w.visit(name)
	}
	return w.found
}

// walk is a depth-first search. A state is 0 for a name not seen yet, its
// place on the path, counted from 1, while the search is below it, and -1 after.
type walk struct {
	next  func(string) []string
	state map[string]int
	path  []string
	found [][]string
}

func (w *walk) visit(name string) {
	if at := w.state[name]; at != 0 {
		if at > 0 {
			w.found = append(w.found, append([]string(nil), w.path[at-1:]...))
		}
		return
	}
	w.path = append(w.path, name)
	w.state[name] = len(w.path)
	for _, other := range w.next(name) {
		w.visit(other)
	}
	w.path = w.path[:len(w.path)-1]
	w.state[name] = -1
}

// step is a member of a cycle, as a message names it.
type step struct {
	name string
	at   hcl.Range
}

// reportCycle names the members of a cycle with their places, at the first one.
func (r *reader) reportCycle(summary, verb string, cycle []step) {
	var way strings.Builder
	for _, s := range cycle {
		fmt.Fprintf(&way, "%s (%s) %s ", s.name, place(s.at), verb)
	}
	fmt.Fprintf(&way, "%s", cycle[0].name)
	r.errorf(cycle[0].at, summary, "These need each other, so that none can come first: %s.", way.String())
}
