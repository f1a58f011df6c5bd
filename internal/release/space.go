package release

import (
	"context"
	"errors"
	"fmt"
	"syscall"

	"golang.org/x/sys/unix"
)

// demand is what a release takes of a disk.
type demand struct {
	bytes, inodes uint64
}

// fit refuses a release that the disk has no room for, before anything of it is
// written. What interrupted uploads have left makes way.
func (r *receiver) fit(ctx context.Context) error {
	err := r.short()
	if !errors.Is(err, syscall.ENOSPC) || len(r.former) == 0 {
		return err
	}
	for _, dir := range r.former {
		if err := removeTree(dir); err != nil {
			return fmt.Errorf("remove what an interrupted upload left: %w", err)
		}
	}
	if err := r.takeStock(ctx); err != nil {
		return err
	}
	return r.short()
}

// short is the error that the disk has too little, nil where it has enough.
func (r *receiver) short() error {
	var disk unix.Statfs_t
	if err := unix.Statfs(r.Layout.releases(), &disk); err != nil {
		return fmt.Errorf("%s: free space: %w", r.Layout.Root, err)
	}
	need := r.demand(uint64(disk.Frsize))
	free := disk.Bavail * uint64(disk.Frsize)
	switch {
	case need.bytes > free:
		return fmt.Errorf("%s has %s free, the release needs %s: %w", r.Layout.Root, megabytes(free), megabytes(need.bytes), syscall.ENOSPC)
	case disk.Files > 0 && need.inodes > disk.Ffree: // some file systems have no such limit
		return fmt.Errorf("%s has %d inodes free, the release needs %d: %w", r.Layout.Root, disk.Ffree, need.inodes, syscall.ENOSPC)
	}
	return nil
}

// demand is what has to be written. Files that are linked cost nothing but their
// names, which are counted with the folders.
func (r *receiver) demand(block uint64) (d demand) {
	for i, item := range r.manifest {
		from := r.stock.found[i]
		if r.destination(item) == "" || from.path != "" && r.linkable(item, from) {
			continue
		}
		d.inodes++
		size := uint64(0)
		if item.Mode.IsRegular() {
			size = uint64(item.Size)
		} else if item.Mode.IsDir() {
			size = block
		}
		d.bytes += (size + block - 1) / block * block
		if d.bytes > 1<<60 { // as good as endless
			break
		}
	}
	return d
}

// megabytes writes a number of bytes as people say it.
func megabytes(n uint64) string {
	if n < 10_000_000 {
		return fmt.Sprintf("%.1f MB", float64(n)/1e6)
	}
	return fmt.Sprintf("%.0f MB", float64(n)/1e6)
}
