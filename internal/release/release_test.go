package release_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/org/deploy-action/internal/machine"
	"github.com/org/deploy-action/internal/release"
)

// tree writes files, by path; a content "→ x" is a link to x, a path that ends
// in / a folder.
func tree(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for _, name := range slices.Sorted(maps.Keys(files)) {
		plant(t, filepath.Join(dir, name), files[name], strings.HasSuffix(name, "/"))
	}
	return dir
}

func plant(t *testing.T, name, content string, folder bool) {
	t.Helper()
	var err error
	target, link := strings.CutPrefix(content, "→ ")
	switch errDir := os.MkdirAll(filepath.Dir(name), 0o755); {
	case folder:
		err = errors.Join(errDir, os.MkdirAll(name, 0o755))
	case link:
		err = errors.Join(errDir, os.Symlink(target, name))
	default:
		err = errors.Join(errDir, os.WriteFile(name, []byte(content), 0o644))
	}
	if err != nil {
		t.Fatal(err)
	}
}

// here is the machine of the tests.
var here = []machine.Machine{machine.NewLocal("here")}

func ship(t *testing.T, layout release.Layout, source string) release.Shipped {
	t.Helper()
	shipped, err := release.Ship(context.Background(), here, layout, source, nil)
	if err != nil {
		t.Fatal(err)
	}
	return shipped
}

// refused ships, expects an error that contains want, and that nothing of the
// release is left.
func refused(t *testing.T, layout release.Layout, source, want string) {
	t.Helper()
	_, err := release.Ship(context.Background(), here, layout, source, nil)
	if err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("err = %v, want %q", err, want)
	}
	if left, _ := filepath.Glob(filepath.Join(layout.Root, "releases", "*")); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

func at(layout release.Layout, id, name string) string {
	return filepath.Join(layout.Root, "releases", id, name)
}

func content(t *testing.T, name string) string {
	t.Helper()
	data, err := os.ReadFile(name)
	if err != nil {
		t.Error(err)
	}
	return string(data)
}

func TestShipKeepsModesTimesAndLinks(t *testing.T) {
	source := tree(t, map[string]string{"bin/serve": "#!", "index.html": "v1", "current": "→ bin/serve", "empty/": "", "sub/up": "→ ../index.html"})
	past := time.Date(2021, 3, 4, 5, 6, 7, 891011000, time.UTC)
	for name, mode := range map[string]fs.FileMode{"bin/serve": 0o750, "index.html": 0o600, "empty": 0o555} {
		full := filepath.Join(source, name)
		if err := errors.Join(os.Chmod(full, mode), os.Chtimes(full, past, past)); err != nil {
			t.Fatal(err)
		}
	}
	layout := release.Layout{Root: filepath.Join(t.TempDir(), "srv", "shop")}
	shipped := ship(t, layout, source)
	if shipped.Files != 2 || shipped.Bytes != 4 || shipped.Arrivals[0].Linked != 0 {
		t.Errorf("shipped = %+v", shipped)
	}
	for _, name := range []string{"bin/serve", "index.html", "empty", "bin"} {
		want, _ := os.Stat(filepath.Join(source, name))
		got, err := os.Stat(at(layout, shipped.ID, name))
		if err != nil || got.Mode() != want.Mode() || !got.ModTime().Equal(want.ModTime()) {
			t.Errorf("%s: %v, want %v", name, got, want)
		}
	}
	for name, target := range map[string]string{"current": "bin/serve", "sub/up": "../index.html"} {
		if got, err := os.Readlink(at(layout, shipped.ID, name)); got != target {
			t.Errorf("%s → %q, %v", name, got, err)
		}
	}
}

func TestShipLinksWhatIsUnchanged(t *testing.T) {
	source := tree(t, map[string]string{"same": "same", "changed": "1", "mode": "x", "touched": "by the application", "uploads/seed": "s"})
	layout := release.Layout{Root: t.TempDir(), Shared: []string{"uploads"}}
	first := ship(t, layout, source)
	if err := errors.Join(
		os.WriteFile(filepath.Join(source, "changed"), []byte("2"), 0o644),
		os.Chmod(filepath.Join(source, "mode"), 0o755),
		os.WriteFile(at(layout, first.ID, "touched"), []byte("BY THE APPLICATION"), 0o644),
		os.Chtimes(filepath.Join(source, "same"), time.Now(), time.Now()),
	); err != nil {
		t.Fatal(err)
	}
	second := ship(t, layout, source)
	if second.Arrivals[0].Linked != 2 || second.ID <= first.ID { // same, and mode as a copy
		t.Errorf("second = %+v after %s", second, first.ID)
	}
	if !sameFile(t, at(layout, first.ID, "same"), at(layout, second.ID, "same")) {
		t.Error("same: not linked")
	}
	for name, want := range map[string]string{"changed": "2", "touched": "by the application"} {
		if got := content(t, at(layout, second.ID, name)); got != want {
			t.Errorf("%s = %q", name, got)
		}
	}
	if got := content(t, at(layout, first.ID, "changed")); got != "1" {
		t.Errorf("the first release has changed: %q", got)
	}
}

