package release

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"time"
	"unicode/utf8"

	"github.com/org/deploy-action/internal/machine"
)

// Manifest is what a release consists of, each folder before what lies in it.
type Manifest []Item

// Item is a file, folder or link of a release.
type Item struct {
	Path    string      `json:"path"` // slash-separated, relative to the release
	Mode    fs.FileMode `json:"mode"`
	Size    int64       `json:"size,omitempty"` // of a file, in bytes
	ModTime time.Time   `json:"mod_time"`
	Sum     string      `json:"sum,omitempty"`    // SHA-256 of a file, hex
	Target  string      `json:"target,omitempty"` // of a link, as it stands
}

// scan reads the tree at source. It refuses what can't be shipped: devices,
// sockets and pipes, and links that leave the tree.
func scan(ctx context.Context, source string) (Manifest, error) {
	info, err := os.Stat(source)
	if err != nil {
		return nil, err
	}
	if !info.IsDir() {
		return nil, fmt.Errorf("%s: is not a directory", source)
	}
	source, err = filepath.EvalSymlinks(source) // WalkDir doesn't follow a link at its root
	if err != nil {
		return nil, err
	}
	var m Manifest
	err = filepath.WalkDir(source, func(name string, entry fs.DirEntry, err error) error {
		if err == nil {
			err = ctx.Err()
		}
		if err != nil || name == source {
			return err
		}
		item, err := examine(source, name, entry)
		m = append(m, item)
		return err
	})
	if err == nil && len(m) == 0 {
		err = fmt.Errorf("%s: is empty: nothing to ship", source)
	}
	if err != nil {
		return nil, err
	}
	return m, m.check()
}

func examine(source, name string, entry fs.DirEntry) (Item, error) {
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
		item.Sum, item.Size, err = hashFile(name)
	case fs.ModeSymlink:
		item.Target, err = os.Readlink(name)
	}
	return item, err
}

// check refuses items that a release must not have, all of them in one error.
func (m Manifest) check() error {
	links := make(map[string]string)
	for _, item := range m {
		if item.Mode.Type() == fs.ModeSymlink {
			links[item.Path] = item.Target
		}
	}
	var errs []error
	for _, item := range m {
		if why := item.refusal(links); why != "" {
			errs = append(errs, fmt.Errorf("%s: %s", item.Path, why))
		}
	}
	return errors.Join(errs...)
}

func (i Item) refusal(links map[string]string) string {
	switch {
	case !filepath.IsLocal(i.Path):
		return "leaves the release"
	case !utf8.ValidString(i.Path) || !utf8.ValidString(i.Target):
		return "the name is not UTF-8"
	case i.Mode.IsRegular() || i.Mode.IsDir():
		return ""
	case i.Mode.Type() != fs.ModeSymlink:
		return fmt.Sprintf("is neither file, folder nor link (%s)", i.Mode.Type())
	case path.IsAbs(i.Target):
		return fmt.Sprintf("is an absolute link (to %s): make it relative, or share the path", i.Target)
	case !machine.LinkStays(path.Dir(i.Path), i.Target, links):
		return fmt.Sprintf("is a link that leaves the release (to %s)", i.Target)
	}
	return ""
}

// sum is the hash of everything the release is but its times.
func (m Manifest) sum() string {
	h := sha256.New()
	for _, item := range m {
		fmt.Fprintf(h, "%q %o %s %q\n", item.Path, item.Mode, item.Sum, item.Target)
	}
	return hex.EncodeToString(h.Sum(nil))
}

func hashFile(name string) (sum string, size int64, err error) {
	file, err := os.Open(name)
	if err != nil {
		return "", 0, err
	}
	defer file.Close()
	h := sha256.New()
	size, err = io.Copy(h, file)
	return hex.EncodeToString(h.Sum(nil)), size, err
}
