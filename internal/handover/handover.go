// Package handover passes on what a stage has come to, from the job that ran it
// to the jobs after it.
//
//	<dir>/<run>/record.json                  how it ended, its outputs, the switches it made
//	            events.jsonl, *.log          of the run
//	            .turnout/artifacts/…         what it left of the pipeline's artifacts
//
// A folder of a run is written whole before it gets its record, and without one
// it is nothing.
package handover

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/org/deploy-action/internal/event"
	"github.com/org/deploy-action/internal/machine"
	"github.com/org/deploy-action/internal/value"
)

// Schema is the version of a record's format.
const Schema = 1

const recordFile = "record.json"

// Record says what became of one stage.
type Record struct {
	Schema    int               `json:"schema"`
	Pipeline  string            `json:"pipeline"`
	Stage     string            `json:"stage"`
	Run       string            `json:"run"`              // id, sortable by time
	Commit    string            `json:"commit,omitempty"` // that the run was of
	Result    event.Result      `json:"result"`
	Ended     time.Time         `json:"ended"`
	Outputs   map[string]string `json:"outputs,omitempty"`
	Switches  []event.Switch    `json:"switches,omitempty"`
	Artifacts []string          `json:"artifacts,omitempty"` // names, of those that the stage left something of

	dir string // where it was read
}

// Handed is what earlier jobs have handed over.
type Handed struct{ records []Record }

// Read reads all that was handed over into dir, for that pipeline and commit. Of
// a stage that ran again the last run counts. A folder that is not there holds
// nothing.
func Read(dir, pipeline, commit string) (*Handed, error) {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return &Handed{}, nil
	}
	if err != nil {
		return nil, err
	}
	h := &Handed{}
	for _, entry := range entries {
		path := filepath.Join(dir, entry.Name(), recordFile)
		data, err := os.ReadFile(path)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
		record, err := parse(data)
		if err == nil {
			err = record.belongs(pipeline, commit)
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
		record.dir = filepath.Dir(path)
		h.add(record)
	}
	return h, nil
}

func parse(data []byte) (Record, error) {
	var r Record
	if err := json.Unmarshal(data, &r); err != nil {
		return Record{}, err
	}
	switch {
	case r.Schema != Schema:
		return Record{}, fmt.Errorf("schema %d: this version reads %d; all jobs must use the same version of turnout", r.Schema, Schema)
	case r.Stage == "" || !value.IsRun(r.Run):
		return Record{}, errors.New("names no stage and run")
	}
	return r, nil
}

// belongs says why a record is not for a run of that pipeline and commit.
func (r Record) belongs(pipeline, commit string) error {
	switch {
	case r.Pipeline != pipeline:
		return fmt.Errorf("is of pipeline %q, and this run is of %q", r.Pipeline, pipeline)
	case r.Commit != commit:
		return fmt.Errorf("is of commit %q, and this run is of %q", r.Commit, commit)
	}
	return nil
}

// add adds a record, unless a later run of the stage has left one.
func (h *Handed) add(r Record) {
	if other, known := h.Of(r.Stage); known && other.Ended.After(r.Ended) {
		return
	}
	h.records = slices.DeleteFunc(h.records, func(before Record) bool { return before.Stage == r.Stage })
	h.records = append(h.records, r)
}

// Of is the record of a stage, by name.
func (h *Handed) Of(stage string) (Record, bool) {
	at := slices.IndexFunc(h.records, func(r Record) bool { return r.Stage == stage })
	if at < 0 {
		return Record{}, false
	}
	return h.records[at], true
}

// Began is when the first of the stages began. It reports false where nothing was
// handed over.
func (h *Handed) Began() (time.Time, bool) {
	var first time.Time
	for _, r := range h.records {
		if began := r.Ended.Add(-r.Result.Took); first.IsZero() || began.Before(first) {
			first = began
		}
	}
	return first, !first.IsZero()
}

// Write hands a run over into dir: its record, and the event log and the stages'
// logs that are in runDir. Its artifacts are there already, by Pack.
func Write(dir, runDir string, r Record) error {
	into := filepath.Join(dir, r.Run)
	if err := os.MkdirAll(into, 0o700); err != nil {
		return err
	}
	if err := copyFiles(runDir, into, func(name string) bool { return name == event.LogName || isLog(name) }); err != nil {
		return err
	}
	r.Schema = Schema
	data, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return err
	}
	return machine.WriteFile(filepath.Join(into, recordFile), append(data, '\n'), 0o600)
}
