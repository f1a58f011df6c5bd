package release

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/org/deploy-action/internal/machine"
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
	if err := r.dropFormer(); err != nil {
		return err
	}
	if err := r.takeStock(ctx); err != nil {
		return err
	}
	return r.short()
}

// Fits says whether a release fits onto a machine's disk, as Receive would find.
// It reads the manifest that Receive is sent, and changes nothing.
var Fits = machine.Op[Delivery, machine.None]{Name: "release.fits", Do: func(ctx context.Context, at machine.At, d Delivery) (machine.None, error) {
	r := &receiver{Delivery: d, in: bufio.NewReader(at.In)}
	if err := errors.Join(d.Layout.check(), r.readManifest(ctx)); err != nil {
		return machine.None{}, err
	}
	if err := errors.Join(r.plantSeeds(), r.takeStock(ctx)); err != nil {
		return machine.None{}, err
	}
	return machine.None{}, r.short()
}}

// Room finds out whether source, a directory or an archive of one, would fit onto
// the disks of all machines. The error names those where it would not: it is
// syscall.ENOSPC. Nothing is changed.
func Room(ctx context.Context, machines []machine.Machine, layout Layout, source string) (err error) {
	dir, done, err := open(ctx, source)
	if err != nil {
		return fmt.Errorf("ship %s: %w", source, err)
	}
	defer func() { err = errors.Join(err, done()) }()
	manifest, err := scan(ctx, dir)
	if err != nil {
		return fmt.Errorf("ship %s: %w", source, err)
	}
	packed, err := packManifest(manifest, layout)
	if err != nil {
		return err
	}
	errs := make([]error, len(machines))
	var all sync.WaitGroup
	for i, m := range machines {
		all.Go(func() {
			if _, err := Fits.Exchange(ctx, m, Delivery{Layout: layout}, bytes.NewReader(packed), io.Discard); err != nil {
				errs[i] = fmt.Errorf("%s: %w", m.Name(), err)
			}
		})
	}
	all.Wait()
	return errors.Join(errs...)
}

// short is the error that the disk has too little, nil where it has enough.
func (r *receiver) short() error {
	disk, err := diskOf(r.Layout.releases())
	if err != nil {
		return fmt.Errorf("%s: free space: %w", r.Layout.Root, err)
	}
	block := statfsUnit(disk)
	need, free := r.demand(block), disk.Bavail*block
	switch {
	case need.bytes > free:
		return fmt.Errorf("%s has %s free, the release needs %s: %w", r.Layout.Root, megabytes(free), megabytes(need.bytes), syscall.ENOSPC)
	case disk.Files > 0 && need.inodes > disk.Ffree: // some file systems have no such limit
		return fmt.Errorf("%s has %d inodes free, the release needs %d: %w", r.Layout.Root, disk.Ffree, need.inodes, syscall.ENOSPC)
	}
	return nil
}

// diskOf is the file system of a folder that may have to be made yet.
func diskOf(dir string) (disk unix.Statfs_t, err error) {
	err = unix.Statfs(dir, &disk)
	for errors.Is(err, fs.ErrNotExist) && dir != filepath.Dir(dir) {
		dir = filepath.Dir(dir)
		err = unix.Statfs(dir, &disk)
	}
	return disk, err
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
