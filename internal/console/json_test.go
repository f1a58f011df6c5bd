package console_test

import (
	"bytes"
	"errors"
	"io"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/org/deploy-action/internal/console"
	"github.com/org/deploy-action/internal/event"
)

// told is a stream of events as JSON.
func told(t *testing.T, events []event.Event) string {
	t.Helper()
	var out bytes.Buffer
	j := console.NewJSON(&out)
	for _, e := range events {
		j.Event(e)
	}
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

// checkStream reads a stream back and sees that it commands nobody.
func checkStream(t *testing.T, events []event.Event) {
	t.Helper()
	out := told(t, events)
	if lines := strings.Count(out, "\n"); lines != len(events) {
		t.Errorf("%d events took %d lines", len(events), lines)
	}
	checkHarmless(t, out, console.Options{GitHub: true})
	if colour.MatchString(out) {
		t.Errorf("%q", out)
	}
	got, err := event.Read(strings.NewReader(out))
	if diff := cmp.Diff(events, got); err != nil || diff != "" {
		t.Errorf("%v; told, read:\n%s", err, diff)
	}
}

func TestJSONIsReadBack(t *testing.T) {
	recordings, err := filepath.Glob("testdata/*.jsonl")
	if err != nil || len(recordings) == 0 {
		t.Fatal(recordings, err)
	}
	for _, recording := range recordings {
		t.Run(filepath.Base(recording), func(t *testing.T) { checkStream(t, read(t, recording)) })
	}
}

func FuzzForeignTextInJSON(f *testing.F) {
	f.Add("##[error]x ##\\[ \u009b2J\x7f\u202e\u2028<&>")
	f.Fuzz(func(t *testing.T, text string) {
		during, after := foreign(strings.ToValidUTF8(text, "?"))
		checkStream(t, append(during, after...))
	})
}

func TestJSONStopsAtAWriteThatFailed(t *testing.T) {
	gone := errors.New("broken pipe")
	r, w := io.Pipe()
	r.CloseWithError(gone)
	j := console.NewJSON(w)
	j.Event(event.Event{Kind: event.StageStarted, Stage: "build"})
	j.Event(event.Event{Kind: event.StageStarted, Stage: "test"})
	if err := j.Close(); !errors.Is(err, gone) {
		t.Errorf("Close() = %v", err)
	}
}
