package event_test

import (
	"bytes"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/org/deploy-action/internal/event"
)

// file is a writer that can be closed and can fail.
type file struct {
	bytes.Buffer
	fail   error
	closed bool
}

func (f *file) Write(p []byte) (int, error) {
	if f.fail != nil {
		return 0, f.fail
	}
	return f.Buffer.Write(p)
}

func (f *file) Close() error {
	f.closed = true
	return nil
}

var sample = []event.Event{
	{Schema: 1, Time: time.Unix(10, 5).UTC(), Kind: event.RunStarted, Run: &event.Run{ID: "r1", Command: "run", Stages: []event.Stage{{Name: "a", Body: "run"}}}},
	{Schema: 1, Time: time.Unix(11, 0).UTC(), Kind: event.StageRetry, Stage: "a", Attempt: &event.Attempt{Number: 1, Of: 2, Error: "exit status 1", Wait: time.Second}},
	{Schema: 1, Time: time.Unix(12, 0).UTC(), Kind: event.StageFinished, Stage: "a", Result: &event.Result{Outcome: event.Failed, Reason: "a < b & c\nd", Tail: []string{"ä", ""}}},
}

func write(t *testing.T, f *file, events ...event.Event) {
	t.Helper()
	log := event.NewLog(f)
	for _, e := range events {
		log.Event(e)
	}
	if err := log.Close(); err != nil || !f.closed {
		t.Fatalf("Close() = %v, closed %v", err, f.closed)
	}
}

func TestLogIsReadBack(t *testing.T) {
	var f file
	output := event.Event{Kind: event.StageOutput, Stage: "a", Output: &event.Output{Text: "left out"}}
	write(t, &f, sample[0], output, sample[1], sample[2])
	if lines := strings.Count(f.String(), "\n"); lines != len(sample) {
		t.Errorf("%d events took %d lines:\n%s", len(sample), lines, f.String())
	}
	got, err := event.Read(&f)
	if diff := cmp.Diff(sample, got); err != nil || diff != "" {
		t.Errorf("Read: %v; want, got:\n%s", err, diff)
	}
}

func TestReadATornLog(t *testing.T) {
	var f file
	write(t, &f, sample...)
	whole := f.String()
	last := strings.LastIndex(strings.TrimRight(whole, "\n"), "\n") + 1
	for cut := last; cut < len(whole); cut++ {
		got, err := event.Read(strings.NewReader(whole[:cut]))
		if err != nil || len(got) != len(sample)-1 {
			t.Fatalf("cut at %d: %d events, %v", cut, len(got), err)
		}
	}
}

func TestReadRefuses(t *testing.T) {
	for name, test := range map[string]struct{ log, want string }{
		"garbage":      {"{\"schema\":1}\nnonsense\n", "line 2: is no event"},
		"a newer file": {"{\"schema\":2}\n", "line 1: schema 2"},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := event.Read(strings.NewReader(test.log)); err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("Read = %v, want %q", err, test.want)
			}
		})
	}
}

func TestLogRemembersAFailedWrite(t *testing.T) {
	full := errors.New("no space left on device")
	f := &file{fail: full}
	log := event.NewLog(f)
	log.Event(sample[0])
	f.fail = nil
	log.Event(sample[1])
	if err := log.Close(); !errors.Is(err, full) || f.Len() != 0 {
		t.Errorf("Close() = %v with %q written, want the first error and nothing after it", err, f.String())
	}
}

func TestFanKeepsOneOrder(t *testing.T) {
	var first, second []event.Event
	emit := event.Fan(
		func(e event.Event) { first = append(first, e) },
		func(e event.Event) { second = append(second, e) },
	)
	var writers sync.WaitGroup
	for range 8 {
		writers.Go(func() {
			for range 50 {
				event.Within("build", emit)(event.Event{Kind: event.StageOutput, Output: &event.Output{}})
			}
		})
	}
	writers.Wait()
	if diff := cmp.Diff(first, second); len(first) != 400 || diff != "" {
		t.Errorf("%d events, the sinks differ:\n%s", len(first), diff)
	}
	for _, e := range first {
		if e.Schema != event.Schema || e.Time.IsZero() || e.Time != e.Time.Round(0) || e.Stage != "build" {
			t.Fatalf("event left unstamped: %+v", e)
		}
	}
}
