package artifact

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
	"time"

	"github.com/gofrs/flock"

	"github.com/org/deploy-action/internal/machine"
)

const (
	lockName      = ".lock"
	partialSuffix = ".partial" // being written
	goneSuffix    = ".gone"    // being removed
)

// shelf is the folder of one artifact while a run adds to it. Runs that add at
// the same time share its lock; what is left half done when nobody holds it
// belongs to nobody.
type shelf struct {
	root *os.Root // the workspace
	dir  string
	lock *flock.Flock
	left error // why something half done could not be removed
}

// openShelf opens the shelf of an artifact, made where there is none, and clears
// it of what runs that were killed have left.
func openShelf(ctx context.Context, root *os.Root, name string) (*shelf, error) {
	s := &shelf{root: root, dir: path.Join(Dir, name)}
	if err := root.MkdirAll(s.dir, dirMode); err != nil {
		return nil, err
	}
	s.lock = flock.New(filepath.Join(root.Name(), s.dir, lockName), flock.SetPermissions(fileMode))
	alone, err := s.lock.TryLock()
	if alone {
		s.left = s.sweep()
		err = s.lock.Unlock()
	}
	if err == nil {
		_, err = s.lock.TryRLockContext(ctx, 10*time.Millisecond)
	}
	if err != nil {
		return nil, errors.Join(err, s.lock.Close())
	}
	return s, nil
}

func (s *shelf) close() { _ = s.lock.Close() } // the lock goes with its file

// sweep removes what is half written or half removed. It needs the lock alone.
func (s *shelf) sweep() error {
	entries, err := list(s.root, s.dir)
	errs := []error{err}
	for _, entry := range entries {
		if strings.HasSuffix(entry.Name(), partialSuffix) || strings.HasSuffix(entry.Name(), goneSuffix) {
			errs = append(errs, s.root.RemoveAll(path.Join(s.dir, entry.Name())))
		}
	}
	return errors.Join(errs...)
}

// prune removes the artifacts of all runs but the newest, and not that of run.
// It returns those removed, also beside an error.
func (s *shelf) prune(keep int, run string) (removed []string, err error) {
	all, err := runs(s.root, path.Base(s.dir))
	if err != nil {
		return nil, err
	}
	var errs []error
	for _, old := range all[min(keep, len(all)):] {
		if old == run { // the clock was set back
			continue
		}
		if err := s.remove(old); err != nil {
			errs = append(errs, err)
		} else {
			removed = append(removed, old)
		}
	}
	return removed, errors.Join(errs...)
}

// remove takes an artifact off the shelf in one step, then removes it.
func (s *shelf) remove(run string) error {
	gone := path.Join(s.dir, "."+run+goneSuffix)
	if err := s.root.Rename(path.Join(s.dir, run), gone); err != nil {
		return err
	}
	return s.root.RemoveAll(gone)
}

// put packs what was found, with its manifest, and returns the archive's path.
// Until all of it is on the disk it has a hidden name.
func (s *shelf) put(ctx context.Context, m *Manifest, finds *finds, progress func(done, total int64)) (archive string, err error) {
	final, draft := path.Join(s.dir, m.Run), path.Join(s.dir, "."+m.Run+partialSuffix)
	if _, err := s.root.Lstat(final); !errors.Is(err, fs.ErrNotExist) {
		return "", fmt.Errorf("%s: is there already", final)
	}
	if err := s.root.Mkdir(draft, dirMode); err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, s.root.RemoveAll(draft)) }() // nothing is there after success
	_ = machine.HandOver(s.root.Name(), ownName)                       // a run that is killed must not leave what only root can remove
	if err := m.pack(ctx, s.root, draft, finds, progress); err != nil {
		return "", err
	}
	if err := syncDir(s.root, draft); err != nil {
		return "", err
	}
	if err := s.root.Rename(draft, final); err != nil {
		return "", err
	}
	return path.Join(final, archiveName), syncDir(s.root, s.dir)
}

func syncDir(root *os.Root, dir string) error {
	d, err := root.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
