package machine_test

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/org/deploy-action/internal/machine"
)

// needRoot skips a test that only root can do, where nobody relies on it.
func needRoot(t *testing.T) {
	t.Helper()
	if os.Getuid() == 0 {
		return
	}
	if os.Getenv("CI") != "" {
		t.Fatal("this needs root")
	}
	t.Skip("this needs root")
}

// mount mounts for the length of the test.
func mount(t *testing.T, source, target, kind string, flags uintptr, options string) {
	t.Helper()
	needRoot(t)
	if err := unix.Mount(source, target, kind, flags, options); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := unix.Unmount(target, 0); err != nil {
			t.Error(err)
		}
	})
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

func TestWriteFileNamesABindMountedFile(t *testing.T) {
	dir := t.TempDir()
	outside, path := filepath.Join(dir, "outside"), filepath.Join(dir, "site.conf")
	write(t, outside, "old")
	write(t, path, "")
	mount(t, outside, path, "", unix.MS_BIND, "")
	err := machine.WriteFile(path, []byte("new"), machine.KeepMode)
	if !errors.Is(err, syscall.EBUSY) || !strings.Contains(err.Error(), "mount its directory instead") {
		t.Errorf("err = %v", err)
	}
	holds(t, dir, path, "old")
}

func TestWriteFileKeepsTheOldOnAFullDisk(t *testing.T) {
	dir := t.TempDir()
	mount(t, "tmpfs", dir, "tmpfs", 0, "size=64k")
	path := filepath.Join(dir, "site.conf")
	write(t, path, "old")
	err := machine.WriteFile(path, make([]byte, 1<<20), machine.KeepMode)
	if !errors.Is(err, syscall.ENOSPC) || err.Error() != "write "+path+": no space left on device" {
		t.Errorf("err = %v", err)
	}
	holds(t, dir, path, "old")
}

func TestWriteFileOnAReadOnlyDisk(t *testing.T) {
	dir := t.TempDir()
	mount(t, "tmpfs", dir, "tmpfs", 0, "size=64k")
	path := filepath.Join(dir, "site.conf")
	write(t, path, "old")
	if err := unix.Mount("", dir, "", unix.MS_REMOUNT|unix.MS_RDONLY, ""); err != nil {
		t.Fatal(err)
	}
	if err := machine.WriteFile(path, []byte("new"), machine.KeepMode); !errors.Is(err, syscall.EROFS) {
		t.Errorf("err = %v", err)
	}
	holds(t, dir, path, "old")
}

// holds fails the test unless path holds text and no hidden file lies in dir.
func holds(t *testing.T, dir, path, text string) {
	t.Helper()
	if data, err := os.ReadFile(path); err != nil || string(data) != text {
		t.Errorf("%s = %q, %v", path, data, err)
	}
	if left, _ := filepath.Glob(filepath.Join(dir, ".*")); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

func TestWriteFileSweepsAfterKilledWriters(t *testing.T) {
	dir := t.TempDir()
	stale, fresh, other := filepath.Join(dir, ".site.conf123"), filepath.Join(dir, ".site.conf456"), filepath.Join(dir, ".site.conf.old1")
	for _, name := range []string{stale, fresh, other} {
		write(t, name, "x")
	}
	past := time.Now().Add(-2 * time.Hour)
	if err := errors.Join(os.Chtimes(stale, past, past), os.Chtimes(other, past, past)); err != nil {
		t.Fatal(err)
	}
	if err := machine.WriteFile(filepath.Join(dir, "site.conf"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	left, _ := filepath.Glob(filepath.Join(dir, ".*"))
	if !slices.Equal(left, []string{other, fresh}) {
		t.Errorf("left: %v", left)
	}
}

func TestEnvironKeepsSecretsBack(t *testing.T) {
	got := machine.Environ([]string{"PATH=/bin", "INPUT_KEY=k", "ACTIONS_RUNTIME_TOKEN=t", "TURNOUT_VAR_PAGER=p", "TURNOUT_GITHUB_TOKEN=t", "TURNOUT_SLOT=blue", "ACTIONS_ID_TOKEN_REQUEST_URL=u"})
	if !slices.Equal(got, []string{"PATH=/bin", "TURNOUT_SLOT=blue", "ACTIONS_ID_TOKEN_REQUEST_URL=u"}) {
		t.Errorf("environ = %q", got)
	}
}

func TestACommandIsNamedShortly(t *testing.T) {
	for want, c := range map[string]machine.Command{
		"nginx -t":                     {Args: []string{"nginx", "-t"}},
		"set -e …":                     {Shell: "\nset -e\nfalse\n"},
		strings.Repeat("x", 60) + " …": {Shell: strings.Repeat("x", 61)},
	} {
		if got := c.String(); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

func BenchmarkRun(b *testing.B) {
	m := machine.NewLocal("here")
	for b.Loop() {
		if _, err := machine.Run.On(b.Context(), m, machine.Command{Shell: "true"}); err != nil {
			b.Fatal(err)
		}
	}
}
