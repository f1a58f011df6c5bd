package machine

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/google/renameio/v2"
)

// ReadFile reads a whole file. The error of a missing one is fs.ErrNotExist.
var ReadFile = Op[File, Content]{Name: "machine.read", Do: func(_ context.Context, _ At, f File) (Content, error) {
	data, err := os.ReadFile(f.Path)
	return Content{Data: data}, err
}}

// Tail reads the last lines of a file, looking no further back than 64 KiB. The
// error of a missing one is fs.ErrNotExist.
var Tail = Op[TailOf, []string]{Name: "machine.tail", Do: func(_ context.Context, _ At, t TailOf) ([]string, error) {
	return lastLines(t.Path, t.Lines)
}}

// Write performs WriteFile.
var Write = Op[NewContent, None]{Name: "machine.write", Do: func(_ context.Context, _ At, n NewContent) (None, error) {
	return None{}, WriteFile(n.Path, n.Data, n.Mode)
}}

// Remove performs RemoveFile.
var Remove = Op[File, None]{Name: "machine.remove", Do: func(_ context.Context, _ At, f File) (None, error) {
	return None{}, RemoveFile(f.Path)
}}

// Symlink performs ReplaceLink.
var Symlink = Op[Link, None]{Name: "machine.symlink", Do: func(_ context.Context, _ At, l Link) (None, error) {
	return None{}, ReplaceLink(l.Target, l.Path)
}}

// MakeDir creates a directory and those above it; one that is there keeps its
// mode.
var MakeDir = Op[Dir, None]{Name: "machine.mkdir", Do: func(_ context.Context, _ At, d Dir) (None, error) {
	return None{}, os.MkdirAll(d.Path, d.Mode)
}}

// None is a result that says nothing.
type None struct{}

// File names a file.
type File struct {
	Path string `json:"path"`
}

// Content is what a file holds.
type Content struct {
	Data []byte `json:"data"`
}

// NewContent is what a file is to hold; see WriteFile for the mode.
type NewContent struct {
	Path string      `json:"path"`
	Data []byte      `json:"data"`
	Mode fs.FileMode `json:"mode"`
}

// TailOf names the last lines of a file.
type TailOf struct {
	Path  string `json:"path"`
	Lines int    `json:"lines"`
}

// Link is a symbolic link to be.
type Link struct {
	Target string `json:"target"` // as the link is to say it
	Path   string `json:"path"`
}

// Dir is a directory to be.
type Dir struct {
	Path string      `json:"path"`
	Mode fs.FileMode `json:"mode"`
}

// ReplaceLink makes path a link to target in one step: whoever follows path at
// any moment gets to the former target or to the new one. What is not a link is
// left alone, with an error.
func ReplaceLink(target, path string) error {
	info, err := os.Lstat(path)
	switch {
	case err == nil && info.Mode().Type() != fs.ModeSymlink:
		return fmt.Errorf("link %s: is not a link (%s): move it away", path, info.Mode())
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("link %s: %w", path, bare(err))
	}
	if err := renameio.Symlink(target, path); err != nil {
		return fmt.Errorf("link %s: %w", path, bare(err))
	}
	return SyncDir(filepath.Dir(path))
}

// RemoveFile removes the file or link at path for good, also through a power
// cut; nothing there is no error.
func RemoveFile(path string) error {
	err := os.Remove(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	return SyncDir(filepath.Dir(path))
}
