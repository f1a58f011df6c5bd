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
	"os"
	"path"
	"syscall"

	"github.com/klauspost/compress/zstd"
)

// pack writes the archive of what was found and then the manifest, which it
// completes, into dir.
func (m *Manifest) pack(ctx context.Context, root *os.Root, dir string, finds *finds, progress func(done, total int64)) error {
	file, err := root.OpenFile(path.Join(dir, archiveName), os.O_CREATE|os.O_EXCL|os.O_WRONLY, fileMode)
	if err != nil {
		return err
	}
	out := &archive{file: file, sum: sha256.New()}
	p := newPacker(root, out)
	p.tell = func() { progress(p.done, finds.size) }
	err = p.fill(ctx, finds)
	if err == nil {
		err = file.Sync()
	}
	if err := errors.Join(err, file.Close()); err != nil {
		return err
	}
	m.Entries = finds.entries
	m.Archive = Archive{SHA256: hex.EncodeToString(out.sum.Sum(nil)), Size: out.size}
	return m.write(root, dir)
}

// archive is the file that the packed stream goes to.
type archive struct {
	file    *os.File
	sum     hash.Hash
	size    int64
	pending int64 // bytes not known to be on the disk
}

// syncEvery is how many bytes go to the disk at once. Nothing can interrupt
// that, and a run that is cancelled has no time for much.
const syncEvery = 32 << 20

func (a *archive) Write(data []byte) (int, error) {
	n, err := a.file.Write(data)
	a.sum.Write(data[:n])
	a.size, a.pending = a.size+int64(n), a.pending+int64(n)
	if err == nil && a.pending >= syncEvery {
		a.pending, err = 0, a.file.Sync()
	}
	return n, err
}

// packer puts what was found into an archive.
type packer struct {
	root   *os.Root
	packed *zstd.Encoder
	tar    *tar.Writer
	sum    hash.Hash // of the file at hand
	buffer []byte
	done   int64
	tell   func()
}

func newPacker(root *os.Root, out io.Writer) *packer {
	packed, err := zstd.NewWriter(out, zstd.WithEncoderConcurrency(1)) // in this goroutine
	if err != nil {
		panic("artifact: constant options: " + err.Error())
	}
	return &packer{root: root, packed: packed, tar: tar.NewWriter(packed), sum: sha256.New(), buffer: make([]byte, 256<<10)}
}

// fill puts everything into the archive and ends it.
func (p *packer) fill(ctx context.Context, finds *finds) error {
	for i := range finds.entries {
		e := &finds.entries[i]
		if err := p.add(ctx, e, finds.ids[i]); err != nil {
			return fmt.Errorf("%s: %w", e.Path, err)
		}
	}
	if err := p.tar.Close(); err != nil {
		return err
	}
	return p.packed.Close()
}

// add puts one thing into the archive and notes the hash of its content.
func (p *packer) add(ctx context.Context, e *Entry, id identity) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if e.Type != File {
		return p.tar.WriteHeader(e.header())
	}
	file, err := p.root.OpenFile(string(e.Path), os.O_RDONLY|syscall.O_NONBLOCK, 0) // a pipe there must not hold us
	if err != nil {
		return steady(err)
	}
	defer file.Close()
	if err := e.unchanged(file, id); err != nil {
		return err
	}
	if err := p.tar.WriteHeader(e.header()); err != nil {
		return err
	}
	p.sum.Reset()
	if err := p.content(ctx, file, e.Size); err != nil {
		return err
	}
	e.SHA256 = hex.EncodeToString(p.sum.Sum(nil))
	return e.unchanged(file, id)
}

// unchanged holds an open file against what was found under its name.
func (e *Entry) unchanged(file *os.File, id identity) error {
	now, err := file.Stat()
	if err != nil {
		return cause(err)
	}
	if identify(now) != id || now.Size() != e.Size || !now.ModTime().Equal(e.ModTime) {
		return unsteady("changed")
	}
	return nil
}

// content packs size bytes of a file.
func (p *packer) content(ctx context.Context, file *os.File, size int64) error {
	for size > 0 {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		n, err := file.Read(p.buffer[:min(size, int64(len(p.buffer)))])
		switch {
		case err == io.EOF:
			return unsteady("shrank")
		case err != nil:
			return cause(err)
		}
		p.sum.Write(p.buffer[:n])
		if _, err := p.tar.Write(p.buffer[:n]); err != nil {
			return err
		}
		size, p.done = size-int64(n), p.done+int64(n)
		p.tell()
	}
	return nil
}

// header is the entry as tar has it.
func (e *Entry) header() *tar.Header {
	h := &tar.Header{
		Format: tar.FormatPAX, Typeflag: tar.TypeReg, Name: string(e.Path), Size: e.Size,
		Mode: int64(e.Mode), ModTime: e.ModTime, Linkname: string(e.Target),
	}
	switch e.Type {
	case Folder:
		h.Typeflag, h.Name = tar.TypeDir, h.Name+"/"
	case Link:
		h.Typeflag = tar.TypeSymlink
	}
	return h
}
