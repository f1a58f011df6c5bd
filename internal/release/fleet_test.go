package release_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/org/deploy-action/internal/machine"
	"github.com/org/deploy-action/internal/release"
)

// web is a machine that has the root of the layout at a place of its own.
type web struct {
	*there
	root string
}

func startWeb(t *testing.T, name string) *web {
	return &web{there: startAgent(t, name), root: filepath.Join(t.TempDir(), "srv")}
}

func (w *web) Call(ctx context.Context, op string, request []byte, in io.Reader, out io.Writer) ([]byte, error) {
	var d release.Delivery
	if err := json.Unmarshal(request, &d); err != nil {
		return nil, err
	}
	d.Layout.Root = w.root
	request, err := json.Marshal(d)
	if err != nil {
		return nil, err
	}
	return w.there.Call(ctx, op, request, in, out)
}

func (w *web) layout() release.Layout { return release.Layout{Root: w.root} }

// whole are the releases that are whole.
func (w *web) whole(t *testing.T) []string {
	return slices.DeleteFunc(releases(t, w.layout()), func(name string) bool { return strings.HasSuffix(name, ".partial") })
}

// onto is the layout of all webs.
var onto = release.Layout{Root: "/each/its/own"}

func TestOneReleaseOnAllMachines(t *testing.T) {
	f := newForest(t, 3)
	one, two, three := startWeb(t, "web1"), startWeb(t, "web2"), startWeb(t, "web3")
	ahead := filepath.Join(three.root, "releases", "20990101t000000z-00000000")
	if err := os.MkdirAll(ahead, 0o755); err != nil { // its clock was wrong once
		t.Fatal(err)
	}
	shipTo(t, two, two.layout(), f.dir)
	f.edit()
	var mu sync.Mutex
	last := make(map[string]release.Progress)
	shipped, err := release.Ship(context.Background(), []machine.Machine{one, two, three}, onto, f.dir, func(p release.Progress) {
		mu.Lock()
		defer mu.Unlock()
		last[p.Server] = p
	})
	if err != nil {
		t.Fatal(err)
	}
	if shipped.ID <= filepath.Base(ahead) {
		t.Errorf("%s sorts before %s", shipped.ID, ahead)
	}
	for i, w := range []*web{one, two, three} {
		same(t, f.dir, at(w.layout(), shipped.ID, ""))
		if a := shipped.Arrivals[i]; a.Server != w.Name() || (a.Linked > 0) != (w == two) {
			t.Errorf("arrival %+v", a)
		}
		if p := last[w.Name()]; p.Done != p.Total || w != two && p.Total != shipped.Bytes {
			t.Errorf("progress %+v of %d", p, shipped.Bytes)
		}
	}
}

func TestAllMachinesOrNone(t *testing.T) {
	for name, c := range map[string]struct {
		spoil func(t *testing.T, w *web) // before
		want  string
	}{
		"a full disk": {func(t *testing.T, w *web) { w.root = smallDisk(t) }, "web2: ship "},
		"no place to write to": {func(t *testing.T, w *web) {
			plant(t, w.root, "a file", false)
		}, "not a directory"},
		"a lost machine": {func(t *testing.T, w *web) {
			if err := w.process.Kill(); err != nil {
				t.Fatal(err)
			}
		}, "web2: ship "},
	} {
		t.Run(name, func(t *testing.T) {
			f := newForest(t, 4)
			f.write("large", 3<<20)
			one, two, three := startWeb(t, "web1"), startWeb(t, "web2"), startWeb(t, "web3")
			c.spoil(t, two)
			machines := []machine.Machine{one, two, three}
			_, err := release.Ship(context.Background(), machines, onto, f.dir, nil)
			if err == nil || !strings.Contains(err.Error(), c.want) || !strings.HasPrefix(err.Error(), "web2: ") {
				t.Fatalf("err = %v, want %q", err, c.want)
			}
			for _, w := range []*web{one, three} {
				if _, err := os.Stat(w.root); err == nil && len(w.whole(t)) > 0 {
					t.Errorf("%s has %v", w.Name(), w.whole(t))
				}
			}
		})
	}
}

