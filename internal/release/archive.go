package release

import (
	"archive/tar"
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
	"golang.org/x/sys/unix"
)

// Bounds of an archive, whatever it claims and however well it is packed.
const (
	maxUnpacked      = 64 << 30  // bytes
	maxPadding       = 16 << 20  // bytes after the last entry
	maxArchiveWindow = 128 << 20 // bytes; what zstd --long asks for
)

// unpacker knows one kind of archive, by the end of its name.
type unpacker struct {
	suffix string
	open   func(io.Reader) (io.Reader, func(), error)
}

var unpackers = []unpacker{
	{".tar.gz", openGzip}, {".tgz", openGzip}, {".tar.zst", openZstd}, {".tar", openPlain},
}

func openPlain(from io.Reader) (io.Reader, func(), error) { return from, func() {}, nil }

func openGzip(from io.Reader) (io.Reader, func(), error) {
	r, err := gzip.NewReader(from)
	return r, func() {}, err
}

func openZstd(from io.Reader) (io.Reader, func(), error) {
	r, err := zstd.NewReader(from, zstd.WithDecoderMaxWindow(maxArchiveWindow))
	if err != nil {
		return nil, nil, err
	}
	return r, r.Close, nil
}

// CheckSource finds out, without reading it, whether source is something that can
// be shipped: a directory or an archive.
func CheckSource(source string) error {
	_, err := sourceOf(source)
	return err
}

// sourceOf is what unpacks source; nil for a directory.
func sourceOf(source string) (*unpacker, error) {
	info, err := os.Stat(source)
	if err != nil {
		return nil, err
	}
	if info.IsDir() {
		return nil, nil
	}
	for _, u := range unpackers {
		if strings.HasSuffix(source, u.suffix) && info.Mode().IsRegular() {
			return &u, nil
		}
	}
	return nil, fmt.Errorf("%s: is neither a directory nor an archive (.tar, .tar.gz, .tgz, .tar.zst)", source)
}

// open returns the folder to ship: source itself, or what an archive has, until
// done is called.
func open(ctx context.Context, source string) (dir string, done func() error, err error) {
	packed, err := sourceOf(source)
	if err != nil {
		return "", nil, err
	}
	if packed == nil {
		return source, func() error { return nil }, nil
	}
	return openArchive(ctx, source, packed.open)
}

func openArchive(ctx context.Context, source string, open func(io.Reader) (io.Reader, func(), error)) (dir string, done func() error, err error) {
	s, err := newScratch()
	if err != nil {
		return "", nil, err
	}
	if err := unpackFile(ctx, source, open, s.path); err != nil {
		return "", nil, errors.Join(err, s.remove())
	}
	return s.path, s.remove, nil
}

func unpackFile(ctx context.Context, source string, open func(io.Reader) (io.Reader, func(), error), dir string) error {
	file, err := os.Open(source)
	if err != nil {
		return err
	}
	defer file.Close()
	from, closed, err := open(bufio.NewReaderSize(file, hashSize))
	if err != nil {
		return err
	}
	defer closed()
	into, err := os.OpenRoot(dir) // nothing is made outside of it, through links neither
	if err != nil {
		return err
	}
	defer into.Close()
	u := &unpacking{ctx: ctx, tar: tar.NewReader(from), into: into, left: maxUnpacked}
	if err := u.all(); err != nil {
		return err
	}
	_, err = io.Copy(io.Discard, io.LimitReader(cancellable{ctx, from}, maxPadding)) // its checksum is at the end
	return err
}

// unpacking makes the entries of an archive below a folder.
type unpacking struct {
	ctx     context.Context // ends the reading of a long file too
	tar     *tar.Reader
	into    *os.Root
	left    int64 // bytes that may still come
	folders []*tar.Header
}

func (u *unpacking) all() error {
	for n := 0; ; n++ {
		h, err := u.tar.Next()
		if err == io.EOF {
			return u.finish()
		}
		if err == nil && n > maxItems {
			err = fmt.Errorf("has more than %d entries", maxItems)
		}
		if err != nil {
			return err
		}
		if err := u.entry(h); err != nil {
			return fmt.Errorf("%s: %w", h.Name, err)
		}
	}
}

