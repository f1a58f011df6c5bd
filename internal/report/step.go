package report

import (
	"slices"
	"strings"
	"time"

	"github.com/org/deploy-action/internal/event"
)

// step is a step of a switch, or of a task on one server.
type step struct {
	event.Step
	stage    string
	began    time.Time // zero where only its end is known
	again    int       // attempts that failed and were repeated
	finished bool
}

// stepKey is what a step's begin and end have in common.
type stepKey struct{ stage, environment, name, server string }

func (r *reader) step(e event.Event) {
	if e.Step == nil || e.Kind == event.StepProgress {
		return
	}
	key := stepKey{e.Stage, e.Step.Environment, e.Step.Name, e.Step.Server}
	s := r.open[key]
	if s == nil || e.Kind == event.StepStarted {
		s = &step{stage: e.Stage}
		r.steps = append(r.steps, s)
		r.open[key] = s
	}
	s.Step = *e.Step
	if e.Kind == event.StepStarted {
		s.began = e.Time
		return
	}
	s.finished = true
	delete(r.open, key)
}

// outcome is how a step ended.
func (s *step) outcome() event.Outcome {
	switch {
	case !s.finished:
		return ""
	case s.Error != "":
		return event.Failed
	}
	return event.Succeeded
}

// left reports whether a step is that of a server which its task never came to.
func (s *step) left() bool { return s.began.IsZero() && !s.finished }

// word is the outcome in a word.
func (s *step) word() string {
	switch {
	case s.left():
		return "not started"
	case !s.finished:
		return "unfinished"
	}
	return string(s.outcome())
}

// verdict is the outcome with its sign.
func (s *step) verdict() string {
	if s.left() {
		return "– " + s.word()
	}
	return mark(s.outcome()) + " " + s.word()
}

// lasted is how long a step took, a dash where it never ended.
func (s *step) lasted() string {
	if !s.finished {
		return "–"
	}
	return took(s.Took)
}

// say is what a step did or died of.
func (s *step) say() string {
	text := s.Text
	if s.Error != "" {
		text = s.Error
	}
	if s.again == 0 {
		return text
	}
	return strings.Join(present(text, "after "+count(s.again, "attempt", "attempts")+" that failed"), ", ")
}

// servers are the last words on each server of a task that was begun, in the
// order of its waves, with those that it never came to.
func (s *stage) servers() []*step {
	var names []string
	last := make(map[string]*step, len(s.Servers))
	if !s.started.IsZero() {
		names = slices.Clone(s.Servers)
	}
	for _, name := range names {
		last[name] = &step{Step: event.Step{Server: name}}
	}
	for _, at := range s.steps {
		if at.Server == "" || at.Environment != "" {
			continue
		}
		if last[at.Server] == nil {
			names = append(names, at.Server)
		}
		at.again = len(s.again[at.Server])
		last[at.Server] = at
	}
	all := make([]*step, len(names))
	for i, name := range names {
		all[i] = last[name]
	}
	return all
}

// visited are those of the servers that the task came to.
func (s *stage) visited() []*step { return slices.DeleteFunc(s.servers(), (*step).left) }

// broken is a switch that has no account of its own: the run ended in it.
type broken struct {
	environment string
	steps       []*step
}

// brokenOff lists the switches that never came to an account.
func (a *account) brokenOff() []broken {
	told := make(map[[2]string]bool)
	for _, s := range a.switches {
		told[[2]string{s.stage, s.Environment}] = true
	}
	var all []broken
	at := make(map[[2]string]int)
	for _, s := range a.steps {
		key := [2]string{s.stage, s.Environment}
		if s.Environment == "" || told[key] {
			continue
		}
		i, known := at[key]
		if !known {
			i = len(all)
			at[key] = i
			all = append(all, broken{environment: s.Environment})
		}
		all[i].steps = append(all[i].steps, s)
	}
	return all
}
