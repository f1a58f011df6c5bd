package cli

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/org/deploy-action/internal/event"
)

func TestLogsIn(t *testing.T) {
	outer := t.TempDir()
	dir := filepath.Join(outer, "run")
	write := func(path, text string) {
		t.Helper()
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	var many strings.Builder
	for i := range 100_000 {
		fmt.Fprintf(&many, "line %d\n", i)
	}
	write(filepath.Join(dir, "build.log"), "a\n\nb\n")
	write(filepath.Join(dir, "torn.log"), "a\nno newline")
	write(filepath.Join(dir, "many.log"), many.String())
	write(filepath.Join(dir, "test_unit.log"), "of a leg\n")
	write(filepath.Join(outer, "secret.log"), "not ours\n")
	if err := os.Symlink("../secret.log", filepath.Join(dir, "link.log")); err != nil {
		t.Fatal(err)
	}
	logs := logsIn(dir, []event.Event{
		{Kind: event.StageFinished, Stage: "test[unit]", Result: &event.Result{Log: "/elsewhere/runs/1/test_unit.log"}},
		{Kind: event.StageFinished, Stage: "up", Result: &event.Result{Log: "../.."}},
	})
	for stage, want := range map[string][]string{
		"build": {"a", "", "b"}, "torn": {"a", "no newline"}, "test[unit]": {"of a leg"},
		"never": nil, "../secret": nil, "link": nil, "up": nil,
	} {
		if got := logs(stage); !slices.Equal(got, want) {
			t.Errorf("%s: %q, want %q", stage, got, want)
		}
	}
	if end := logs("many"); len(end) != logLines || end[0] != "line 99800" || end[logLines-1] != "line 99999" {
		t.Errorf("the end of a long log: %d lines, %q", len(end), end)
	}
}
