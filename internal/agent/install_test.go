package agent_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/org/deploy-action/internal/agent"
)

func TestOldAgentsGo(t *testing.T) {
	dir := t.TempDir()
	long := time.Now().Add(-25 * time.Hour)
	for name, old := range map[string]bool{"agent-old": true, ".agent-half": true, "agent-young": false, ".agent-now": false, "other": true} {
		must(t, os.WriteFile(filepath.Join(dir, name), nil, 0o700))
		if old {
			must(t, os.Chtimes(filepath.Join(dir, name), long, long))
		}
	}
	agent.Started(filepath.Join(dir, "agent-young"))
	uploaded := filepath.Join(dir, ".agent-now")
	if err := agent.Install(uploaded, strings.Repeat("0", 32)); err == nil || !strings.Contains(err.Error(), "has not arrived as it was sent") {
		t.Errorf("another hash: %v", err)
	}
	empty := "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"[:32] // SHA-256 of nothing
	must(t, agent.Install(uploaded, empty))
	left, err := filepath.Glob(filepath.Join(dir, "*"))
	must(t, err)
	hidden, err := filepath.Glob(filepath.Join(dir, ".a*"))
	must(t, err)
	var names []string
	for _, path := range append(left, hidden...) {
		names = append(names, filepath.Base(path))
	}
	if got, want := fmt.Sprint(names), fmt.Sprintf("[agent-%s agent-young other]", empty); got != want {
		t.Errorf("left %s, not %s", got, want)
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
