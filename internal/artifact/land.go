package artifact

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"

	"github.com/org/deploy-action/internal/machine"
)

// landing is where an artifact is unpacked.
type landing struct {
	base  *os.Root // a folder that exists: the destination, or the nearest above it
	final string   // in base: what appears in the end; empty where the destination exists
	below string   // in final: the destination

	temp  string   // in base: the hidden folder that is unpacked into
	tree  *os.Root // in temp: where the artifact's paths begin
	moved map[Text]bool
}

// land looks at a destination. Of folders that are missing above it, only the
// first will be given its name, with the others in it already.
func land(dest string) (*landing, error) {
	base, err := filepath.Abs(dest)
	if err != nil {
		return nil, err
	}
	var missing string
	for {
		info, err := os.Stat(base)
		if err == nil && !info.IsDir() {
			return nil, fmt.Errorf("%s: is not a folder", base)
		}
		if err == nil {
			break
		}
		if !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
		base, missing = filepath.Dir(base), filepath.Join(filepath.Base(base), missing)
	}
	l := &landing{moved: make(map[Text]bool)}
	l.final, l.below, _ = strings.Cut(missing, "/")
	l.base, err = os.OpenRoot(base)
	return l, err
}

// hide makes the hidden folder.
func (l *landing) hide() error {
	temp := ".turnout-unpacking-" + rand.Text()
	if err := l.base.Mkdir(temp, 0o755); err != nil {
		return err
	}
	l.temp = temp
	inner := path.Join(temp, l.below)
	err := l.base.MkdirAll(inner, 0o755)
	if err == nil {
		l.tree, err = l.base.OpenRoot(inner)
	}
	return err
}

// close removes what was not placed.
func (l *landing) close(m *Manifest) error {
	var errs []error
	if l.temp != "" {
		errs = append(errs, l.discard(m))
	}
	if l.tree != nil {
		errs = append(errs, l.tree.Close())
	}
	return errors.Join(append(errs, l.base.Close())...)
}

// discard removes the hidden folder.
func (l *landing) discard(m *Manifest) error {
	for _, e := range m.folders() {
		_ = l.base.Chmod(path.Join(l.temp, l.below, string(e.Path)), 0o700) // RemoveAll says what can't be removed
	}
	return l.base.RemoveAll(l.temp)
}

func (m *Manifest) folders() []Entry {
	var all []Entry
	for _, e := range m.Entries {
		if e.Type == Folder {
			all = append(all, e)
		}
	}
	return all
}

// mostInTheWay is how many of the files that are in the way are named.
const mostInTheWay = 5

// free reports what is in the way of an artifact.
func (l *landing) free(m *Manifest, force bool) error {
	if l.final != "" {
		return nil
	}
	var names []string
	more := 0
	for _, e := range m.Entries {
		info, err := l.base.Lstat(string(e.Path))
		switch {
		case errors.Is(err, fs.ErrNotExist):
			continue
		case err != nil:
			return fmt.Errorf("%s: %w", e.Path, cause(err))
		case info.IsDir() != (e.Type == Folder):
			return fmt.Errorf("%s is a %s in the artifact and something else in %s: move it away", e.Path, e.Type, l.base.Name())
		case info.IsDir() || force:
			continue
		case len(names) == mostInTheWay:
			more++
			continue
		}
		names = append(names, e.Path.String())
	}
	switch {
	case len(names) == 0:
		return nil
	case more > 0:
		names = append(names, fmt.Sprintf("and %d more", more))
	}
	return fmt.Errorf("in %s there is already: %s; -force overwrites, -out unpacks elsewhere", l.base.Name(), strings.Join(names, ", "))
}

// place gives what was unpacked its place.
func (l *landing) place(m *Manifest, force bool) error {
	_ = machine.HandOver(l.base.Name(), l.temp) // what can't be given away is of use all the same
	if l.final == "" {
		return l.fill(m, force)
	}
	if err := finish(l.tree, m.folders()); err != nil {
		return err
	}
	if err := l.base.Rename(l.temp, l.final); err != nil {
		return err
	}
	l.temp = ""
	return nil
}

// fill moves what was unpacked into a folder that exists.
func (l *landing) fill(m *Manifest, force bool) error {
	if err := l.free(m, force); err != nil { // unpacking may have taken long
		return err
	}
	var made []Entry
	for _, e := range m.Entries {
		did, err := l.move(&e)
		if err != nil {
			return fmt.Errorf("%s: %w; what comes before it is in place", e.Path, cause(err))
		}
		if did && e.Type == Folder {
			made = append(made, e)
		}
	}
	return finish(l.base, made)
}

// move moves an entry, with all that is in it unless it is a folder that exists,
// and reports whether it was not there before.
func (l *landing) move(e *Entry) (bool, error) {
	name := string(e.Path)
	if l.moved[Text(path.Dir(name))] {
		l.moved[e.Path] = true
		return true, nil
	}
	if e.Type == Folder {
		if _, err := l.base.Lstat(name); err == nil {
			return false, nil
		}
	}
	l.moved[e.Path] = true
	return true, l.base.Rename(path.Join(l.temp, name), name)
}