func (u *unpacking) entry(h *tar.Header) error {
	name := path.Clean(h.Name)
	if !filepath.IsLocal(name) {
		return errors.New("leaves the archive")
	}
	if h.Typeflag == tar.TypeXGlobalHeader || name == "." {
		return nil
	}
	if err := u.into.MkdirAll(path.Dir(name), 0o755); err != nil {
		return err
	}
	if h.Typeflag == tar.TypeDir {
		u.folders = append(u.folders, h)
		return u.into.MkdirAll(name, 0o755)
	}
	if err := u.into.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) { // a later entry replaces an earlier one
		return err
	}
	switch h.Typeflag {
	case tar.TypeReg:
		return u.file(name, h)
	case tar.TypeLink:
		return u.into.Link(path.Clean(h.Linkname), name)
	case tar.TypeSymlink:
		return u.link(name, h)
	}
	return errors.New("is neither file, folder nor link")
}

func (u *unpacking) file(name string, h *tar.Header) error {
	if u.left -= h.Size; u.left < 0 {
		return fmt.Errorf("has more than %s unpacked", megabytes(maxUnpacked))
	}
	file, err := u.into.OpenFile(name, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(file, cancellable{u.ctx, u.tar})
	if err == nil {
		err = file.Chmod(h.FileInfo().Mode())
	}
	if err := errors.Join(err, file.Close()); err != nil {
		return err
	}
	return u.into.Chtimes(name, h.ModTime, h.ModTime)
}

// cancellable reads until its context ends.
type cancellable struct {
	ctx  context.Context
	from io.Reader
}

func (c cancellable) Read(p []byte) (int, error) {
	if c.ctx.Err() != nil {
		return 0, context.Cause(c.ctx)
	}
	return c.from.Read(p)
}

// link makes a link and gives it its time, not what it leads to.
func (u *unpacking) link(name string, h *tar.Header) error {
	if err := u.into.Symlink(h.Linkname, name); err != nil {
		return err
	}
	dir, err := u.into.Open(path.Dir(name))
	if err != nil {
		return err
	}
	defer dir.Close()
	at := unix.NsecToTimespec(h.ModTime.UnixNano())
	return unix.UtimesNanoAt(int(dir.Fd()), path.Base(name), []unix.Timespec{at, at}, unix.AT_SYMLINK_NOFOLLOW)
}

// finish gives folders their modes and times, the deepest first: until then
// things are put into them.
func (u *unpacking) finish() error {
	for i := len(u.folders) - 1; i >= 0; i-- {
		h := u.folders[i]
		name := path.Clean(h.Name)
		err := u.into.Chmod(name, h.FileInfo().Mode()|0o500) // or nobody could ship it
		if err == nil {
			err = u.into.Chtimes(name, h.ModTime, h.ModTime)
		}
		if err != nil {
			return fmt.Errorf("%s: %w", h.Name, err)
		}
	}
	return nil
}

// scratchPattern is what folders that archives are unpacked to are called.
const scratchPattern = "turnout-release-*"

// scratch is a folder for a while. Its lock is held as long as it is needed: one
// that nobody holds was left by a process that was killed.
type scratch struct {
	path string
	lock *os.File
}

func newScratch() (*scratch, error) {
	sweepScratch()
	dir, err := os.MkdirTemp("", scratchPattern)
	if err != nil {
		return nil, err
	}
	lock, err := os.Open(dir)
	if err == nil {
		err = unix.Flock(int(lock.Fd()), unix.LOCK_EX|unix.LOCK_NB)
	}
	if err != nil {
		return nil, errors.Join(err, os.Remove(dir))
	}
	return &scratch{path: dir, lock: lock}, nil
}

func (s *scratch) remove() error { return errors.Join(removeTree(s.path), s.lock.Close()) }

// sweepScratch removes what nobody holds. What can't be removed is not ours.
func sweepScratch() {
	left, _ := filepath.Glob(filepath.Join(globLiteral(os.TempDir()), scratchPattern))
	for _, dir := range left {
		lock, err := os.Open(dir)
		if err != nil {
			continue
		}
		if unix.Flock(int(lock.Fd()), unix.LOCK_EX|unix.LOCK_NB) == nil {
			_ = removeTree(dir)
		}
		_ = lock.Close()
	}
}
