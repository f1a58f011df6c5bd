package machine_test

import (
	"errors"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/org/deploy-action/internal/machine"
)

func uid(t *testing.T, path string) uint32 {
	t.Helper()
	info, err := os.Lstat(path)
	if err != nil {
		t.Fatal(err)
	}
	return info.Sys().(*syscall.Stat_t).Uid
}

func TestHandOver(t *testing.T) {
	needRoot(t)
	outside, workspace := t.TempDir(), t.TempDir()
	write(t, filepath.Join(outside, "precious"), "x")
	below := func(name string) string { return filepath.Join(workspace, name) }
	if err := errors.Join(
		os.MkdirAll(below(".turnout/runs/r1"), 0o700), os.Mkdir(below("dist"), 0o700),
		os.Symlink(outside, below(".turnout/out")), os.Chown(workspace, 1234, 1234),
	); err != nil {
		t.Fatal(err)
	}
	write(t, below(".turnout/runs/r1/odd\xff\nname"), "x")
	for _, name := range []string{".turnout", "missing"} {
		if err := machine.HandOver(workspace, name); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	for name, want := range map[string]uint32{
		".turnout": 1234, ".turnout/runs/r1": 1234, ".turnout/runs/r1/odd\xff\nname": 1234, ".turnout/out": 1234, "dist": 0,
	} {
		if got := uid(t, below(name)); got != want {
			t.Errorf("%q belongs to %d, want %d", name, got, want)
		}
	}
	if uid(t, outside) != 0 || uid(t, filepath.Join(outside, "precious")) != 0 {
		t.Error("what a link led to was given away")
	}
}

func TestHandOverInARootWorkspace(t *testing.T) {
	needRoot(t)
	workspace := t.TempDir()
	path := filepath.Join(workspace, "a")
	write(t, path, "x")
	if err := os.Chown(path, 1234, 1234); err != nil {
		t.Fatal(err)
	}
	if err := machine.HandOver(workspace, "a"); err != nil || uid(t, path) != 1234 {
		t.Errorf("%v; belongs to %d", err, uid(t, path))
	}
}
