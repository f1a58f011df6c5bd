package artifact

import (
	"context"
	"fmt"
	"os"
	"time"

	"github.com/org/deploy-action/internal/machine"
	"github.com/org/deploy-action/internal/value"
)

// Order says what to keep under which name.
type Order struct {
	Name     string
	Run      string   // id of the run; sorts by time
	Patterns []string // globs relative to the workspace; one with "!" in front leaves out
	Keep     int      // newest runs that stay, from 1 on
}

// Kept is an artifact that was kept.
type Kept struct {
	Missing bool   // nothing matches the patterns, and nothing was kept
	Path    string // of the archive, relative to the workspace
	Files   int
	Size    int64 // bytes of the files
	Archive Archive
	Removed []string // runs whose artifact was let go
	Notices []string // about files that are not in it as one would expect
}

// Keep packs what the patterns take in the workspace, and lets the artifacts of
// all but the newest runs go. It reads each file once, and needs memory for the
// list of files only. Links are kept as links; sockets, pipes and devices are
// left out; .turnout is never taken, and .git only where a pattern names it.
//
// On an error nothing is kept and nothing let go. A file that does not hold
// still is an error. When ctx ends, Keep returns within a second.
//
// Progress is told in bytes of the files, often.
func (s Store) Keep(ctx context.Context, o Order, progress func(done, total int64)) (Kept, error) {
	if err := o.check(); err != nil {
		return Kept{}, err
	}
	root, err := s.open()
	if err != nil {
		return Kept{}, fmt.Errorf("artifact %s: %w", o.Name, err)
	}
	defer root.Close()
	kept, err := keep(ctx, root, o, progress)
	if err != nil {
		return Kept{}, fmt.Errorf("artifact %s: %w", o.Name, err)
	}
	return kept, nil
}

func (o Order) check() error {
	if _, err := value.ParseName(o.Name); err != nil {
		return fmt.Errorf("artifact: %w", err)
	}
	if !value.IsRun(o.Run) {
		return fmt.Errorf("artifact %s: %q can't be the id of a run", o.Name, o.Run)
	}
	return nil
}

func keep(ctx context.Context, root *os.Root, o Order, progress func(done, total int64)) (Kept, error) {
	finds, err := scan(ctx, root, o.Patterns)
	if err != nil {
		return Kept{}, err
	}
	if len(finds.entries) == 0 {
		return Kept{Missing: true, Notices: finds.notices.all()}, nil
	}
	shelf, err := openShelf(ctx, root, o.Name)
	if err != nil {
		return Kept{}, err
	}
	defer shelf.close()
	m := &Manifest{Schema: Schema, Name: o.Name, Run: o.Run, Created: time.Now().UTC(), Files: finds.files, Size: finds.size}
	path, err := shelf.put(ctx, m, finds, progress)
	if err != nil {
		return Kept{}, err
	}
	kept := Kept{Path: path, Files: m.Files, Size: m.Size, Archive: m.Archive, Notices: finds.notices.all()}
	kept.Removed, err = shelf.prune(o.Keep, o.Run)
	for _, err := range []error{err, shelf.left, machine.HandOver(root.Name(), ownName)} {
		if err != nil {
			kept.Notices = append(kept.Notices, fmt.Sprintf("is kept, but: %v", err))
		}
	}
	return kept, nil
}
