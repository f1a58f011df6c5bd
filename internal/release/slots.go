package release

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/org/deploy-action/internal/machine"
)

// Point makes a slot hold a release, in one step and lastingly. A slot that is a
// real folder is refused: it is not ours.
var Point = machine.Op[Pointing, machine.None]{Name: "release.point", Do: func(_ context.Context, _ machine.At, p Pointing) (machine.None, error) {
	if err := exists(p.Root, p.ID); err != nil {
		return machine.None{}, fmt.Errorf("slot %s: %w", p.Slot, err)
	}
	return machine.None{}, machine.ReplaceLink(filepath.Join(releasesName, p.ID), filepath.Join(p.Root, p.Slot))
}}

// Slots says which release each slot under the root holds. A root that is not
// there has none.
var Slots = machine.Op[string, map[string]string]{Name: "release.slots", Do: func(_ context.Context, _ machine.At, root string) (map[string]string, error) {
	return slots(root)
}}

// List says which whole releases lie under the root, oldest first. A root that is
// not there has none.
var List = machine.Op[string, []string]{Name: "release.list", Do: func(_ context.Context, _ machine.At, root string) ([]string, error) {
	return Layout{Root: root}.ids()
}}

// Prune removes old releases and returns the ids of those removed, also beside
// an error.
var Prune = machine.Op[Pruning, []string]{Name: "release.prune", Do: prune}

// Pointing is a slot and the release it is to hold.
type Pointing struct {
	Root string `json:"root"`
	Slot string `json:"slot"`
	ID   string `json:"id"`
}

// keepBad is how many releases that are marked bad stay, to be looked at.
const keepBad = 2

// Pruning says which releases stay: the Keep newest that are not marked bad, the
// two newest that are, those InUse, and those that a slot holds.
type Pruning struct {
	Root  string   `json:"root"`
	Keep  int      `json:"keep"`
	InUse []string `json:"in_use,omitempty"`
}

func exists(root, id string) error {
	if !idPattern.MatchString(id) {
		return fmt.Errorf("%q is not the id of a release", id)
	}
	dir := filepath.Join(root, releasesName, id)
	info, err := os.Stat(dir)
	if err == nil && !info.IsDir() {
		err = fmt.Errorf("%s: is not a folder", dir)
	}
	return err
}

func slots(root string) (map[string]string, error) {
	held := make(map[string]string)
	entries, err := os.ReadDir(root)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	for _, entry := range entries {
		if entry.Type() != fs.ModeSymlink {
			continue
		}
		target, err := os.Readlink(filepath.Join(root, entry.Name()))
		if err != nil {
			return nil, err
		}
		if id, ours := strings.CutPrefix(target, releasesName+"/"); ours && idPattern.MatchString(id) {
			held[entry.Name()] = id
		}
	}
	return held, nil
}

func prune(ctx context.Context, _ machine.At, p Pruning) ([]string, error) {
	layout := Layout{Root: p.Root}
	ids, err := layout.ids()
	if err != nil {
		return nil, err
	}
	held, err := slots(p.Root)
	if err != nil {
		return nil, err
	}
	inUse := slices.Clone(p.InUse)
	for _, id := range held {
		inUse = append(inUse, id)
	}
	marks, err := layout.bad()
	if err != nil {
		return nil, err
	}
	var removed []string
	for _, id := range surplus(ids, marks, p.Keep) {
		if slices.Contains(inUse, id) {
			continue
		}
		if err := errors.Join(ctx.Err(), layout.discard(id)); err != nil {
			return removed, err
		}
		removed = append(removed, id)
	}
	return removed, nil
}

// surplus are the releases beyond the newest, oldest first: so many good ones,
// and keepBad bad ones. Bad ones push no good one out.
func surplus(ids []string, marks map[string]Mark, keep int) []string {
	var old []string
	good, bad := 0, 0
	for _, id := range slices.Backward(ids) {
		if _, marked := marks[id]; marked {
			if bad++; bad > keepBad {
				old = append(old, id)
			}
			continue
		}
		if good++; good > keep {
			old = append(old, id)
		}
	}
	slices.Reverse(old)
	return old
}

// discard removes a release, and its mark. Its name goes first: half a release
// must not pass for a whole one.
func (l Layout) discard(id string) error {
	dir := filepath.Join(l.releases(), id)
	if err := os.Rename(dir, dir+partialSuffix); err != nil {
		return err
	}
	if err := os.Remove(l.mark(id)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return removeTree(dir + partialSuffix)
}
