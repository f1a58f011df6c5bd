package machine

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"syscall"
	"time"

	"github.com/google/renameio/v2"
)

// KeepMode tells WriteFile to keep the mode of the file that is there, and to
// give 0644 to a new one.
const KeepMode fs.FileMode = 0

// WriteFile makes data the content of path in one step: whoever opens path at
// any moment reads all of the old content or all of the new, also after a power
// cut. A link at path stays, and the file it leads to is written. Owner and
// group of a file that is there are kept; mode is set exactly, without the
// umask.
//
// The content comes into being beside the target under a hidden name that
// neither nginx's *.conf nor HAProxy's *.cfg takes. On an error the old content
// stays.
func WriteFile(path string, data []byte, mode fs.FileMode) error {
	if err := replace(path, data, mode); err != nil {
		return fmt.Errorf("write %s: %w", path, bare(err))
	}
	return nil
}

func replace(path string, data []byte, mode fs.FileMode) error {
	target, err := resolve(path)
	if err != nil {
		return err
	}
	former, err := regular(target)
	if err != nil {
		return err
	}
	pending, err := renameio.NewPendingFile(target,
		renameio.WithTempDir(filepath.Dir(target)), renameio.WithStaticPermissions(modeFor(mode, former)))
	if err != nil {
		return err
	}
	defer pending.Cleanup()
	if err := keepOwner(pending.File, former); err != nil {
		return err
	}
	if _, err := pending.Write(data); err != nil {
		return err
	}
	if err := pending.CloseAtomicallyReplace(); err != nil {
		return mounted(err)
	}
	sweep(target)
	return SyncDir(filepath.Dir(target))
}

// resolve follows links at path, dangling ones too: a link in sites-enabled is
// to stay one.
func resolve(path string) (string, error) {
	for range 40 { // as many as the kernel follows
		dir, err := filepath.EvalSymlinks(filepath.Dir(path))
		if err != nil {
			return "", err
		}
		path = filepath.Join(dir, filepath.Base(path))
		link, err := os.Readlink(path)
		if err != nil {
			return path, nil // no link
		}
		if !filepath.IsAbs(link) {
			link = filepath.Join(dir, link)
		}
		path = link
	}
	return "", syscall.ELOOP
}

// regular describes the file at path, nil when there is none.
func regular(path string) (fs.FileInfo, error) {
	info, err := os.Lstat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, nil
	case err != nil:
		return nil, err
	case !info.Mode().IsRegular():
		return nil, fmt.Errorf("is not a regular file (%s)", info.Mode().Type())
	}
	return info, nil
}

func modeFor(mode fs.FileMode, former fs.FileInfo) fs.FileMode {
	switch {
	case mode != KeepMode:
		return mode
	case former != nil:
		return former.Mode().Perm()
	}
	return 0o644
}

func keepOwner(file *os.File, former fs.FileInfo) error {
	if former == nil {
		return nil
	}
	mine, err := file.Stat()
	if err != nil {
		return err
	}
	was, is := former.Sys().(*syscall.Stat_t), mine.Sys().(*syscall.Stat_t)
	if was.Uid == is.Uid && was.Gid == is.Gid {
		return nil
	}
	if err := file.Chown(int(was.Uid), int(was.Gid)); err != nil {
		return fmt.Errorf("keep owner %d:%d: %w", was.Uid, was.Gid, bare(err))
	}
	return nil
}

// mounted explains the error of renaming over a mount point.
func mounted(err error) error {
	if errors.Is(err, syscall.EBUSY) {
		return fmt.Errorf("is a mount of its own and can't be replaced; mount its directory instead: %w", bare(err))
	}
	return err
}

// sweep removes what writers of path that were killed left beside it.
func sweep(path string) {
	dir, name := filepath.Split(path)
	stale := regexp.MustCompile(`^\.` + regexp.QuoteMeta(name) + `\d+$`)
	entries, _ := os.ReadDir(dir)
	for _, entry := range entries {
		info, err := entry.Info()
		if err == nil && stale.MatchString(entry.Name()) && time.Since(info.ModTime()) > time.Hour {
			_ = os.Remove(filepath.Join(dir, entry.Name())) // the next writer tries again
		}
	}
}

// SyncDir makes what was created, renamed or removed in dir last through a power
// cut.
func SyncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// bare is err without the path and the system call that os puts in front.
func bare(err error) error {
	var path *fs.PathError
	if errors.As(err, &path) && error(path) == err {
		return path.Err
	}
	var link *os.LinkError
	if errors.As(err, &link) && error(link) == err {
		return link.Err
	}
	return err
}
