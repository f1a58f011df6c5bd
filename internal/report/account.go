package report

import (
	"cmp"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/org/deploy-action/internal/event"
)

// account is a run as its events tell it.
type account struct {
	run       event.Run
	began     time.Time // zero where the log is empty
	ended     time.Time // of the last event
	result    event.Result
	finished  bool       // a run.finished event was there
	stages    []*stage   // in run order, the legs of a matrix together
	rollbacks []*stage   // strategies; they are no stages
	steps     []*step    // of switches and tasks
	switches  []switched // those that came to their end
	artifacts []event.Artifact
	servers   []event.Server // that the run has used, as busy as they were at its end
	notes     []event.Note
	chain     []*stage // the stages, each needing the one before, that took longest together
}

// switched is a switch, the stage it belongs to and when it was over.
type switched struct {
	event.Switch
	stage string
	at    time.Time
}

// reader gathers events into an account.
type reader struct {
	*account
	byName map[string]*stage
	open   map[stepKey]*step // begun and not finished
}

// read gathers events. What the log does not say stays zero.
func read(events []event.Event) *account {
	r := reader{account: &account{}, byName: make(map[string]*stage), open: make(map[stepKey]*step)}
	for i, e := range events {
		if i == 0 {
			r.began = e.Time
		}
		r.ended = e.Time
		r.note(e)
		r.step(e)
		if s := r.stage(e); s != nil {
			s.take(i, e)
		}
	}
	for _, s := range r.steps {
		if of := r.byName[s.stage]; of != nil {
			of.steps = append(of.steps, s)
		}
	}
	r.link()
	r.arrange()
	r.chain = r.longestChain()
	return r.account
}

// note takes what belongs to the run as a whole.
func (r *reader) note(e event.Event) {
	switch {
	case e.Kind == event.RunStarted && e.Run != nil:
		r.run, r.began = *e.Run, e.Time
	case e.Kind == event.RunFinished && e.Result != nil:
		r.result, r.finished = *e.Result, true
	case e.Kind == event.SwitchDone && e.Switch != nil:
		r.switches = append(r.switches, switched{Switch: *e.Switch, stage: e.Stage, at: e.Time})
	case e.Kind == event.ArtifactDone && e.Artifact != nil:
		r.artifacts = append(r.artifacts, *e.Artifact)
	case e.Kind == event.ServerSampled && e.Server != nil:
		r.servers = append(r.servers, *e.Server)
	case e.Kind == event.Notice && e.Note != nil:
		r.notes = append(r.notes, *e.Note)
	}
}

// stage finds the stage of e, made when it is first named; nil when e has none.
func (r *reader) stage(e event.Event) *stage {
	if e.Kind == event.RunStarted && e.Run != nil {
		for _, described := range e.Run.Stages {
			r.add(described)
		}
	}
	if e.Stage == "" {
		return nil
	}
	if r.byName[e.Stage] == nil {
		r.add(event.Stage{Name: e.Stage})
	}
	return r.byName[e.Stage]
}

func (r *reader) add(described event.Stage) {
	s := &stage{Stage: described, order: maxRows}
	r.byName[described.Name] = s
	of := &r.stages
	if described.Rollback {
		of = &r.rollbacks
	}
	s.place = len(*of)
	*of = append(*of, s)
}

// link finds the stages that each one needs, and when the last of them was done.
// A stage comes after those it needs; what a damaged log says otherwise is left
// out, so that there is no cycle.
func (r *reader) link() {
	legs := make(map[string][]*stage)
	for _, s := range r.stages {
		if s.Leg != "" {
			legs[s.Leg] = append(legs[s.Leg], s)
		}
	}
	for _, s := range r.stages {
		for _, name := range s.Needs {
			needed := legs[name]
			if one := r.byName[name]; one != nil {
				needed = []*stage{one}
			}
			s.link(needed)
		}
		s.ready = r.readyAt(s)
	}
}

// readyAt is when nothing but a free place kept s from starting; zero where
// that is not known.
func (r *reader) readyAt(s *stage) time.Time {
	ready := r.began
	for _, needed := range s.needed {
		if needed.ended.IsZero() {
			return time.Time{}
		}
		if needed.ended.After(ready) {
			ready = needed.ended
		}
	}
	return ready
}

