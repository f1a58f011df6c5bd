package release

import (
	"errors"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
)

// share links every shared path into the release. One that neither the machine
// nor the release has becomes an empty folder; if its name has an extension it is
// taken for a file that someone will put there, and the link waits for it.
func (r *receiver) share() error {
	for _, shared := range r.Layout.Shared {
		if !r.seeds[shared] {
			if err := r.provide(shared); err != nil {
				return err
			}
		}
		if err := r.link(shared); err != nil {
			return err
		}
	}
	return nil
}

func (r *receiver) provide(shared string) error {
	at := r.Layout.shared(shared)
	_, err := os.Stat(at)
	if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if strings.Contains(strings.TrimPrefix(path.Base(shared), "."), ".") {
		r.received.Awaited = append(r.received.Awaited, shared)
		at = filepath.Dir(at)
	}
	return os.MkdirAll(at, 0o755)
}

// link places a relative link, so that the root can be moved as a whole.
func (r *receiver) link(shared string) error {
	at := filepath.Join(r.partial, filepath.FromSlash(shared))
	if err := os.MkdirAll(filepath.Dir(at), 0o755); err != nil {
		return err
	}
	up := strings.Repeat("../", strings.Count(shared, "/")+2) // out of releases/<id>
	return os.Symlink(up+sharedName+"/"+shared, at)
}