func sameFile(t *testing.T, a, b string) bool {
	t.Helper()
	x, errX := os.Stat(a)
	y, errY := os.Stat(b)
	if errX != nil || errY != nil {
		t.Fatal(errX, errY)
	}
	return os.SameFile(x, y)
}

func TestShipTwiceInASecondMakesTwoReleases(t *testing.T) {
	source, layout := tree(t, map[string]string{"a": "a"}), release.Layout{Root: t.TempDir()}
	ids := []string{ship(t, layout, source).ID, ship(t, layout, source).ID, ship(t, layout, source).ID}
	if got := releases(t, layout); !slices.Equal(got, ids) || !slices.IsSorted(ids) {
		t.Errorf("there are %v, shipped %v", got, ids)
	}
}

// releases are the names in the folder of releases, sorted.
func releases(t *testing.T, layout release.Layout) []string {
	t.Helper()
	entries, err := os.ReadDir(filepath.Join(layout.Root, "releases"))
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, entry := range entries {
		names = append(names, entry.Name())
	}
	return names
}

func TestShipRefusesBeforeItWrites(t *testing.T) {
	for name, c := range map[string]struct {
		files map[string]string
		want  string
	}{
		"absolute link":                  {map[string]string{"sub/l": "→ /etc/passwd"}, "sub/l: is an absolute link (to /etc/passwd)"},
		"link that leaves":               {map[string]string{"sub/l": "→ ../../x"}, "sub/l: is a link that leaves the release"},
		"link that leaves through links": {map[string]string{"d": "→ .", "l": "→ d/d/d/../../../x"}, "l: is a link that leaves the release"},
		"links in a circle":              {map[string]string{"a": "→ b/x", "b": "→ a/y"}, "a: is a link that leaves the release"},
		"empty":                          {map[string]string{}, "is empty"},
		"not a text name":                {map[string]string{"\xff": "x"}, "the name is not UTF-8"},
	} {
		t.Run(name, func(t *testing.T) {
			refused(t, release.Layout{Root: t.TempDir()}, tree(t, c.files), c.want)
		})
	}
	special := tree(t, map[string]string{"a": "a"})
	if err := syscall.Mkfifo(filepath.Join(special, "pipe"), 0o600); err != nil {
		t.Fatal(err)
	}
	refused(t, release.Layout{Root: t.TempDir()}, special, "pipe: is neither file, folder nor link")
	refused(t, release.Layout{Root: t.TempDir()}, filepath.Join(special, "a"), "is neither a directory nor an archive")
	refused(t, release.Layout{Root: t.TempDir()}, filepath.Join(special, "missing"), "no such file or directory")
}

func TestShipRefusesABadLayout(t *testing.T) {
	source := tree(t, map[string]string{"a": "a", "f": "file"})
	for want, shared := range map[string][]string{
		"lies in the shared path":                      {"up", "up/loads"},
		"is not a plain path inside the release":       {"../x"},
		`shared path "f/x": the release has no folder`: {"f/x"},
	} {
		refused(t, release.Layout{Root: t.TempDir(), Shared: shared}, source, want)
	}
	file := filepath.Join(source, "a")
	refused(t, release.Layout{Root: file}, source, "lies in the folder to ship")
	refused(t, release.Layout{Root: "srv"}, source, "is not an absolute path")
	occupied := filepath.Join(t.TempDir(), "root")
	plant(t, occupied, "a file", false)
	refused(t, release.Layout{Root: occupied}, source, "not a directory")

	layout := release.Layout{Root: t.TempDir()}
	slot := filepath.Join(layout.Root, "blue")
	plant(t, slot, "→ releases/"+ship(t, layout, source).ID, false)
	refused(t, release.Layout{Root: slot}, source, "is a link to the release")
}

