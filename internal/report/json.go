package report

import (
	"encoding/json"
	"time"

	"github.com/org/deploy-action/internal/event"
)

// Schema is the version of Document. Fields are added within a version, never
// renamed or removed.
const Schema = 1

// Document is a run for programs. Durations are in nanoseconds and end in _ns.
type Document struct {
	Schema          int              `json:"schema"`
	Outcome         event.Outcome    `json:"outcome"` // empty when the run was killed
	Run             event.Run        `json:"run"`
	Result          event.Result     `json:"result"`
	Stages          []StageResult    `json:"stages"`    // in the order they ran
	Rollbacks       []StageResult    `json:"rollbacks"` // in the order they ran, then those that did nothing
	Switches        []event.Switch   `json:"switches"`
	Interrupted     []Interrupted    `json:"interrupted,omitempty"` // switches in whose middle the run ended
	Artifacts       []event.Artifact `json:"artifacts"`
	Servers         []event.Server   `json:"servers,omitempty"` // that the run has used
	Notes           []event.Note     `json:"notes"`
	CriticalPath    []string         `json:"critical_path"` // the stages, each needing the one before, that took longest together
	Recommendations []string         `json:"recommendations"`
}

// StageResult is what became of a stage or of a rollback strategy.
type StageResult struct {
	Name    string          `json:"name"`
	Leg     string          `json:"leg_of,omitempty"`    // the stage of the spec that this is a leg of
	Started time.Time       `json:"started,omitzero"`    // left out when it never was
	Waited  time.Duration   `json:"waited_ns,omitempty"` // for a free place, all its needs being done
	Result  event.Result    `json:"result"`              // no outcome when the stage was not reached or did not finish
	Retries []event.Attempt `json:"retries,omitempty"`   // attempts that failed and were repeated
	Servers []event.Step    `json:"servers,omitempty"`   // of a task: the last words on each
}

// Interrupted is a switch without an account of its own, step by step.
type Interrupted struct {
	Environment string       `json:"environment"`
	Steps       []event.Step `json:"steps"`
}

// JSON is the report of a run as an indented Document, and a newline.
func JSON(events []event.Event) ([]byte, error) {
	a := read(events)
	doc := Document{
		Schema: Schema, Outcome: a.result.Outcome, Run: a.run, Result: a.result,
		Stages: results(a.stages), Rollbacks: results(a.rollbacks), Switches: []event.Switch{},
		Artifacts: append([]event.Artifact{}, a.artifacts...), Servers: a.servers, Notes: append([]event.Note{}, a.notes...),
		CriticalPath: []string{}, Recommendations: append([]string{}, advice(a)...),
	}
	for _, s := range a.switches {
		doc.Switches = append(doc.Switches, s.Switch)
	}
	for _, b := range a.brokenOff() {
		doc.Interrupted = append(doc.Interrupted, Interrupted{b.environment, bare(b.steps)})
	}
	for _, s := range a.chain {
		doc.CriticalPath = append(doc.CriticalPath, s.Name)
	}
	text, err := json.MarshalIndent(doc, "", "  ")
	return append(text, '\n'), err
}

func results(stages []*stage) []StageResult {
	all := []StageResult{}
	for _, s := range stages {
		r := StageResult{Name: s.Name, Leg: s.Leg, Started: s.started, Waited: s.waited(), Result: s.result, Servers: bare(s.visited())}
		for _, again := range s.retries {
			r.Retries = append(r.Retries, again.Attempt)
		}
		for _, server := range s.visited() {
			r.Retries = append(r.Retries, s.again[server.Server]...)
		}
		all = append(all, r)
	}
	return all
}

// bare is steps as their events tell them.
func bare(steps []*step) []event.Step {
	var all []event.Step
	for _, s := range steps {
		all = append(all, s.Step)
	}
	return all
}
