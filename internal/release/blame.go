package release

import (
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/org/deploy-action/internal/machine"
)

// Blame marks a release: it failed, and no rollback goes there unasked. The mark
// lies beside the release, <root>/releases/<id>.bad, and goes with it. A release
// that is not there is not marked.
var Blame = machine.Op[Blaming, machine.None]{Name: "release.blame", Do: func(_ context.Context, _ machine.At, b Blaming) (machine.None, error) {
	err := exists(b.Root, b.ID)
	if errors.Is(err, fs.ErrNotExist) {
		return machine.None{}, nil
	}
	if err != nil {
		return machine.None{}, err
	}
	text, err := json.Marshal(b.Mark)
	if err != nil {
		return machine.None{}, err
	}
	return machine.None{}, machine.WriteFile(Layout{Root: b.Root}.mark(b.ID), append(text, '\n'), 0o644)
}}

// Acquit takes the mark of a release away, if it has one.
var Acquit = machine.Op[Acquittal, machine.None]{Name: "release.acquit", Do: func(_ context.Context, _ machine.At, a Acquittal) (machine.None, error) {
	if err := exists(a.Root, a.ID); err != nil {
		return machine.None{}, err
	}
	err := os.Remove(Layout{Root: a.Root}.mark(a.ID))
	if errors.Is(err, fs.ErrNotExist) {
		err = nil
	}
	return machine.None{}, err
}}

// Bad says which releases under the root are marked, and why, by their ids. A
// mark that can't be read still marks.
var Bad = machine.Op[string, map[string]Mark]{Name: "release.bad", Do: func(_ context.Context, _ machine.At, root string) (map[string]Mark, error) {
	return Layout{Root: root}.bad()
}}

// Mark says why a release is bad.
type Mark struct {
	Reason string    `json:"reason"`
	Run    string    `json:"run"` // that found it so
	Time   time.Time `json:"time"`
}

// Blaming is a release and its mark.
type Blaming struct {
	Root string `json:"root"`
	ID   string `json:"id"`
	Mark Mark   `json:"mark"`
}

// Acquittal is a release that is to have no mark.
type Acquittal struct {
	Root string `json:"root"`
	ID   string `json:"id"`
}

const badSuffix = ".bad"

func (l Layout) mark(id string) string { return filepath.Join(l.releases(), id+badSuffix) }

func (l Layout) bad() (map[string]Mark, error) {
	entries, err := os.ReadDir(l.releases())
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	marks := make(map[string]Mark)
	for _, entry := range entries {
		id, marked := strings.CutSuffix(entry.Name(), badSuffix)
		if !marked || !idPattern.MatchString(id) {
			continue
		}
		mark := Mark{Reason: "marked, for a reason that can't be read"}
		if text, err := os.ReadFile(l.mark(id)); err == nil {
			_ = json.Unmarshal(text, &mark)
		}
		marks[id] = mark
	}
	return marks, nil
}
