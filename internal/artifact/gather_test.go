package artifact_test

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/org/deploy-action/internal/artifact"
)

// TestGatherIsKeepAndGet gathers what another workspace keeps and gets.
func TestGatherIsKeepAndGet(t *testing.T) {
	workspace, dest := t.TempDir(), filepath.Join(t.TempDir(), "out")
	plant(t, workspace, map[string]string{"dist/a": "new", "dist/a.map": "map", "dist/link": "→ a", "dist/empty/": "", "src/b": "b"})
	keep(t, workspace, run1, "dist", "!**/*.map")
	get(t, workspace, dest)
	before := snapshot(t, filepath.Join(workspace, artifact.Dir))

	order := artifact.Order{Name: "app", Run: run2, Patterns: []string{"dist", "!**/*.map"}}
	if _, err := artifact.In(workspace).Gather(context.Background(), order, "gathered"); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(snapshot(t, dest), snapshot(t, filepath.Join(workspace, "gathered"))); diff != "" {
		t.Errorf("kept and got, gathered:\n%s", diff)
	}
	if diff := cmp.Diff(before, snapshot(t, filepath.Join(workspace, artifact.Dir))); diff != "" {
		t.Errorf("what is kept, before and after:\n%s", diff)
	}

	order.Patterns = []string{"nothing", "here"}
	_, err := artifact.In(workspace).Gather(context.Background(), order, "none")
	if err == nil || !strings.Contains(err.Error(), "artifact app: nothing matches nothing, here") {
		t.Errorf("err = %v", err)
	}
	if left, _ := filepath.Glob(filepath.Join(workspace, "*")); len(left) != 4 {
		t.Errorf("left in the workspace: %v", left)
	}
	if _, err := os.Stat(filepath.Join(workspace, "none")); err == nil {
		t.Error("there is something where nothing was gathered")
	}
}
