package report

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"github.com/org/deploy-action/internal/event"
)

// account is a run as its events tell it.
type account struct {
	run      event.Run
	result   event.Result
	finished bool // a run.finished event was there
	stages   []*stage
	switches []switched
	notes    []event.Note
}

// stage is a stage of the run with what became of it.
type stage struct {
	event.Stage
	number   int // from 1, in run order
	order    int // of its first event; stages without one come last
	started  time.Time
	retries  []event.Attempt
	result   event.Result
	finished bool
}

// switched is a switch, the stage it belongs to and when it was over.
type switched struct {
	event.Switch
	stage string
	at    time.Time
}

// read gathers events. What the log does not say stays zero.
func read(events []event.Event) *account {
	a := &account{}
	byName := make(map[string]*stage)
	for i, e := range events {
		a.note(e)
		if s := a.stage(byName, e); s != nil {
			s.take(i, e)
		}
	}
	a.sort()
	return a
}

// note takes what belongs to the run as a whole.
func (a *account) note(e event.Event) {
	switch {
	case e.Kind == event.RunStarted && e.Run != nil:
		a.run = *e.Run
	case e.Kind == event.RunFinished && e.Result != nil:
		a.result, a.finished = *e.Result, true
	case e.Kind == event.SwitchDone && e.Switch != nil:
		a.switches = append(a.switches, switched{Switch: *e.Switch, stage: e.Stage, at: e.Time})
	case e.Kind == event.Notice && e.Note != nil:
		a.notes = append(a.notes, *e.Note)
	}
}

// stage finds the stage of e, made when it is first named; nil when e has none.
func (a *account) stage(byName map[string]*stage, e event.Event) *stage {
	if e.Kind == event.RunStarted && e.Run != nil {
		for _, described := range e.Run.Stages {
			a.add(byName, described)
		}
	}
	if e.Stage == "" {
		return nil
	}
	if byName[e.Stage] == nil {
		a.add(byName, event.Stage{Name: e.Stage})
	}
	return byName[e.Stage]
}

func (a *account) add(byName map[string]*stage, described event.Stage) {
	s := &stage{Stage: described, order: maxRows}
	byName[described.Name] = s
	a.stages = append(a.stages, s)
}

func (s *stage) take(order int, e event.Event) {
	s.order = min(s.order, order)
	switch {
	case e.Kind == event.StageStarted:
		s.started = e.Time
	case e.Kind == event.StageRetry && e.Attempt != nil:
		s.retries = append(s.retries, *e.Attempt)
	case e.Kind == event.StageFinished && e.Result != nil:
		s.result, s.finished = *e.Result, true
	}
}

// sort puts stages in run order.
func (a *account) sort() {
	slices.SortStableFunc(a.stages, func(x, y *stage) int { return cmp.Compare(x.order, y.order) })
	for i, s := range a.stages {
		s.number = i + 1
	}
}

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

// attempts is how often the stage was tried.
func (s *stage) attempts() int { return max(s.result.Attempts, len(s.retries)) }

// outcome is how the stage ended, in a word.
func (s *stage) outcome() string {
	switch {
	case s.finished:
		return string(s.result.Outcome)
	case !s.started.IsZero():
		return "unfinished"
	}
	return "not reached"
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
