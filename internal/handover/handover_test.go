package handover_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/org/deploy-action/internal/event"
	"github.com/org/deploy-action/internal/handover"
)

// hand hands over one stage, as a run of that id that ended at that second.
func hand(t *testing.T, dir, run string, second int, outcome event.Outcome) {
	t.Helper()
	left := t.TempDir()
	if err := os.WriteFile(filepath.Join(left, "events.jsonl"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	record := handover.Record{
		Pipeline: "release", Stage: "build", Run: run, Commit: "c0ffee",
		Result: event.Result{Outcome: outcome, Took: time.Second}, Ended: time.Unix(int64(second), 0),
	}
	if err := handover.Write(dir, left, record); err != nil {
		t.Fatal(err)
	}
}

func TestTheLastRunOfAStageCounts(t *testing.T) {
	dir := t.TempDir()
	hand(t, dir, "a", 20, event.Succeeded)
	hand(t, dir, "b", 10, event.Failed)
	if err := os.MkdirAll(filepath.Join(dir, "no-record"), 0o700); err != nil {
		t.Fatal(err)
	}
	h, err := handover.Read(dir, "release", "c0ffee")
	if err != nil {
		t.Fatal(err)
	}
	if r, known := h.Of("build"); !known || r.Run != "a" {
		t.Errorf("of build: %+v, %v; want the run that ended last", r, known)
	}
	if _, known := h.Of("test"); known {
		t.Error("a stage that handed nothing over is known")
	}
	if began, any := h.Began(); !any || began.Unix() != 19 {
		t.Errorf("began: %v, %v; want second 19", began, any)
	}
}

func TestWhatDoesNotBelongIsRefused(t *testing.T) {
	for name, c := range map[string]struct{ record, want string }{
		"pipeline": {`{"schema":1,"pipeline":"other","stage":"build","run":"a","commit":"c0ffee"}`, `is of pipeline "other"`},
		"commit":   {`{"schema":1,"pipeline":"release","stage":"build","run":"a","commit":"dead"}`, `is of commit "dead"`},
		"schema":   {`{"schema":9,"pipeline":"release","stage":"build","run":"a","commit":"c0ffee"}`, "schema 9"},
		"run":      {`{"schema":1,"pipeline":"release","stage":"build","run":"../a","commit":"c0ffee"}`, "names no stage and run"},
		"torn":     {`{"schema":1,`, "unexpected end"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			if err := os.Mkdir(filepath.Join(dir, "a"), 0o700); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(filepath.Join(dir, "a", "record.json"), []byte(c.record), 0o600); err != nil {
				t.Fatal(err)
			}
			_, err := handover.Read(dir, "release", "c0ffee")
			if err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), "record.json") {
				t.Errorf("error %v, want one with %q and the file", err, c.want)
			}
		})
	}
}

func TestAFolderThatIsNotThereHoldsNothing(t *testing.T) {
	h, err := handover.Read(filepath.Join(t.TempDir(), "none"), "release", "")
	if err != nil {
		t.Fatal(err)
	}
	if _, any := h.Began(); any {
		t.Error("something was handed over")
	}
}
