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
	dirMode  fs.FileMode = 0o711
	fileMode fs.FileMode = 0o600
)

// makeDir creates dir and those above it that are missing, whatever the umask.
func makeDir(dir string) error {
	err := os.Mkdir(dir, dirMode)
	if errors.Is(err, fs.ErrNotExist) {
		if err := makeDir(filepath.Dir(dir)); err != nil {
			return err
		}
		err = os.Mkdir(dir, dirMode)
	}
	if errors.Is(err, fs.ErrExist) {
		return isDir(dir)
	}
	if err != nil {
		return err
	}
	return os.Chmod(dir, dirMode)
}

func isDir(path string) error {
	info, err := os.Stat(path)
	if err == nil && !info.IsDir() {
		err = &fs.PathError{Op: "open", Path: path, Err: errors.New("is not a directory")}
	}
	return err
}