// arrange puts stages in run order, legs behind the first leg of their stage.
func (r *reader) arrange() {
	byOrder := func(x, y *stage) int { return cmp.Compare(x.order, y.order) }
	slices.SortStableFunc(r.stages, byOrder)
	slices.SortStableFunc(r.rollbacks, byOrder)
	first := make(map[string]int)
	position := func(s *stage) int { return first[s.family()] }
	for i, s := range r.stages {
		if _, known := first[s.family()]; !known {
			first[s.family()] = i
		}
	}
	slices.SortStableFunc(r.stages, func(x, y *stage) int { return cmp.Compare(position(x), position(y)) })
	for i, s := range r.stages {
		s.number = i + 1
	}
}

// everything is all that ran or could have: the stages, then the strategies.
func (a *account) everything() []*stage { return slices.Concat(a.stages, a.rollbacks) }

// with lists the stages that ended so, in run order.
func (a *account) with(outcome event.Outcome) []*stage {
	var found []*stage
	for _, s := range a.stages {
		if s.result.Outcome == outcome {
			found = append(found, s)
		}
	}
	return found
}

// planned lists the stages in the order of the plan: each after those it needs.
func (a *account) planned() []*stage {
	return slices.SortedFunc(slices.Values(a.stages), func(x, y *stage) int { return cmp.Compare(x.place, y.place) })
}

// families groups stages in their order: the legs of a matrix, or one stage.
func families(stages []*stage) [][]*stage {
	var all [][]*stage
	for i, s := range stages {
		if i > 0 && s.Leg != "" && s.family() == stages[i-1].family() {
			all[len(all)-1] = append(all[len(all)-1], s)
			continue
		}
		all = append(all, []*stage{s})
	}
	return all
}

// worst is the outcome that says most about several stages.
func worst(stages []*stage) event.Outcome {
	ranks := []event.Outcome{event.Succeeded, event.Skipped, "", event.Blocked, event.Cancelled, event.Failed, event.Stranded}
	found := event.Succeeded
	for _, s := range stages {
		if slices.Index(ranks, s.result.Outcome) > slices.Index(ranks, found) {
			found = s.result.Outcome
		}
	}
	return found
}

// tally counts stages by what became of them: "1 failed, 2 succeeded".
func tally(stages []*stage) string {
	words := make([]string, len(stages))
	for i, s := range stages {
		words[i] = s.verdict()
	}
	return census(words)
}

// tallySteps counts the servers of a task in the same way.
func tallySteps(steps []*step) string {
	words := make([]string, len(steps))
	for i, s := range steps {
		words[i] = s.word()
	}
	return census(words)
}

// census counts words, in the order of the alphabet, which happens to put
// failures before successes.
func census(words []string) string {
	counts := make(map[string]int)
	for _, word := range words {
		counts[word]++
	}
	var parts []string
	for _, word := range slices.Sorted(maps.Keys(counts)) {
		parts = append(parts, strconv.Itoa(counts[word])+" "+word)
	}
	return strings.Join(parts, ", ")
}

// together is when the first of several stages started, and how long it was to
// the end of the last one; zero where none did.
func together(stages []*stage) (first time.Time, lasted time.Duration) {
	var last time.Time
	for _, s := range stages {
		if s.started.IsZero() {
			continue
		}
		if first.IsZero() || s.started.Before(first) {
			first = s.started
		}
		if s.ended.After(last) {
			last = s.ended
		}
	}
	return first, max(last.Sub(first), 0)
}

func names(stages []*stage) string {
	list := make([]string, len(stages))
	for i, s := range stages {
		list[i] = s.Name
	}
	return enumerate(list)
}

// enumerate joins at most five items: "a, b, c, d, e and 3 more".
func enumerate(items []string) string {
	const most = 5
	if len(items) <= most {
		return strings.Join(items, ", ")
	}
	return strings.Join(items[:most], ", ") + " and " + count(len(items)-most, "more", "more")
}