func TestADiskThatIsTooSmallIsSaid(t *testing.T) {
	w := startWeb(t, "web2")
	w.root = smallDisk(t)
	source := tree(t, map[string]string{"a": strings.Repeat("x", 3<<20)})
	err := release.Room(context.Background(), []machine.Machine{w}, onto, source)
	if !errors.Is(err, syscall.ENOSPC) || !strings.Contains(err.Error(), w.root+" has 0.3 MB free, the release needs 3.1 MB") {
		t.Errorf("beforehand: %v", err)
	}
	if entries, err := os.ReadDir(w.root); len(entries) > 0 || err != nil {
		t.Errorf("looking at the disk has left %v, %v", entries, err)
	}
	_, err = release.Ship(context.Background(), []machine.Machine{w}, onto, source, nil)
	if !errors.Is(err, syscall.ENOSPC) || !strings.Contains(err.Error(), w.root+" has 0.3 MB free, the release needs 3.1 MB") {
		t.Errorf("err = %v", err)
	}
	if left := releases(t, w.layout()); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

// TestRoomCountsWhatIsThere measures a release that fits only because the machine
// has most of it, and one for a root that has still to be made.
func TestRoomCountsWhatIsThere(t *testing.T) {
	w := startWeb(t, "web2")
	w.root = smallDisk(t)
	source := tree(t, map[string]string{"a": strings.Repeat("x", 200<<10), "b": "1"})
	if _, err := release.Ship(context.Background(), []machine.Machine{w}, onto, source, nil); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(source, "b"), []byte("2"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := release.Room(context.Background(), []machine.Machine{w}, onto, source); err != nil {
		t.Errorf("a release that is there but for a byte: %v", err)
	}
	w.root = filepath.Join(w.root, "not", "made")
	if err := release.Room(context.Background(), []machine.Machine{w}, onto, source); !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("the same for another root: %v", err)
	}
}

// cut kills the agent once so much of the upload has been sent.
func cut(t *testing.T, w *web, source string, after int64) {
	t.Helper()
	_, err := release.Ship(context.Background(), []machine.Machine{w}, onto, source, func(p release.Progress) {
		if p.Done >= after {
			_ = w.process.Kill()
		}
	})
	if !errors.Is(err, machine.ErrLost) {
		t.Errorf("err = %v", err)
	}
}

func TestAnInterruptedUploadGoesOn(t *testing.T) {
	f := newForest(t, 5)
	for i := range 12 {
		f.write(fmt.Sprintf("large%d", i), 1<<20)
	}
	w := startWeb(t, "web1")
	for _, after := range []int64{0, 7 << 20, 5 << 20} {
		cut(t, w, f.dir, after)
		again := startAgent(t, "web1")
		w.there = again
	}
	before := w.wire.Load()
	shipped, err := release.Ship(context.Background(), []machine.Machine{w}, onto, f.dir, nil)
	if err != nil {
		t.Fatal(err)
	}
	same(t, f.dir, at(w.layout(), shipped.ID, ""))
	// what was on its way when the agent died is lost: windows, pipes, buffers
	if wire := w.wire.Load() - before; wire > 10<<20 || shipped.Arrivals[0].Linked < 2 {
		t.Errorf("%d bytes crossed again; %+v", wire, shipped.Arrivals[0])
	}
	if left := releases(t, w.layout()); len(left) != 1 {
		t.Errorf("left behind: %v", left)
	}
}

// TestAnAgentKilledAnywhere kills it when so many bytes have crossed, in whatever
// part of the conversation that is.
func TestAnAgentKilledAnywhere(t *testing.T) {
	f := newForest(t, 7)
	w := startWeb(t, "web1")
	for i := range 12 {
		if w.there = startAgent(t, "web1"); i%2 == 0 {
			f.edit()
		}
		w.killAt.Store(w.wire.Load() + 50 + f.rand.Int64N(1<<(8+i)))
		shipped, err := release.Ship(context.Background(), []machine.Machine{w}, onto, f.dir, nil)
		if err == nil {
			same(t, f.dir, at(w.layout(), shipped.ID, ""))
			continue
		}
		if !errors.Is(err, machine.ErrLost) || !strings.HasPrefix(err.Error(), "web1: ") {
			t.Errorf("err = %v", err)
		}
		w.there = startAgent(t, "web1")
		if shipped, err = release.Ship(context.Background(), []machine.Machine{w}, onto, f.dir, nil); err != nil {
			t.Fatal(err)
		}
		same(t, f.dir, at(w.layout(), shipped.ID, ""))
		if left := releases(t, w.layout()); len(left) != len(w.whole(t)) {
			t.Errorf("left behind: %v", left)
		}
	}
}

func TestACancelledUploadEnds(t *testing.T) {
	everywhere(t, func(t *testing.T, m machine.Machine) {
		f := newForest(t, 6)
		f.write("large", 3<<20)
		layout := release.Layout{Root: t.TempDir()}
		ctx, cancel := context.WithCancelCause(context.Background())
		reason := errors.New("the user has pressed Ctrl-C")
		_, err := release.Ship(ctx, []machine.Machine{m}, layout, f.dir, func(p release.Progress) {
			if p.Done > 1<<20 {
				cancel(reason)
			}
		})
		if !errors.Is(err, reason) {
			t.Errorf("err = %v", err)
		}
		shipTo(t, m, layout, f.dir)
		if left := releases(t, layout); len(left) != 1 {
			t.Errorf("left behind: %v", left)
		}
	})
}

func TestOneUploadAtATime(t *testing.T) {
	f := newForest(t, 8)
	layout := release.Layout{Root: t.TempDir()}
	m := startAgent(t, "there")
	var both sync.WaitGroup
	for range 2 {
		both.Go(func() {
			if _, err := release.Ship(context.Background(), []machine.Machine{m}, layout, f.dir, nil); err != nil {
				t.Error(err)
			}
		})
	}
	both.Wait()
	ids := releases(t, layout)
	if len(ids) != 2 {
		t.Fatalf("there are %v", ids)
	}
	for _, id := range ids {
		same(t, f.dir, at(layout, id, ""))
	}
}
