package artifact_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/org/deploy-action/internal/artifact"
)

var errStop = errors.New("interrupt signal received")

// keepWith keeps dist and does something when a part of it has been packed.
func keepWith(ctx context.Context, workspace string, do func(done int64)) error {
	_, err := artifact.In(workspace).Keep(ctx, artifact.Order{Name: "app", Run: run1, Patterns: []string{"dist"}, Keep: 5},
		func(done, _ int64) { do(done) })
	return err
}

// nothing sees that nothing is kept and nothing half kept is left.
func nothing(t *testing.T, workspace string) {
	t.Helper()
	listed, err := artifact.In(workspace).List("")
	if err != nil || len(listed) > 0 {
		t.Errorf("listed: %+v, %v", listed, err)
	}
	dir := filepath.Join(workspace, artifact.Dir)
	if _, err := os.Stat(dir); errors.Is(err, fs.ErrNotExist) {
		return
	}
	for name := range snapshot(t, dir) {
		if name != "app" && name != "app/.lock" {
			t.Errorf("left behind: %s", name)
		}
	}
}

// TestUnsteadyFiles changes a file while others, and it, are packed.
func TestUnsteadyFiles(t *testing.T) {
	const size = 1 << 20
	for name, test := range map[string]struct {
		want   string
		change func(path string) error
	}{
		"grows": {"changed while it was packed", func(p string) error {
			return errors.Join(os.Chmod(p, 0o600), os.WriteFile(p, make([]byte, size+1), 0o600))
		}},
		"shrinks":      {"shrank while it was packed", func(p string) error { return os.Truncate(p, size/2) }},
		"is rewritten": {"changed while it was packed", func(p string) error { return os.WriteFile(p, make([]byte, size), 0o600) }},
	} {
		t.Run(name, func(t *testing.T) {
			workspace := t.TempDir()
			plant(t, workspace, map[string]string{"dist/a": strings.Repeat("x", size)})
			path := filepath.Join(workspace, "dist/a")
			long := time.Now().Add(-time.Hour)
			if err := os.Chtimes(path, long, long); err != nil {
				t.Fatal(err)
			}
			var once sync.Once
			err := keepWith(t.Context(), workspace, func(int64) { once.Do(func() { panicIf(test.change(path)) }) })
			if err == nil || !strings.HasPrefix(err.Error(), "artifact app: dist/a: "+test.want) {
				t.Errorf("err = %v", err)
			}
			nothing(t, workspace)
		})
	}
	for name, test := range map[string]struct {
		want   string
		change func(path string) error
	}{
		"vanishes":    {"vanished while it was packed", os.Remove},
		"is replaced": {"changed while it was packed", func(p string) error { return os.Rename(filepath.Dir(p)+"/c", p) }},
		"is replaced by a twin": {"changed while it was packed", func(p string) error {
			info, err := os.Stat(p)
			twin := filepath.Join(filepath.Dir(p), "c")
			return errors.Join(err, os.Chtimes(twin, info.ModTime(), info.ModTime()), os.Rename(twin, p))
		}},
		"becomes a pipe": {"changed while it was packed", func(p string) error { return errors.Join(os.Remove(p), unix.Mkfifo(p, 0o600)) }},
		"becomes a link": {"changed while it was packed", func(p string) error { return errors.Join(os.Remove(p), os.Symlink("a", p)) }},
	} {
		t.Run(name, func(t *testing.T) {
			workspace := t.TempDir()
			plant(t, workspace, map[string]string{"dist/a": "x", "dist/b\n": "x", "dist/c": "x"})
			var once sync.Once
			err := keepWith(t.Context(), workspace, func(int64) {
				once.Do(func() { panicIf(test.change(filepath.Join(workspace, "dist/b\n"))) })
			})
			if err == nil || !strings.HasPrefix(err.Error(), `artifact app: "dist/b\n": `+test.want) {
				t.Errorf("err = %v", err)
			}
			nothing(t, workspace)
		})
	}
}

func panicIf(err error) {
	if err != nil {
		panic(err)
	}
}

func TestRetention(t *testing.T) {
	workspace := t.TempDir()
	plant(t, workspace, map[string]string{"dist/a": "x"})
	store := artifact.In(workspace)
	put := func(run string, keep int) []string {
		t.Helper()
		kept, err := store.Keep(t.Context(), artifact.Order{Name: "app", Run: run, Patterns: []string{"dist"}, Keep: keep}, quiet)
		if err != nil {
			t.Fatal(err)
		}
		return kept.Removed
	}
	for i := range 5 {
		if removed := put(fmt.Sprintf("2026112%dt000000z-aaaaaa", i), 3); len(removed) != max(0, i-2) && len(removed) != min(1, max(0, i-2)) {
			t.Errorf("run %d removed %q", i, removed)
		}
	}
	if removed := put("20200101t000000z-aaaaaa", 2); !slices.Equal(removed, []string{"20261122t000000z-aaaaaa"}) {
		t.Errorf("a run before all others removed %q", removed)
	}
	listed, err := store.List("")
	var left []string
	for _, l := range listed {
		left = append(left, l.Run)
	}
	if want := []string{"20261124t000000z-aaaaaa", "20261123t000000z-aaaaaa", "20200101t000000z-aaaaaa"}; err != nil || !slices.Equal(left, want) {
		t.Errorf("left %q, %v", left, err)
	}
	if _, err := store.Keep(t.Context(), artifact.Order{Name: "app", Run: "20261124t000000z-aaaaaa", Patterns: []string{"dist"}, Keep: 1}, quiet); err == nil || !strings.Contains(err.Error(), "is there already") {
		t.Errorf("the same run again: %v", err)
	}
	if removed := put("20261130t000000z-aaaaaa", 1); len(removed) != 3 {
		t.Errorf("removed %q", removed)
	}
}

