package report

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/org/deploy-action/internal/event"
)

// recorded reads the event log of a run in testdata. A torn last line, as the
// killed run has it, is left out.
func recorded(t testing.TB, name string) []event.Event {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(goldens, "runs", name, "events.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	events, err := event.Read(bytes.NewReader(data))
	if err != nil || len(events) == 0 {
		t.Fatalf("%s: %d events, %v", name, len(events), err)
	}
	return events
}

// logs reads the logs beside a recorded run's event log.
func logs(name string) Logs {
	return func(stage string) []string {
		data, err := os.ReadFile(filepath.Join(goldens, "runs", name, stage+".log"))
		if err != nil {
			return nil
		}
		return strings.Split(strings.TrimSuffix(string(data), "\n"), "\n")
	}
}

// TestRecordedRuns compares every form of the report of real runs.
func TestRecordedRuns(t *testing.T) {
	for _, name := range []string{"release", "rolled_back", "killed"} {
		t.Run(name, func(t *testing.T) {
			events := recorded(t, name)
			golden(t, "runs/"+name+"/report.md", Markdown(events, Options{}))
			for file, form := range map[string]func() ([]byte, error){
				"report.json": func() ([]byte, error) { return JSON(events) },
				"report.xml":  func() ([]byte, error) { return JUnit(events) },
				"report.html": func() ([]byte, error) { return HTML(events, logs(name)) },
			} {
				text, err := form()
				if err != nil {
					t.Fatal(err)
				}
				golden(t, "runs/"+name+"/"+file, string(text))
			}
		})
	}
}
