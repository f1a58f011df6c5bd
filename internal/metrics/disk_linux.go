package metrics

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"golang.org/x/sys/unix"
)

// disks measures the file systems that paths are on, each once, in the order in
// which they are first named.
func disks(paths []string) ([]Disk, error) {
	var all []Disk
	for _, path := range paths {
		mounted, err := mountPoint(path)
		if err != nil {
			return nil, err
		}
		if slices.ContainsFunc(all, func(d Disk) bool { return d.Path == mounted }) {
			continue
		}
		d, err := disk(mounted)
		if err != nil {
			return nil, err
		}
		all = append(all, d)
	}
	return all, nil
}

// disk measures what df(1) would show: its percentage leaves out what only root
// can have.
func disk(mounted string) (Disk, error) {
	var fs unix.Statfs_t
	if err := unix.Statfs(mounted, &fs); err != nil {
		return Disk{}, fmt.Errorf("file system of %s: %w", mounted, err)
	}
	block := fs.Frsize
	used, free := int64(fs.Blocks-fs.Bfree), int64(fs.Bavail)
	return Disk{
		Path: mounted, Size: int64(fs.Blocks) * block, Free: free * block, Used: percent(used, used+free),
		Inodes: percent(int64(fs.Files-fs.Ffree), int64(fs.Files)),
	}, nil
}

// mountPoint is the topmost folder on the same file system as path, or as what is
// there of it.
func mountPoint(path string) (string, error) {
	path, device, err := existing(path)
	if err != nil {
		return "", err
	}
	for path != "/" {
		above := filepath.Dir(path)
		other, err := deviceOf(above)
		if err != nil {
			return "", err
		}
		if other != device {
			break
		}
		path = above
	}
	return path, nil
}

// existing is path, or the nearest folder above it that is there, without symbolic
// links, and its device.
func existing(path string) (string, uint64, error) {
	path = filepath.Clean("/" + path)
	for {
		real, err := filepath.EvalSymlinks(path)
		if err == nil {
			device, err := deviceOf(real)
			return real, device, err
		}
		if !errors.Is(err, os.ErrNotExist) && !errors.Is(err, os.ErrPermission) || path == "/" {
			return "", 0, err
		}
		path = filepath.Dir(path)
	}
}

func deviceOf(path string) (uint64, error) {
	var stat unix.Stat_t
	if err := unix.Stat(path, &stat); err != nil {
		return 0, fmt.Errorf("%s: %w", path, err)
	}
	return stat.Dev, nil
}
