package preview

import (
	"context"
	"io"
	"strings"
	"sync"
	"testing"

	"github.com/org/deploy-action/internal/machine"
	"github.com/org/deploy-action/internal/preview/register"
)

// witness is a machine that keeps, for each change that a run makes there, what
// the record of the pull request says at that moment.
type witness struct {
	machine.Machine
	dir    string
	number int

	mu   sync.Mutex
	seen []sight
}

// sight is a change and the record as it was on the disk when the change began.
type sight struct {
	op string
	Record
}

func (w *witness) Call(ctx context.Context, op string, request []byte, in io.Reader, out io.Writer) ([]byte, error) {
	if name, changes := strings.CutPrefix(op, "guarded "); changes && !strings.HasPrefix(name, "preview.") {
		w.look(name)
	}
	return w.Machine.Call(ctx, op, request, in, out)
}

func (w *witness) look(op string) {
	s := sight{op: op}
	all, _ := register.All.Do(context.Background(), machine.At{}, w.dir)
	for _, r := range all {
		if r.Number == w.number {
			s.Record = r
		}
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.seen = append(w.seen, s)
}

// take returns what was seen since it was asked last.
func (w *witness) take() []sight {
	w.mu.Lock()
	defer w.mu.Unlock()
	seen := w.seen
	w.seen = nil
	return seen
}

// TestTheRecordComesFirst has a first release, an update and a removal on record
// before anything is done about them, and a sync that finds all well do nothing.
func TestTheRecordComesFirst(t *testing.T) {
	forEachKind(t, func(t *testing.T, w *world) {
		m := &witness{Machine: w.agent(), dir: string(w.preview.StateDir), number: 1}
		first := w.mustBring(m, 1, "one")
		during(t, m.take(), register.Coming, "")
		w.mustBring(m, 1, "two")
		second := during(t, m.take(), register.Coming, first.Release)
		if _, err := Sync(t.Context(), w.request(m, "sync"), pulls(1)); err != nil {
			t.Error(err)
		}
		for _, s := range m.take() {
			t.Errorf("a sync that finds all well does %s", s.op)
		}
		if _, err := Remove(t.Context(), w.request(m, "down"), 1); err != nil {
			t.Error(err)
		}
		during(t, m.take(), register.Going, second)
	})
}

// during fails unless the record has that state and release at each change but
// that of the releases that are too many, which comes last. It returns the release
// that the record has then.
func during(t *testing.T, seen []sight, state register.State, release string) (last string) {
	t.Helper()
	if len(seen) < 3 {
		t.Errorf("changed: %+v", seen)
	}
	for _, s := range seen {
		if s.op == "release.prune" {
			return s.Release
		}
		if s.State != state || s.Release != release {
			t.Errorf("%s while the record is %q of release %q, want %q of %q", s.op, s.State, s.Release, state, release)
		}
	}
	return ""
}
