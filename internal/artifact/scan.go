package artifact

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"slices"
	"syscall"
	"time"
)

// finds are all that the patterns take, each folder before what lies in it.
type finds struct {
	entries []Entry
	ids     []identity // of the entries
	files   int
	size    int64 // bytes of the files
	notices notices
}

// identity tells a file from another one under its name.
type identity struct{ device, number uint64 }

func identify(info fs.FileInfo) identity {
	stat := info.Sys().(*syscall.Stat_t)
	return identity{uint64(stat.Dev), stat.Ino} // Dev differs in size between platforms
}

// scan looks for what the patterns take. Links are found, never followed.
func scan(ctx context.Context, root *os.Root, globs []string) (*finds, error) {
	p, err := compile(globs)
	if err != nil {
		return nil, err
	}
	w := &walk{root: root, added: map[string]bool{".": true}}
	if err := w.folder(ctx, ".", p, false); err != nil {
		return nil, err
	}
	w.tellLeavers()
	return &w.finds, nil
}

// walk goes through a workspace.
type walk struct {
	finds
	root  *os.Root
	added map[string]bool // folders
}

// folder walks through a folder, which is taken itself or only on the way.
func (w *walk) folder(ctx context.Context, dir string, p patterns, taken bool) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	entries, err := list(w.root, dir)
	switch {
	case err == nil:
	case taken:
		return fmt.Errorf("%s: %w", Text(dir), steady(err))
	case !errors.Is(err, fs.ErrNotExist):
		w.notices.add(Text(dir), fmt.Sprintf("can't be searched (%v)", cause(err)))
	}
	for _, entry := range entries {
		if err := w.visit(ctx, path.Join(dir, entry.Name()), entry, p, taken); err != nil {
			return err
		}
	}
	return nil
}

func list(root *os.Root, dir string) ([]fs.DirEntry, error) {
	folder, err := root.Open(dir)
	if err != nil {
		return nil, err
	}
	defer folder.Close()
	entries, err := folder.ReadDir(-1)
	slices.SortFunc(entries, func(a, b fs.DirEntry) int { return cmp.Compare(a.Name(), b.Name()) })
	return entries, err
}

// visit looks at what lies in a folder; within is whether the folder is taken.
func (w *walk) visit(ctx context.Context, name string, entry fs.DirEntry, p patterns, within bool) error {
	if entry.Name() == gitName {
		p, within = p.naming(gitName), false
	}
	if entry.Name() == ownName || p.leave(name) {
		return nil
	}
	taken := within || p.take(name)
	if taken {
		if err := w.add(name); err != nil {
			return err
		}
	}
	switch {
	case entry.IsDir() && (taken || p.reach(name)):
		return w.folder(ctx, name, p, taken)
	case entry.Type() == fs.ModeSymlink && !taken && p.through(name):
		w.notices.add(Text(name), "is a link, and links are not followed: name the folder it leads to")
	}
	return nil
}

// add takes what is at name, after the folders it lies in.
func (w *walk) add(name string) error {
	if w.added[name] {
		return nil
	}
	info, err := w.root.Lstat(name)
	if err != nil {
		return fmt.Errorf("%s: %w", Text(name), steady(err))
	}
	e, err := find(w.root, name, info)
	if err != nil {
		return fmt.Errorf("%s: %w", Text(name), err)
	}
	if e.Type == "" {
		w.notices.add(e.Path, fmt.Sprintf("is left out: it is neither file, folder nor link (%s)", info.Mode().Type()))
		return nil
	}
	if err := w.add(path.Dir(name)); err != nil {
		return err
	}
	switch e.Type {
	case Folder:
		w.added[name] = true
	case File:
		w.files, w.size = w.files+1, w.size+e.Size
	}
	w.entries, w.ids = append(w.entries, e), append(w.ids, identify(info))
	return nil
}

// find describes what is at name; what no artifact can hold has no type.
func find(root *os.Root, name string, info fs.FileInfo) (Entry, error) {
	e := Entry{Path: Text(name), Mode: Mode(info.Mode().Perm()), ModTime: info.ModTime()}
	if !time.Unix(0, e.ModTime.UnixNano()).Equal(e.ModTime) {
		return Entry{}, fmt.Errorf("was last changed in the year %d, which no archive can hold: touch it", e.ModTime.Year())
	}
	switch info.Mode().Type() {
	case 0:
		e.Type, e.Size = File, info.Size()
	case fs.ModeDir:
		e.Type = Folder
	case fs.ModeSymlink:
		target, err := root.Readlink(name)
		if err != nil {
			return Entry{}, steady(err)
		}
		e.Type, e.Target = Link, Text(target)
	}
	return e, nil
}

// tellLeavers tells of links that can't be unpacked.
func (w *walk) tellLeavers() {
	for _, e := range leaving(w.entries) {
		w.notices.add(e.Path, fmt.Sprintf("is a link that leads out of the workspace or in circles (to %s): it is kept, and unpacking will refuse it", e.Target))
	}
}

// unsteady is the error of what does not hold still.
func unsteady(did string) error {
	return fmt.Errorf("%s while it was packed: end what writes there before the stage ends, or leave it out by a pattern with ! in front", did)
}

// steady is err, explained where it says that something is gone.
func steady(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return unsteady("vanished")
	}
	return cause(err)
}
