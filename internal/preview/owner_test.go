package preview

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/org/deploy-action/internal/preview/register"
	"github.com/org/deploy-action/internal/proxy"
)

// TestRepositoriesOfOneBlockName has the block of another repository, and of a run
// that knows of none, find previews under its own name: it brings up nothing there,
// and removes, repairs and lists none of them.
func TestRepositoriesOfOneBlockName(t *testing.T) {
	t.Parallel()
	w := newWorld(t, proxy.HAProxy) // whose file is that of all previews
	m := w.agent()
	w.repository = "org/shop"
	w.mustBring(m, 1, "one")
	two := w.mustBring(m, 2, "two")
	if two.Repository != "org/shop" {
		t.Errorf("record: %+v", two)
	}
	two.State = register.Coming // so that who repairs it is seen
	w.write(two)

	ttl := w.preview.TTL
	for repository, says := range map[string][]string{
		"eve/shop": {`is a preview of org/shop`, `rename preview "shop" (deploy.hcl:2)`, "nothing was changed", `preview sync -repository org/shop -open ''`},
		"":         {`is a preview of org/shop`, "add -repository org/shop", "nothing was changed"},
	} {
		w.repository = repository
		for _, number := range []int{1, 3} { // the name is held, and the block is
			_, err := w.bring(m, number, "others")
			for _, text := range says {
				if err == nil || !strings.Contains(err.Error(), text) {
					t.Errorf("%q, up %d: %v, want %q", repository, number, err, text)
				}
			}
		}
		if found, err := Remove(t.Context(), w.request(m, "down"), 1); found || (err == nil) != (repository != "") {
			t.Errorf("%q, down: %v, %v", repository, found, err)
		}
		w.steps = nil
		if s, err := Sync(t.Context(), w.request(m, "sync"), pulls(2)); err != nil || len(s.Removed)+len(s.Repaired)+len(s.Kept) > 0 || !slices.Equal(s.Missing, []int{2}) {
			t.Errorf("%q, sync: %+v, %v", repository, s, err)
		}
		w.told("shop: left alone: 2 of org/shop")
		w.preview.TTL = time.Nanosecond
		if s, err := Prune(t.Context(), w.request(m, "prune")); err != nil || len(s.Removed) > 0 {
			t.Errorf("%q, prune: %+v, %v", repository, s, err)
		}
		w.preview.TTL = ttl
		all, err := List(t.Context(), w.request(m, "list"))
		if want := map[string]int{"": 2}[repository]; err != nil || len(all) != want {
			t.Errorf("%q, list: %+v, %v", repository, all, err)
		}
		w.shows(1, "one")
		w.shows(2, "two")
	}

	w.repository = "Org/Shop" // GitHub's names have no case
	if s, err := Sync(t.Context(), w.request(m, "sync"), pulls(1, 2)); err != nil || !slices.Equal(s.Kept, []int{1}) || !slices.Equal(s.Repaired, []int{2}) {
		t.Errorf("own sync: %+v, %v", s, err)
	}
	w.holds(m, []int{1, 2})
}

// TestRecordsOfNoRepository has previews of runs that knew of no repository be kept
// and removed by any, and belong to the first one that updates them.
func TestRecordsOfNoRepository(t *testing.T) {
	t.Parallel()
	w := newWorld(t, proxy.NGINX)
	m := w.agent()
	two := w.mustBring(m, 2, "two")
	w.write(Record{Name: "shop-pr-1", Number: 1, Port: two.Port + 1, State: register.Coming})
	w.repository = "org/shop"
	if all, err := List(t.Context(), w.request(m, "list")); err != nil || len(all) != 2 {
		t.Errorf("list: %+v, %v", all, err)
	}
	if s, err := Sync(t.Context(), w.request(m, "sync"), pulls(2)); err != nil || len(s.Removed) != 1 || len(s.Kept) != 1 {
		t.Errorf("sync: %+v, %v", s, err)
	}
	if r := w.mustBring(m, 2, "new"); r.Repository != "org/shop" {
		t.Errorf("updated: %+v", r)
	}
	w.repository = "org/blog"
	if found, err := Remove(t.Context(), w.request(m, "down"), 2); found || err != nil {
		t.Errorf("down: %v, %v", found, err)
	}
	w.repository = ""
	w.shows(2, "new")
	w.holds(m, []int{2})
}
