package report

import (
	"cmp"
	"fmt"
	"slices"
	"sort"
	"strings"
	"time"

	"github.com/org/deploy-action/internal/dag"
	"github.com/org/deploy-action/internal/event"
)

const (
	slowRun     = 600 * time.Second // a pipeline past it is called slow
	someTime    = time.Minute       // shorter runs need no advice on single stages
	largeShare  = 50                // percent of a run that make one stage worth a word
	boundShare  = 80                // percent of a run that its longest chain takes when nothing else can shorten it
	worthShare  = 10                // percent of a run that are worth saving
	worthSaving = 10 * time.Second
	maxPlaces   = 64 // nobody has more places on one machine
)

// speed says what would make the run shorter. After a failure there is more
// urgent reading, so only that a run is slow is said then.
func (a *account) speed() []string {
	total := a.result.Took
	var list []string
	switch slowest := a.slowest(); {
	case len(slowest) == 0 || total < someTime:
	case total > slowRun:
		list = append(list, fmt.Sprintf("The run took %s, more than %s. The slowest stages: %s.", took(total), took(slowRun), shares(slowest, total)))
	case len(a.stages) > 1 && share(slowest[0], total) >= largeShare:
		list = append(list, fmt.Sprintf("Most of the time went into one stage: %s.", shares(slowest[:1], total)))
	}
	if a.result.Outcome != event.Succeeded {
		return list
	}
	if text := a.parallel(total); text != "" {
		return append(list, text)
	}
	if text := a.bound(total); text != "" {
		list = append(list, text)
	}
	return list
}

// slowest are the stages that took longest, at most three.
func (a *account) slowest() []*stage {
	var ran []*stage
	for _, s := range a.stages {
		if s.took() > 0 {
			ran = append(ran, s)
		}
	}
	slices.SortStableFunc(ran, func(x, y *stage) int { return cmp.Compare(y.took(), x.took()) })
	return ran[:min(len(ran), 3)]
}

// share is the percentage of a run that a stage took.
func share(s *stage, total time.Duration) int { return int(s.took() * 100 / total) }

func shares(stages []*stage, total time.Duration) string {
	var parts []string
	for i, s := range stages {
		if i == 0 || share(s, total) >= worthShare {
			parts = append(parts, fmt.Sprintf("%s %s (%d %%)", s.Name, took(s.took()), share(s, total)))
		}
	}
	return strings.Join(parts, ", ")
}

// parallel says how many places would have been enough, and what they would have
// saved; nothing where the gain is small. Both figures come from the same
// simulation, so that what it leaves out is left out on both sides.
func (a *account) parallel(total time.Duration) string {
	places, most := a.run.MaxParallel, min(maxPlaces, len(a.stages))
	if places < 1 || places >= most {
		return ""
	}
	graph := a.graph()
	span := func(places int) time.Duration { return graph.Makespan(places, (*stage).took) }
	now, best := span(places), span(most)
	enough := places + 1 + sort.Search(most-places-1, func(more int) bool {
		return span(places+1+more) <= best+(now-best)/10
	})
	saved := now - span(enough)
	if saved < max(worthSaving, total*worthShare/100) {
		return ""
	}
	return fmt.Sprintf("max_parallel = %d instead of %d would save about %s, if the machine has room for it%s.",
		enough, places, took(saved.Round(time.Second)), a.waiters(total))
}

// graph is the run as it could be run again.
func (a *account) graph() *dag.Graph[*stage] {
	g := dag.New[*stage]()
	for _, s := range a.planned() {
		g.Add(s, s.needed...)
	}
	return g
}

// waiters names the stages that waited longest for a free place.
func (a *account) waiters(total time.Duration) string {
	var waited []*stage
	for _, s := range a.stages {
		if s.waited() >= max(worthSaving, total*worthShare/100) {
			waited = append(waited, s)
		}
	}
	slices.SortStableFunc(waited, func(x, y *stage) int { return cmp.Compare(y.waited(), x.waited()) })
	var parts []string
	for _, s := range waited[:min(len(waited), 3)] {
		parts = append(parts, fmt.Sprintf("%s waited %s for a place", s.Name, took(s.waited())))
	}
	if len(parts) == 0 {
		return ""
	}
	return ": " + strings.Join(parts, ", ")
}

// bound names the longest chain where it sets the pace.
func (a *account) bound(total time.Duration) string {
	length := a.chainTook()
	if len(a.chain) < 2 || total < someTime || length*100 < total*boundShare {
		return ""
	}
	return fmt.Sprintf("The longest chain of stages, %s, took %s of %s: more places would not help, only shorter stages on it or fewer needs.",
		route(a.chain), took(length), took(total))
}

// route is a chain of stages, its middle left out where it is long.
func route(chain []*stage) string {
	const most = 8
	list := make([]string, len(chain))
	for i, s := range chain {
		list[i] = s.Name
	}
	if len(list) > most {
		list = slices.Concat(list[:most/2], []string{fmt.Sprintf("… (%d more)", len(list)-most)}, list[len(list)-most/2:])
	}
	return strings.Join(list, " → ")
}

func (a *account) chainTook() time.Duration {
	var length time.Duration
	for _, s := range a.chain {
		length += s.took()
	}
	return length
}

// longestChain is the path through the graph that took longest; its stages are
// marked. Stages come after those they need, so one walk finds it.
func (a *account) longestChain() []*stage {
	length := make(map[*stage]time.Duration, len(a.stages))
	before := make(map[*stage]*stage)
	var last *stage
	for _, s := range a.planned() {
		for _, needed := range s.needed {
			if length[needed] > length[before[s]] {
				before[s] = needed
			}
		}
		length[s] = length[before[s]] + s.took()
		if length[s] > length[last] {
			last = s
		}
	}
	var chain []*stage
	for s := last; s != nil; s = before[s] {
		s.critical, s.before = true, before[s]
		chain = append(chain, s)
	}
	slices.Reverse(chain)
	return chain
}
