package artifact

import (
	"archive/tar"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"os"
	"path"
	"time"

	"github.com/klauspost/compress/zstd"
	"golang.org/x/sys/unix"
)

// maxWindow is the most memory that an archive may ask for. Ours ask for 8 MiB.
const maxWindow = 64 << 20

// extractor makes the entries of an archive below a folder.
type extractor struct {
	tar    *tar.Reader
	into   *os.Root
	sum    hash.Hash
	buffer []byte
}

// extract makes what the manifest lists out of an archive, which must have that
// and nothing else. Folders get their mode and time from finish.
func (m *Manifest) extract(ctx context.Context, archive io.Reader, into *os.Root) error {
	unpacked, err := zstd.NewReader(archive, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxWindow(maxWindow))
	if err != nil {
		return err
	}
	defer unpacked.Close()
	x := &extractor{tar: tar.NewReader(unpacked), into: into, sum: sha256.New(), buffer: make([]byte, 256<<10)}
	for _, e := range m.Entries {
		if err := x.next(ctx, &e); err != nil {
			return fmt.Errorf("%s: %w", e.Path, err)
		}
	}
	switch h, err := x.tar.Next(); {
	case err == nil:
		return fmt.Errorf("%s: is in the archive and not in the manifest", Text(h.Name))
	case err != io.EOF:
		return err
	}
	if n, err := unpacked.Read(x.buffer[:1]); n > 0 || err != io.EOF {
		return errors.Join(errors.New("the archive goes on after its end"), err)
	}
	return nil
}

// next makes the next entry, which must be e.
func (x *extractor) next(ctx context.Context, e *Entry) error {
	h, err := x.tar.Next()
	if err == io.EOF {
		return errors.New("is not in the archive")
	}
	if err != nil {
		return err
	}
	if err := e.compare(h); err != nil {
		return err
	}
	name := string(e.Path)
	switch e.Type {
	case Folder:
		err = x.into.Mkdir(name, 0o700)
	case Link:
		err = errors.Join(x.into.Symlink(string(e.Target), name), setLinkTime(x.into, e))
	default:
		err = x.file(ctx, e)
	}
	return cause(err)
}

// compare holds what tar says of an entry against the manifest.
func (e *Entry) compare(h *tar.Header) error {
	want := e.header()
	for _, is := range []struct {
		what      string
		got, want any
	}{
		{"name", Text(h.Name), Text(want.Name)},
		{"type", string(h.Typeflag), string(want.Typeflag)},
		{"mode", Mode(h.Mode), Mode(want.Mode)},
		{"size", h.Size, want.Size},
		{"time", stamp(h.ModTime), stamp(want.ModTime)},
		{"target", Text(h.Linkname), Text(want.Linkname)},
	} {
		if is.got != is.want {
			return fmt.Errorf("has the %s %v in the archive and %v in the manifest", is.what, is.got, is.want)
		}
	}
	return nil
}

func stamp(t time.Time) string { return t.UTC().Format(time.RFC3339Nano) }

func (x *extractor) file(ctx context.Context, e *Entry) error {
	file, err := x.into.OpenFile(string(e.Path), os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	err = x.content(ctx, file)
	if err == nil {
		err = file.Chmod(fs.FileMode(e.Mode))
	}
	if err := errors.Join(err, file.Close()); err != nil {
		return err
	}
	if sum := hex.EncodeToString(x.sum.Sum(nil)); sum != e.SHA256 {
		return fmt.Errorf("has the SHA-256 %.12s… in the archive and %.12s… in the manifest", sum, e.SHA256)
	}
	return x.into.Chtimes(string(e.Path), e.ModTime, e.ModTime)
}

func (x *extractor) content(ctx context.Context, file *os.File) error {
	x.sum.Reset()
	for {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		n, err := x.tar.Read(x.buffer)
		x.sum.Write(x.buffer[:n])
		if _, err := file.Write(x.buffer[:n]); err != nil {
			return err
		}
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// setLinkTime gives a link its time, not what it leads to.
func setLinkTime(root *os.Root, e *Entry) error {
	dir, err := root.Open(path.Dir(string(e.Path)))
	if err != nil {
		return err
	}
	defer dir.Close()
	at := unix.NsecToTimespec(e.ModTime.UnixNano())
	return unix.UtimesNanoAt(int(dir.Fd()), path.Base(string(e.Path)), []unix.Timespec{at, at}, unix.AT_SYMLINK_NOFOLLOW)
}

// finish gives folders below root their mode and time, those inside first: until
// then things are put into them.
func finish(root *os.Root, folders []Entry) error {
	for i := len(folders) - 1; i >= 0; i-- {
		e := folders[i]
		err := root.Chmod(string(e.Path), fs.FileMode(e.Mode))
		if err == nil {
			err = root.Chtimes(string(e.Path), e.ModTime, e.ModTime)
		}
		if err != nil {
			return fmt.Errorf("%s: %w", e.Path, cause(err))
		}
	}
	return nil
}
