package github

import (
	"errors"
	"strconv"
	"sync"

	"github.com/org/deploy-action/internal/event"
	"github.com/org/deploy-action/internal/spec"
)

// stateUnsettled is the name of the state that tells the post step of a run
// that may have left something: the run's id, or empty.
const stateUnsettled = "unsettled"

// Listener follows a run for GitHub: it collects annotations and outputs, and
// tells the post step whether there is anything to settle. Deployments are told as
// they happen.
type Listener struct {
	actions  *Actions
	api      *API
	command  string // that runs
	mu       sync.Mutex
	stages   map[string]event.Stage
	remarks  []annotation
	blamed   bool // a stage has an error annotation
	last     event.Switch
	putBack  bool
	moves    map[string]move // by environment
	begun    map[string]bool // deployments of environments that GitHub was told of
	result   event.Result
	problems []error // of telling the post step
}

// move is what served an environment before the run, and what serves it now.
type move struct{ before, now event.SlotRelease }

// NewListener returns a Listener that speaks through a.
func NewListener(a *Actions) *Listener {
	return &Listener{actions: a, api: a.API(), begun: make(map[string]bool), stages: make(map[string]event.Stage), moves: make(map[string]move)}
}

// Event takes one event of the run. It may be called from several goroutines.
func (l *Listener) Event(e event.Event) {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case e.Kind == event.RunStarted && e.Run != nil:
		l.begin(*e.Run)
	case e.Kind == event.StageFinished && e.Result != nil:
		l.stage(e.Stage, *e.Result)
	case e.Kind == event.StepStarted && e.Step != nil:
		l.shipping(e)
	case e.Kind == event.SwitchDone && e.Switch != nil:
		l.switched(*e.Switch)
		l.deployed(*e.Switch)
	case e.Kind == event.Notice && e.Note != nil:
		l.remark(annotation{kind: kindOf(e.Note.Level), text: withHint(e.Note.Text, e.Note.Hint), pos: e.Note.Pos})
	case e.Kind == event.RunFinished && e.Result != nil:
		l.end(*e.Result)
	}
}

func (l *Listener) begin(run event.Run) {
	l.command = run.Command
	for _, s := range run.Stages {
		l.stages[s.Name] = s
	}
	l.tellPost(run.ID)
}

func (l *Listener) stage(name string, r event.Result) {
	if r.Outcome != event.Failed && r.Outcome != event.Stranded {
		return
	}
	n := annotation{kind: "error", title: l.title(name) + " failed", text: withHint(r.Reason, r.Hint), pos: r.Pos}
	if n.pos == (spec.Pos{}) {
		n.pos = l.stages[name].Pos
	}
	if r.Ignored {
		n.kind = "warning"
	}
	l.blamed = l.blamed || !r.Ignored
	l.remark(n)
}

// title names a stage, or a rollback strategy as the spec does.
func (l *Listener) title(name string) string {
	if s := l.stages[name]; s.Rollback {
		return "Rollback " + s.Strategy()
	}
	return "Stage " + name
}

func (l *Listener) switched(s event.Switch) {
	l.last = s
	l.putBack = l.putBack || s.PutBack || s.Rollback && s.Outcome == event.Succeeded
	m, known := l.moves[s.Environment]
	if !known {
		m.before = s.From
	}
	m.now = s.Serving
	l.moves[s.Environment] = m
}

// changed reports whether an environment is served by another release than
// before the run: not by one that came and went.
func (l *Listener) changed() bool {
	for _, m := range l.moves {
		if m.now != m.before {
			return true
		}
	}
	return false
}

// end notes how the run ended. A run that could not be put back stays
// unsettled: the post step is its second chance.
func (l *Listener) end(r event.Result) {
	l.result = r
	if r.Outcome != event.Stranded {
		l.tellPost("")
	}
	text := withHint(r.Reason, r.Hint)
	switch {
	case r.Outcome == event.Stranded:
		l.remark(annotation{kind: "error", title: "Not put back", text: text, pos: r.Pos})
	case r.Outcome == event.Failed && !l.blamed:
		l.remark(annotation{kind: "error", title: "Run failed", text: text, pos: r.Pos})
	case r.Outcome == event.Cancelled:
		l.remark(annotation{kind: "warning", title: "Run cancelled", text: text, pos: r.Pos})
	}
}

func (l *Listener) remark(n annotation) { l.remarks = append(l.remarks, n) }

func (l *Listener) tellPost(unsettled string) {
	if err := l.actions.SaveState(stateUnsettled, unsettled); err != nil {
		l.problems = append(l.problems, err)
	}
}

// Finish issues the annotations, sets the outputs and writes the summary. They
// wait until the run is over because a log that relays the output of commands
// stops the runner's own commands meanwhile. The report is named from the
// working directory.
func (l *Listener) Finish(summary, report string) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.actions.annotate(l.remarks)
	problems := append(l.problems, l.actions.Summary(summary))
	for _, o := range l.outputs(report) {
		problems = append(problems, l.actions.Output(o.name, o.value))
	}
	return errors.Join(problems...)
}

type output struct{ name, value string }

// outputs are those of action.yml. Where a run moved several environments, they
// tell of the last one.
func (l *Listener) outputs(report string) []output {
	return []output{
		{"outcome", string(l.result.Outcome)},
		{"environment", l.last.Environment},
		{"active_slot", l.last.Serving.Slot},
		{"release", l.last.Serving.Release},
		{"url", l.last.URL},
		{"report", l.actions.fromWorkspace(report)},
		{"rolled_back", strconv.FormatBool(l.putBack)},
		{"changed", strconv.FormatBool(l.changed())},
	}
}

func withHint(text, hint string) string {
	if hint == "" {
		return text
	}
	return text + "\nhint: " + hint
}
