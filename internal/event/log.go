package event

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

// LogName is what the event log is called in the folder of a run.
const LogName = "events.jsonl"

// Log writes events as JSON, one a line, each in one Write. It leaves out what
// stages put out, for their logs have it and it can be any amount, and the
// progress of steps. Like every listener that is not told otherwise it belongs
// behind a Fan.
type Log struct {
	w   io.WriteCloser
	err error
}

// NewLog returns a log that writes to w and closes it in the end.
func NewLog(w io.WriteCloser) *Log { return &Log{w: w} }

// Event is the log's Sink. After a first write that failed nothing is written
// any more, so that what is there stays readable; Close returns the error.
func (l *Log) Event(e Event) {
	if l.err != nil || e.Kind == StageOutput || e.Kind == StepProgress {
		return
	}
	var line bytes.Buffer
	encoder := json.NewEncoder(&line)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(e); err != nil {
		panic(fmt.Sprintf("event: %s does not survive JSON: %v", e.Kind, err))
	}
	_, l.err = l.w.Write(line.Bytes())
}

// Close closes what the log writes to and returns the first error.
func (l *Log) Close() error { return errors.Join(l.err, l.w.Close()) }

// Read returns the events of a log. A last line that is torn, as a killed run
// leaves it, is left out; anything else that is no event is an error with its
// line, returned with the events before it.
func Read(r io.Reader) ([]Event, error) {
	var events []Event
	lines := bufio.NewReader(r)
	for number := 1; ; number++ {
		line, err := lines.ReadBytes('\n')
		if err == io.EOF {
			return events, nil // what has no newline was not written to its end
		}
		if err != nil {
			return events, fmt.Errorf("line %d: %w", number, err)
		}
		var e Event
		if err := json.Unmarshal(line, &e); err != nil {
			return events, fmt.Errorf("line %d: is no event: %w", number, err)
		}
		if e.Schema > Schema {
			return events, fmt.Errorf("line %d: schema %d: this version reads up to %d", number, e.Schema, Schema)
		}
		events = append(events, e)
	}
}
