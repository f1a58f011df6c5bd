package release

import (
	"context"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
)

// stock is what a machine has of a release already: in earlier releases, the
// newest first, and in what an interrupted upload has left.
type stock struct {
	manifest Manifest
	wanted   map[string]int // items not found yet, by path

	found map[int]find     // items, and a file with their content
	older map[int][]string // items not found, and what their paths held before

	mu   sync.Mutex
	sums map[inode]Sum // of files that have been read
}

// inode tells files apart, however many names they have.
type inode struct{ device, number uint64 }

// find is a file with the content of an item.
type find struct {
	path    string
	inPlace bool // it is where the item is to be
}

// candidate is a file that may be what an item is.
type candidate struct {
	path string
	size int64
	inode
	item int // that it is, should the content be the same; -1 for any of its size
}

// takeStock looks for the wanted items in trees. The hash is asked of the files
// themselves: an application may have written to them.
func takeStock(ctx context.Context, m Manifest, wanted []int, trees []string) (*stock, error) {
	s := &stock{
		manifest: m, wanted: make(map[string]int, len(wanted)),
		found: make(map[int]find), older: make(map[int][]string), sums: make(map[inode]Sum),
	}
	for _, i := range wanted {
		s.wanted[m[i].Path] = i
	}
	for _, tree := range trees {
		if len(s.wanted) == 0 {
			break
		}
		if err := s.search(ctx, tree); err != nil {
			return nil, err
		}
	}
	for i := range s.found {
		delete(s.older, i)
	}
	return s, nil
}

// search looks through one tree: first for files that are where they were, then
// for those that were moved.
func (s *stock) search(ctx context.Context, tree string) error {
	same, others, err := s.walk(ctx, tree)
	if err != nil {
		return err
	}
	if err := s.compare(ctx, same); err != nil {
		return err
	}
	sizes := make(map[int64]bool)
	for _, i := range s.wanted {
		sizes[s.manifest[i].Size] = true
	}
	others = slices.DeleteFunc(others, func(c candidate) bool {
		_, read := s.sums[c.inode]
		return read || !sizes[c.size] || c.size == 0
	})
	return s.compare(ctx, others)
}

// walk lists the files of a tree: those at the path and of the size of an item
// that is wanted, and the rest.
func (s *stock) walk(ctx context.Context, tree string) (same, others []candidate, err error) {
	err = filepath.WalkDir(tree, func(name string, entry fs.DirEntry, err error) error {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if err != nil || !entry.Type().IsRegular() {
			return nil // what can't be read is no help
		}
		info, err := entry.Info()
		if err != nil {
			return nil
		}
		stat := info.Sys().(*syscall.Stat_t)
		c := candidate{path: name, size: info.Size(), inode: inode{uint64(stat.Dev), stat.Ino}, item: -1}
		if i, wanted := s.wanted[filepath.ToSlash(strings.TrimPrefix(name, tree+"/"))]; wanted {
			if c.size == s.manifest[i].Size {
				c.item = i
				same = append(same, c)
				return nil
			}
			s.keep(i, c)
		}
		others = append(others, c)
		return nil
	})
	return same, others, err
}

// keep notes what an item's path held before.
func (s *stock) keep(i int, c candidate) {
	if len(s.older[i]) < maxBases && c.size >= minBlock && worthDelta(s.manifest[i].Size) {
		s.older[i] = append(s.older[i], c.path)
	}
}

// compare reads candidates and takes those that are what is wanted.
func (s *stock) compare(ctx context.Context, all []candidate) error {
	sums, readable := make([]Sum, len(all)), make([]bool, len(all))
	err := together(ctx, len(all), func(i int, buffer []byte) error {
		s.mu.Lock()
		sum, known := s.sums[all[i].inode]
		s.mu.Unlock()
		if !known {
			var err error
			if sum, _, err = hashFile(all[i].path, buffer); err != nil {
				return nil // what can't be read is no help
			}
			s.mu.Lock()
			s.sums[all[i].inode] = sum
			s.mu.Unlock()
		}
		sums[i], readable[i] = sum, true
		return nil
	})
	if err != nil {
		return err
	}
	wanted := make(map[[prefixSize]byte][]int)
	for _, i := range s.wanted {
		prefix := [prefixSize]byte(s.manifest[i].Sum[:])
		wanted[prefix] = append(wanted[prefix], i)
	}
	for at, c := range all {
		if !readable[at] {
			continue
		}
		for _, i := range wanted[[prefixSize]byte(sums[at][:])] {
			if s.manifest[i].Size == c.size {
				s.take(i, find{path: c.path, inPlace: c.item == i}, sums[at])
			}
		}
		if _, found := s.found[c.item]; c.item >= 0 && !found {
			s.keep(c.item, c)
		}
	}
	return nil
}

func (s *stock) take(i int, f find, sum Sum) {
	if _, found := s.found[i]; !found {
		s.found[i], s.manifest[i].Sum = f, sum
		delete(s.wanted, s.manifest[i].Path)
	}
}

// bases opens what an item's path held before.
func (s *stock) bases(i int) (all []basis, err error) {
	for _, path := range s.older[i] {
		file, err := os.Open(path)
		if err != nil {
			closeAll(all)
			return nil, err
		}
		info, err := file.Stat()
		if err != nil {
			closeAll(append(all, basis{file: file}))
			return nil, err
		}
		all = append(all, basis{file: file, size: info.Size()})
	}
	return all, nil
}

func closeAll(bases []basis) {
	for _, b := range bases {
		_ = b.file.Close() // nothing was written
	}
}
