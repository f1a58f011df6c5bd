package release

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
)

// copyFile copies a file with its mode and time, and verifies its hash.
func copyFile(from, to string, item Item) error {
	source, err := os.Open(from)
	if err != nil {
		return err
	}
	defer source.Close()
	file, err := os.OpenFile(to, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	err = errors.Join(fill(file, source, item), file.Chmod(item.Mode), file.Close())
	if err != nil {
		return err
	}
	return os.Chtimes(to, item.ModTime, item.ModTime)
}

func fill(file *os.File, source io.Reader, item Item) error {
	h := sha256.New()
	if _, err := io.Copy(io.MultiWriter(file, h), source); err != nil {
		return err
	}
	if sumOf(h) != item.Sum {
		return errors.New("changed while it was shipped")
	}
	return nil
}

// syncTree makes everything written to the file system of dir last: one system
// call instead of one per file.
func syncTree(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	if err := syncFS(int(d.Fd())); err != nil {
		return fmt.Errorf("sync %s: %w", dir, err)
	}
	return nil
}
