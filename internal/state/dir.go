// Package state keeps what outlives a run on a proxy host, per environment: the
// lock, the journal of the switch in flight and the history. What serves now is
// not kept here: the proxy's own configuration says it.
//
// Every record carries a checksum. What is torn or altered is left out and
// counted, never an error: an old record must not keep a deploy from starting.
package state

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
)

const (
	// dirMode lets a proxy's workers reach files inside whose names they know,
	// and list nothing.
	dirMode fs.FileMode = 0o711
	// aboveMode is for what lies above, such as the root of an application, which
	// holds more than our files.
	aboveMode fs.FileMode = 0o755
	fileMode  fs.FileMode = 0o600
)

// makeDir creates dir and those above it that are missing, whatever the umask.
func makeDir(dir string) error { return makeDirs(dir, dirMode) }

func makeDirs(dir string, mode fs.FileMode) error {
	err := os.Mkdir(dir, mode)
	if errors.Is(err, fs.ErrNotExist) {
		if err := makeDirs(filepath.Dir(dir), aboveMode); err != nil {
			return err
		}
		err = os.Mkdir(dir, mode)
	}
	if errors.Is(err, fs.ErrExist) {
		return isDir(dir)
	}
	if err != nil {
		return err
	}
	return os.Chmod(dir, mode)
}

func isDir(path string) error {
	info, err := os.Stat(path)
	if err == nil && !info.IsDir() {
		err = &fs.PathError{Op: "open", Path: path, Err: errors.New("is not a directory")}
	}
	return err
}
