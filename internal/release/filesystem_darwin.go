package release

import (
	"errors"

	"golang.org/x/sys/unix"
)

// syncFS is refused: macOS only begins to write, and releases are kept on Linux.
func syncFS(int) error { return errors.ErrUnsupported }

// statfsUnit is the unit that statfs(2) counts in, in bytes.
func statfsUnit(fs unix.Statfs_t) uint64 { return uint64(fs.Bsize) }