func TestShipFailsCleanlyOnAFullDisk(t *testing.T) {
	root := smallDisk(t)
	source := tree(t, map[string]string{"big": strings.Repeat("x", 1<<20), "uploads/big": strings.Repeat("y", 1<<20)})
	layout := release.Layout{Root: root, Shared: []string{"uploads"}}
	_, err := release.Ship(context.Background(), here, layout, source, nil)
	if !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("err = %v", err)
	}
	for _, glob := range []string{"releases/*", "shared/*"} {
		if left, _ := filepath.Glob(filepath.Join(root, glob)); len(left) > 0 {
			t.Errorf("left behind: %v", left)
		}
	}
}

// smallDisk is a file system of 256 KiB.
func smallDisk(t *testing.T) string {
	t.Helper()
	if os.Getuid() != 0 {
		if os.Getenv("CI") != "" {
			t.Fatal("mounting a small disk needs root")
		}
		t.Skip("mounting a small disk needs root")
	}
	dir := t.TempDir()
	if err := unix.Mount("tmpfs", dir, "tmpfs", 0, "size=256k"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := unix.Unmount(dir, 0); err != nil {
			t.Error(err)
		}
	})
	return dir
}

func TestShipRemovesWhatWasInterrupted(t *testing.T) {
	layout := release.Layout{Root: t.TempDir(), Shared: []string{"uploads"}}
	stale := filepath.Join(layout.Root, "releases", "20200101t000000z-00000000.partial")
	plant(t, filepath.Join(stale, "half"), "x", false)
	plant(t, filepath.Join(layout.Root, "shared", "uploads.partial"), "x", false)
	ship(t, layout, tree(t, map[string]string{"a": "a"}))
	for _, name := range []string{stale, filepath.Join(layout.Root, "shared", "uploads.partial")} {
		if _, err := os.Lstat(name); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s is still there", name)
		}
	}
}

func TestShipEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	layout := release.Layout{Root: t.TempDir()}
	_, err := release.Ship(ctx, here, layout, tree(t, map[string]string{"a": "a"}), nil)
	if !errors.Is(err, context.Canceled) {
		t.Errorf("err = %v", err)
	}
}

func TestShipNoticesASourceThatChanges(t *testing.T) {
	for name, becomes := range map[string]string{"other": "abX", "longer": "abcd", "shorter": "ab"} {
		t.Run(name, func(t *testing.T) {
			source := tree(t, map[string]string{"a": "abc"})
			layout := release.Layout{Root: t.TempDir()}
			_, err := release.Ship(context.Background(), here, layout, source, func(release.Progress) {
				plant(t, filepath.Join(source, "a"), becomes, false)
			})
			if err == nil || !strings.Contains(err.Error(), "a: changed while it was shipped") {
				t.Errorf("err = %v", err)
			}
			if left, _ := filepath.Glob(filepath.Join(layout.Root, "releases", "*")); len(left) > 0 {
				t.Errorf("left behind: %v", left)
			}
		})
	}
}

// TestBadReleasesPushNoGoodOneOut has good and bad releases come one after the
// other.
func TestBadReleasesPushNoGoodOneOut(t *testing.T) {
	root := t.TempDir()
	id := func(n int) string { return fmt.Sprintf("2026010%dt000000z-00000000", n) }
	for n := 1; n <= 9; n++ {
		if err := os.MkdirAll(filepath.Join(root, "releases", id(n)), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	m := machine.NewLocal("local")
	for _, n := range []int{2, 4, 6, 7, 9} {
		mark := release.Mark{Reason: "not healthy", Run: "r"}
		if _, err := release.Blame.On(t.Context(), m, release.Blaming{Root: root, ID: id(n), Mark: mark}); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := release.Acquit.On(t.Context(), m, release.Acquittal{Root: root, ID: id(6)}); err != nil {
		t.Fatal(err)
	}
	removed, err := release.Prune.On(t.Context(), m, release.Pruning{Root: root, Keep: 3, InUse: []string{id(2)}})
	if err != nil {
		t.Fatal(err)
	}
	if want := []string{id(1), id(3), id(4)}; !slices.Equal(removed, want) {
		t.Errorf("removed %v, want %v", removed, want)
	}
	bad, err := release.Bad.On(t.Context(), m, root)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := slices.Sorted(maps.Keys(bad)), []string{id(2), id(7), id(9)}; !slices.Equal(got, want) || bad[id(7)].Reason != "not healthy" {
		t.Errorf("marked: %v, want %v with the reason", bad, want)
	}
	if _, err := release.Blame.On(t.Context(), m, release.Blaming{Root: root, ID: id(1)}); err != nil {
		t.Errorf("a release that is gone: %v", err)
	}
	if _, err := release.Blame.On(t.Context(), m, release.Blaming{Root: root, ID: "../" + id(2)}); err == nil {
		t.Error("what is no id was marked")
	}
}
