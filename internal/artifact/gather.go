package artifact

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"strings"
	"time"
)

// Gather puts what the order's patterns take in the workspace into a folder, as
// Get would once Keep had kept it, and keeps nothing. The folder is named by its
// path relative to the workspace; it must not be there yet, its parent must.
// That nothing matches is an error.
func (s Store) Gather(ctx context.Context, o Order, into string) (*Manifest, error) {
	if err := o.check(); err != nil {
		return nil, err
	}
	root, err := s.open()
	if err != nil {
		return nil, fmt.Errorf("artifact %s: %w", o.Name, err)
	}
	defer root.Close()
	m, err := gather(ctx, root, o, into)
	if err != nil {
		return nil, fmt.Errorf("artifact %s: %w", o.Name, err)
	}
	return m, nil
}

func gather(ctx context.Context, root *os.Root, o Order, into string) (_ *Manifest, err error) {
	finds, err := scan(ctx, root, o.Patterns)
	if err != nil {
		return nil, err
	}
	if len(finds.entries) == 0 {
		return nil, fmt.Errorf("nothing matches %s", strings.Join(o.Patterns, ", "))
	}
	drafts := into + partialSuffix
	draft := path.Join(drafts, o.Name, o.Run) // its manifest is held against these names
	if err := root.MkdirAll(draft, dirMode); err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, root.RemoveAll(drafts)) }()
	m := &Manifest{Schema: Schema, Name: o.Name, Run: o.Run, Created: time.Now().UTC(), Files: finds.files, Size: finds.size}
	if err := m.pack(ctx, root, draft, finds, func(int64, int64) {}); err != nil {
		return nil, err
	}
	return get(ctx, root, draft, Wish{Name: o.Name, Dest: filepath.Join(root.Name(), into)})
}
