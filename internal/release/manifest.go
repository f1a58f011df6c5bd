package release

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io/fs"
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
	Path    string // slash-separated, relative to the release
	Mode    fs.FileMode
	Size    int64 // of a file, in bytes
	ModTime time.Time
	Sum     Sum    // of a file
	Target  string // of a link, as it stands
}

// Sum is a SHA-256. Of one that has crossed to another machine, the rest after
// its prefix is 0 until the content is there.
type Sum [sha256.Size]byte

// prefixSize is how many bytes of a hash travel. 64 bits tell apart what differs
// by chance; the hash of the whole tells what differs by intent.
const prefixSize = 8

// matches reports whether s and t have the same prefix.
func (s Sum) matches(t Sum) bool { return [prefixSize]byte(s[:]) == [prefixSize]byte(t[:]) }

func (s Sum) String() string { return hex.EncodeToString(s[:]) }

func sumOf(h hash.Hash) (s Sum) {
	h.Sum(s[:0])
	return s
}

// files is the number of files and their bytes.
func (m Manifest) files() (n int, bytes int64) {
	for _, item := range m {
		if item.Mode.IsRegular() {
			n++
			bytes += item.Size
		}
	}
	return n, bytes
}

// check refuses items that a release must not have, all of them in one error.
func (m Manifest) check() error {
	links := make(map[string]string)
	for _, item := range m {
		if item.Mode.Type() == fs.ModeSymlink {
			links[item.Path] = item.Target
		}
	}
	seen := map[string]bool{".": true} // whether it is a folder
	var errs []error
	for _, item := range m {
		why := item.refusal(links)
		if _, twice := seen[item.Path]; why == "" && twice {
			why = "is there twice"
		} else if why == "" && !seen[path.Dir(item.Path)] {
			why = "lies in no folder of the release"
		}
		if why != "" {
			errs = append(errs, fmt.Errorf("%s: %s", item.Path, why))
		}
		seen[item.Path] = item.Mode.IsDir()
	}
	return errors.Join(errs...)
}

func (i Item) refusal(links map[string]string) string {
	switch {
	case !filepath.IsLocal(i.Path) || path.Clean(i.Path) != i.Path || i.Path == ".":
		return "leaves the release"
	case !utf8.ValidString(i.Path) || !utf8.ValidString(i.Target):
		return "the name is not UTF-8"
	case i.Size < 0:
		return "has a size below 0"
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
func (m Manifest) sum() Sum {
	h := sha256.New()
	for _, item := range m {
		fmt.Fprintf(h, "%q %o %s %q\n", item.Path, item.Mode, item.Sum, item.Target)
	}
	return sumOf(h)
}

// proof is the hash of everything that a machine can hold against what it has
// built: times as well, and not what it shares, which it may have of its own.
func (m Manifest) proof(layout Layout) Sum {
	h := sha256.New()
	for _, item := range m {
		if layout.sharedOver(item.Path) == "" {
			fmt.Fprintf(h, "%q %o %d %d %s %q\n", item.Path, item.Mode, item.Size, item.ModTime.UnixNano(), item.Sum, item.Target)
		}
	}
	return sumOf(h)
}
