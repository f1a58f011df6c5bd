package release

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"sync/atomic"

	"golang.org/x/sys/unix"
)

// scan reads the tree at source. It refuses what can't be shipped: devices,
// sockets and pipes, and links that leave the tree.
func scan(ctx context.Context, source string) (Manifest, error) {
	source, err := filepath.EvalSymlinks(source) // WalkDir doesn't follow a link at its root
	if err != nil {
		return nil, err
	}
	m, err := list(ctx, source)
	if err == nil && len(m) == 0 {
		err = errors.New("is empty: nothing to ship")
	}
	if err == nil {
		err = m.check()
	}
	if err != nil {
		return nil, err
	}
	return m, m.hash(ctx, source)
}

// list describes what is in the tree, less the hashes of files.
func list(ctx context.Context, source string) (Manifest, error) {
	var m Manifest
	err := filepath.WalkDir(source, func(name string, entry fs.DirEntry, err error) error {
		if err == nil && ctx.Err() != nil {
			err = context.Cause(ctx)
		}
		if err != nil || name == source {
			return err
		}
		item, err := describe(source, name, entry)
		m = append(m, item)
		return err
	})
	return m, err
}

func describe(source, name string, entry fs.DirEntry) (Item, error) {
	info, err := entry.Info()
	if err != nil {
		return Item{}, err
	}
	relative, err := filepath.Rel(source, name)
	if err != nil {
		return Item{}, err
	}
	item := Item{Path: filepath.ToSlash(relative), Mode: info.Mode(), ModTime: info.ModTime()}
	switch info.Mode().Type() {
	case 0:
		item.Size = info.Size()
	case fs.ModeSymlink:
		item.Target, err = os.Readlink(name)
	}
	return item, err
}

// hash hashes the files of the tree at source.
func (m Manifest) hash(ctx context.Context, source string) error {
	return together(ctx, len(m), func(i int, buffer []byte) error {
		item := &m[i]
		if !item.Mode.IsRegular() {
			return nil
		}
		name := filepath.Join(source, filepath.FromSlash(item.Path))
		sum, size, err := hashFile(name, buffer)
		if err == nil && size != item.Size {
			err = fmt.Errorf("%s: changes while it is read", name)
		}
		item.Sum = sum
		return err
	})
}

// together does n things on all processors, each with a buffer to read into, and
// returns the first error.
func together(ctx context.Context, n int, do func(i int, buffer []byte) error) error {
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	var next atomic.Int64
	var workers sync.WaitGroup
	for range min(n, runtime.GOMAXPROCS(0)) {
		workers.Go(func() {
			buffer := make([]byte, hashSize)
			for i := int(next.Add(1)) - 1; i < n && ctx.Err() == nil; i = int(next.Add(1)) - 1 {
				if err := do(i, buffer); err != nil {
					stop(err)
				}
			}
		})
	}
	workers.Wait()
	return context.Cause(ctx)
}

// hashSize is how much of a file is read at once, in bytes: most files whole.
const hashSize = 128 << 10

// hashFile reads a file with the system's own calls: releases have many small
// ones, and what os.File does for pipes and sockets costs as much as the hash.
func hashFile(name string, buffer []byte) (sum Sum, size int64, err error) {
	fd, err := unix.Open(name, unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return sum, 0, &fs.PathError{Op: "open", Path: name, Err: err}
	}
	defer func() { _ = unix.Close(fd) }() // nothing was written
	h := sha256.New()
	for {
		n, err := unix.Read(fd, buffer)
		if err == unix.EINTR {
			continue
		}
		if err != nil {
			return sum, size, &fs.PathError{Op: "read", Path: name, Err: err}
		}
		if n == 0 {
			return sumOf(h), size, nil
		}
		h.Write(buffer[:n])
		size += int64(n)
	}
}