func TestList(t *testing.T) {
	workspace := t.TempDir()
	store := artifact.In(workspace)
	if listed, err := store.List(""); err != nil || len(listed) > 0 {
		t.Errorf("without a store: %v, %v", listed, err)
	}
	if _, err := store.List("app"); err == nil || err.Error() != `no artifact "app" in .turnout/artifacts; there is none` {
		t.Errorf("an unknown name without a store: %v", err)
	}
	plant(t, workspace, map[string]string{
		"dist/a": "hello", "dist/b": "x", artifact.Dir + "/.hidden/x": "x", artifact.Dir + "/UPPER/x": "x",
		artifact.Dir + "/app/.x.partial/manifest.json": "x", artifact.Dir + "/app/file": "x", artifact.Dir + "/zoo/" + run1 + "/": "",
	})
	kept := keep(t, workspace, run1, "dist")
	listed, err := store.List("")
	if err != nil || len(listed) != 2 {
		t.Fatalf("%+v, %v", listed, err)
	}
	app, zoo := listed[0], listed[1]
	if app.Name != "app" || app.Run != run1 || app.Files != 2 || app.Size != 6 || app.Packed != kept.Archive.Size || time.Since(app.Created) > time.Minute || app.Damage != "" {
		t.Errorf("%+v", app)
	}
	if zoo.Damage != "manifest.json: no such file or directory" {
		t.Errorf("%+v", zoo)
	}
	if err := os.Truncate(filepath.Join(workspace, kept.Path), 10); err != nil {
		t.Fatal(err)
	}
	if listed, err := store.List("app"); err != nil || !strings.HasPrefix(listed[0].Damage, "artifact.tar.zst: is 10 bytes long") {
		t.Errorf("%+v, %v", listed, err)
	}
}

// TestSideBySide keeps the same artifact for several runs at once.
func TestSideBySide(t *testing.T) {
	workspace := t.TempDir()
	plant(t, workspace, map[string]string{"dist/a": strings.Repeat("x", 1<<20)})
	var all sync.WaitGroup
	for i := range 8 {
		all.Go(func() {
			_, err := artifact.In(workspace).Keep(t.Context(), artifact.Order{
				Name: "app", Run: fmt.Sprintf("20261123t18450%dz-aaaaaa", i), Patterns: []string{"dist"}, Keep: 8,
			}, quiet)
			if err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	listed, err := artifact.In(workspace).List("app")
	if err != nil || len(listed) != 8 {
		t.Errorf("%d kept, %v", len(listed), err)
	}
	for _, l := range listed {
		if l.Damage != "" {
			t.Errorf("%+v", l)
		}
	}
}

func TestOrdersThatAreNone(t *testing.T) {
	for want, o := range map[string]artifact.Order{
		`artifact: "../x" is not a name`:                {Name: "../x", Run: run1},
		`artifact app: "../x" can't be the id of a run`: {Name: "app", Run: "../x"},
		`artifact app: "dist/[" is not a glob`:          {Name: "app", Run: run1, Patterns: []string{"dist/["}},
	} {
		if _, err := artifact.In(t.TempDir()).Keep(t.Context(), o, quiet); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%+v: %v", o, err)
		}
	}
}

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

func TestFullDisk(t *testing.T) {
	needRoot(t)
	workspace, dest := t.TempDir(), t.TempDir()
	for _, dir := range []string{workspace, dest} {
		if err := unix.Mount("tmpfs", dir, "tmpfs", 0, "size=2m"); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := unix.Unmount(dir, 0); err != nil {
				t.Error(err)
			}
		})
	}
	plant(t, workspace, map[string]string{"dist/easy": strings.Repeat("x", 900<<10)})
	keep(t, workspace, run1, "dist")
	plant(t, dest, map[string]string{"filler": strings.Repeat("x", 1500<<10)})
	_, err := artifact.In(workspace).Get(t.Context(), artifact.Wish{Name: "app", Dest: filepath.Join(dest, "out")})
	if !errors.Is(err, syscall.ENOSPC) || len(snapshot(t, dest)) != 1 {
		t.Errorf("err = %v, left %v", err, snapshot(t, dest))
	}
	os.RemoveAll(filepath.Join(workspace, ".turnout"))
	plant(t, workspace, map[string]string{"dist/easy": string(random(900 << 10)), "dist/more": string(random(800 << 10))})
	err = keepWith(t.Context(), workspace, func(int64) {})
	if !errors.Is(err, syscall.ENOSPC) || !strings.Contains(err.Error(), "artifact app: ") {
		t.Errorf("err = %v", err)
	}
	nothing(t, workspace)
}
