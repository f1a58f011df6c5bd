package rollout

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime/debug"
	"slices"
	"sync"
	"testing"
)

// plainDir is where this test binary lies without the race detector, as long as the
// tests run.
var plainDir string

func runTests(m *testing.M) int {
	var err error
	if plainDir, err = os.MkdirTemp("", "rollout-"); err != nil {
		panic(err)
	}
	defer os.RemoveAll(plainDir)
	return m.Run()
}

// plain is this test binary as the tests start it hundreds of times, as agent and as
// application: without the race detector, which takes them several times the CPU. In a
// soak they have it.
func plain(t *testing.T) string {
	t.Helper()
	path, err := builtPlain()
	if err != nil {
		t.Fatal(err)
	}
	return path
}

var builtPlain = sync.OnceValues(func() (string, error) {
	if soaking() || !detectsRaces() {
		return os.Executable()
	}
	path := filepath.Join(plainDir, "program")
	build := exec.Command("go", "test", "-c", "-trimpath", "-o", path, ".")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if said, err := build.CombinedOutput(); err != nil {
		return "", fmt.Errorf("go test -c: %w\n%s", err, said)
	}
	return path, nil
})

func detectsRaces() bool {
	info, ok := debug.ReadBuildInfo()
	return ok && slices.Contains(info.Settings, debug.BuildSetting{Key: "-race", Value: "true"})
}
