package release

import "golang.org/x/sys/unix"

// syncFS makes everything written to a file system last, which a file of it names.
func syncFS(fd int) error { return unix.Syncfs(fd) }

// statfsUnit is the unit that statfs(2) counts in, in bytes.
func statfsUnit(fs unix.Statfs_t) uint64 { return uint64(fs.Frsize) }
