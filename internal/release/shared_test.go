package release_test

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/org/deploy-action/internal/machine"
	"github.com/org/deploy-action/internal/release"
)

func TestSharedPathsOutliveReleases(t *testing.T) {
	layout := release.Layout{Root: t.TempDir(), Shared: []string{"uploads", "config/secrets.env", "var/deep/cache", "data"}}
	plant(t, filepath.Join(layout.Root, "shared", "data", "kept"), "of the server", false)
	source := tree(t, map[string]string{"uploads/logo.png": "logo", "uploads/sub/": "", "config/app.json": "{}", "data/kept": "of the release"})

	first := ship(t, layout, source)
	if !slices.Equal(first.Arrivals[0].Awaited, []string{"config/secrets.env"}) {
		t.Errorf("awaited %v", first.Arrivals[0].Awaited)
	}
	shared := filepath.Join(layout.Root, "shared")
	for name, want := range map[string]string{"uploads/logo.png": "logo", "data/kept": "of the server", "config/app.json": "{}"} {
		if got := content(t, at(layout, first.ID, name)); got != want {
			t.Errorf("%s = %q", name, got)
		}
	}
	if link, err := os.Readlink(at(layout, first.ID, "var/deep/cache")); err != nil || link != "../../../../shared/var/deep/cache" {
		t.Errorf("link = %q, %v", link, err)
	}
	plant(t, at(layout, first.ID, "var/deep/cache/written"), "by v1", false)
	plant(t, at(layout, first.ID, "uploads/sub/photo"), "by v1", false)
	plant(t, filepath.Join(shared, "config", "secrets.env"), "S=1", false)

	second := ship(t, layout, source)
	if len(second.Arrivals[0].Awaited) > 0 {
		t.Errorf("awaited %v", second.Arrivals[0].Awaited)
	}
	for name, want := range map[string]string{"uploads/sub/photo": "by v1", "var/deep/cache/written": "by v1", "config/secrets.env": "S=1"} {
		if got := content(t, at(layout, second.ID, name)); got != want {
			t.Errorf("%s = %q", name, got)
		}
	}
	if second.Arrivals[0].Linked != 1 { // config/app.json alone
		t.Errorf("second = %+v", second)
	}
}

func TestAPathThatBecomesSharedIsNoLinkIntoAnOldRelease(t *testing.T) {
	layout := release.Layout{Root: t.TempDir()}
	source := tree(t, map[string]string{"uploads/logo.png": "logo"})
	before := ship(t, layout, source)
	layout.Shared = []string{"uploads"}
	ship(t, layout, source)
	if sameFile(t, at(layout, before.ID, "uploads/logo.png"), filepath.Join(layout.Root, "shared", "uploads", "logo.png")) {
		t.Error("what the application writes would change the old release")
	}
}

func TestSlotsPointAtReleases(t *testing.T) {
	ctx, m := context.Background(), machine.NewLocal("here")
	layout := release.Layout{Root: t.TempDir()}
	source := tree(t, map[string]string{"index.html": "v"})
	one, two := ship(t, layout, source).ID, ship(t, layout, source).ID
	for _, p := range []release.Pointing{{layout.Root, "blue", one}, {layout.Root, "green", one}, {layout.Root, "green", two}} {
		if _, err := release.Point.On(ctx, m, p); err != nil {
			t.Fatal(err)
		}
	}
	plant(t, filepath.Join(layout.Root, "other"), "→ shared", false)
	held, err := release.Slots.On(ctx, m, layout.Root)
	if err != nil || len(held) != 2 || held["blue"] != one || held["green"] != two {
		t.Errorf("held = %v, %v", held, err)
	}
	if got := content(t, filepath.Join(layout.Root, "green", "index.html")); got != "v" {
		t.Errorf("through the slot: %q", got)
	}
	if held, err := release.Slots.On(ctx, m, filepath.Join(layout.Root, "missing")); err != nil || len(held) > 0 {
		t.Errorf("without a root: %v, %v", held, err)
	}
}

func TestPointRefuses(t *testing.T) {
	ctx, m := context.Background(), machine.NewLocal("here")
	layout := release.Layout{Root: t.TempDir()}
	id := ship(t, layout, tree(t, map[string]string{"a": "a"})).ID
	plant(t, filepath.Join(layout.Root, "blue", "precious"), "x", false)
	for want, p := range map[string]release.Pointing{
		"is not a link":              {Root: layout.Root, Slot: "blue", ID: id},
		"no such file":               {Root: layout.Root, Slot: "green", ID: "20200101t000000z-00000000"},
		"is not the id of a release": {Root: layout.Root, Slot: "green", ID: "../.."},
	} {
		if _, err := release.Point.On(ctx, m, p); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: err = %v, want %q", p, err, want)
		}
	}
	if got := content(t, filepath.Join(layout.Root, "blue", "precious")); got != "x" {
		t.Errorf("precious = %q", got)
	}
}

func TestPruneKeepsWhatIsInUse(t *testing.T) {
	ctx, m := context.Background(), machine.NewLocal("here")
	layout := release.Layout{Root: t.TempDir()}
	source := tree(t, map[string]string{"a": "a", "locked/b": "b"})
	if err := os.Chmod(filepath.Join(source, "locked"), 0o555); err != nil {
		t.Fatal(err)
	}
	var ids []string
	for range 6 {
		ids = append(ids, ship(t, layout, source).ID)
	}
	if _, err := release.Point.On(ctx, m, release.Pointing{Root: layout.Root, Slot: "blue", ID: ids[0]}); err != nil {
		t.Fatal(err)
	}
	removed, err := release.Prune.On(ctx, m, release.Pruning{Root: layout.Root, Keep: 2, InUse: []string{"", ids[2]}})
	if err != nil || !slices.Equal(removed, []string{ids[1], ids[3]}) {
		t.Errorf("removed %v of %v, %v", removed, ids, err)
	}
	if left := releases(t, layout); !slices.Equal(left, []string{ids[0], ids[2], ids[4], ids[5]}) {
		t.Errorf("left %v", left)
	}
	if again, err := release.Prune.On(ctx, m, release.Pruning{Root: layout.Root, Keep: 2, InUse: []string{ids[2]}}); err != nil || len(again) > 0 {
		t.Errorf("again: %v, %v", again, err)
	}
}
