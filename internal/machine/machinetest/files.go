package machinetest

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/org/deploy-action/internal/machine"
)

func writesFile(t *testing.T, m machine.Machine) {
	path := filepath.Join(t.TempDir(), "site.conf")
	data := []byte("a\x00\xff\n")
	do(t, m, machine.Write, machine.NewContent{Path: path, Data: data, Mode: 0o666})
	if got := do(t, m, machine.ReadFile, machine.File{Path: path}); !bytes.Equal(got.Data, data) {
		t.Errorf("read %q", got.Data)
	}
	if mode := modeOf(t, path); mode != 0o666 { // the umask would take bits
		t.Errorf("mode %v", mode)
	}
	alone(t, path)
}

func keepsModeAndOwner(t *testing.T, m machine.Machine) {
	path := filepath.Join(t.TempDir(), "site.conf")
	if err := os.WriteFile(path, []byte("old"), 0o640); err != nil {
		t.Fatal(err)
	}
	owner := os.Getuid()
	if owner == 0 {
		owner = 33
		if err := os.Chown(path, owner, owner); err != nil {
			t.Fatal(err)
		}
	}
	do(t, m, machine.Write, machine.NewContent{Path: path, Data: []byte("new"), Mode: machine.KeepMode})
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if stat := info.Sys().(*syscall.Stat_t); info.Mode() != 0o640 || int(stat.Uid) != owner {
		t.Errorf("mode %v, owner %d", info.Mode(), stat.Uid)
	}
}

func writesThroughLink(t *testing.T, m machine.Machine) {
	dir := t.TempDir()
	for _, name := range []string{"available", "enabled"} {
		if err := os.Mkdir(filepath.Join(dir, name), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	link, target := filepath.Join(dir, "enabled", "site"), filepath.Join(dir, "available", "site")
	if err := os.Symlink("../available/site", link); err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{"through a dangling link", "through a link"} {
		do(t, m, machine.Write, machine.NewContent{Path: link, Data: []byte(text)})
		if data, err := os.ReadFile(target); err != nil || string(data) != text {
			t.Errorf("target = %q, %v", data, err)
		}
		if to, err := os.Readlink(link); err != nil || to != "../available/site" {
			t.Errorf("link = %q, %v", to, err)
		}
	}
}

func neverTorn(t *testing.T, m machine.Machine) {
	path := filepath.Join(t.TempDir(), "site.conf")
	write := func(letter string) {
		do(t, m, machine.Write, machine.NewContent{Path: path, Data: []byte(strings.Repeat(letter, 1<<16))})
	}
	write("a")
	stop, torn := make(chan struct{}), make(chan int, 1)
	go func() {
		n := 0
		defer func() { torn <- n }()
		for {
			select {
			case <-stop:
				return
			default:
			}
			data, err := os.ReadFile(path)
			if err != nil || len(data) != 1<<16 || bytes.Count(data, data[:1]) != len(data) {
				n++
			}
		}
	}()
	for i := range 50 {
		write(string(rune('a' + i%26)))
	}
	close(stop)
	if n := <-torn; n > 0 {
		t.Errorf("%d torn reads", n)
	}
}

func refusedWrite(t *testing.T, m machine.Machine) {
	dir := t.TempDir()
	missing := filepath.Join(dir, "missing", "site.conf")
	_, err := machine.Write.On(context.Background(), m, machine.NewContent{Path: missing})
	if !errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), "write "+missing) {
		t.Errorf("into a missing directory: %v", err)
	}
	_, err = machine.Write.On(context.Background(), m, machine.NewContent{Path: dir})
	if err == nil || !strings.Contains(err.Error(), "is not a regular file") {
		t.Errorf("over a directory: %v", err)
	}
}

func missingFile(t *testing.T, m machine.Machine) {
	path := filepath.Join(t.TempDir(), "missing")
	_, err := machine.ReadFile.On(context.Background(), m, machine.File{Path: path})
	if !errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), path) {
		t.Errorf("err = %v", err)
	}
}

func tailOfFile(t *testing.T, m machine.Machine) {
	path := filepath.Join(t.TempDir(), "log")
	text := strings.Repeat("x", 1<<17) + "\nlast but one\nlast\n"
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	got := do(t, m, machine.Tail, machine.TailOf{Path: path, Lines: 2})
	if !slices.Equal(got, []string{"last but one", "last"}) {
		t.Errorf("lines = %q", got)
	}
}

func replacesLink(t *testing.T, m machine.Machine) {
	dir := t.TempDir()
	path := filepath.Join(dir, "blue")
	for _, target := range []string{"releases/1", "releases/2"} {
		do(t, m, machine.Symlink, machine.Link{Target: target, Path: path})
		if got, err := os.Readlink(path); err != nil || got != target {
			t.Errorf("link = %q, %v", got, err)
		}
	}
	alone(t, path)
	real := filepath.Join(dir, "real")
	if err := os.Mkdir(real, 0o755); err != nil {
		t.Fatal(err)
	}
	_, err := machine.Symlink.On(context.Background(), m, machine.Link{Target: "x", Path: real})
	if err == nil || !strings.Contains(err.Error(), "is not a link") {
		t.Errorf("over a directory: %v", err)
	}
}

func removes(t *testing.T, m machine.Machine) {
	path := filepath.Join(t.TempDir(), "flag")
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		do(t, m, machine.Remove, machine.File{Path: path})
	}
	if _, err := os.Lstat(path); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("still there: %v", err)
	}
}

func makesDir(t *testing.T, m machine.Machine) {
	path := filepath.Join(t.TempDir(), "a", "b")
	for range 2 {
		do(t, m, machine.MakeDir, machine.Dir{Path: path, Mode: 0o711})
	}
	if mode := modeOf(t, path); mode != 0o711 {
		t.Errorf("mode %v", mode)
	}
}

func modeOf(t *testing.T, path string) fs.FileMode {
	t.Helper()
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	return info.Mode().Perm()
}

// alone fails the test if anything lies beside path.
func alone(t *testing.T, path string) {
	t.Helper()
	entries, err := os.ReadDir(filepath.Dir(path))
	if err != nil || len(entries) != 1 {
		t.Errorf("beside %s: %v, %v", path, entries, err)
	}
}
