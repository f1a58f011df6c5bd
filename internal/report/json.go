package report

import (
	"encoding/json"

	"github.com/org/deploy-action/internal/event"
)

// Schema is the version of Document. Fields are added within a version, never
// renamed or removed.
const Schema = 1

// Document is a run for programs. Durations are in nanoseconds and end in _ns.
type Document struct {
	Schema          int            `json:"schema"`
	Outcome         event.Outcome  `json:"outcome"` // empty when the run was killed
	Run             event.Run      `json:"run"`
	Result          event.Result   `json:"result"`
	Stages          []StageResult  `json:"stages"` // in the order they ran
	Switches        []event.Switch `json:"switches"`
	Notes           []event.Note   `json:"notes"`
	Recommendations []string       `json:"recommendations"`
}

// StageResult is what became of a stage.
type StageResult struct {
	Name    string          `json:"name"`
	Result  event.Result    `json:"result"` // no outcome when the stage was not reached or did not finish
	Retries []event.Attempt `json:"retries,omitempty"`
}

// JSON is the report of a run as an indented Document.
func JSON(events []event.Event) ([]byte, error) {
	a := read(events)
	doc := Document{
		Schema: Schema, Outcome: a.result.Outcome, Run: a.run, Result: a.result,
		Stages: []StageResult{}, Switches: []event.Switch{}, Notes: append([]event.Note{}, a.notes...),
		Recommendations: append([]string{}, advice(a)...),
	}
	for _, s := range a.stages {
		doc.Stages = append(doc.Stages, StageResult{Name: s.Name, Result: s.result, Retries: s.retries})
	}
	for _, s := range a.switches {
		doc.Switches = append(doc.Switches, s.Switch)
	}
	return json.MarshalIndent(doc, "", "  ")
}
