package artifact

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"os"
	"path"
)

// Wish says what to unpack where.
type Wish struct {
	Name  string
	Run   string // empty: the newest
	Dest  string // folder; need not exist
	Force bool   // overwrite files that exist
}

// Get unpacks an artifact and returns its manifest. What is unpacked is held
// against the manifest, byte by byte, in a hidden folder first.
//
// Where there is nothing at Dest, it appears there at once and whole, or not at
// all. A folder that exists is filled: files that are in the way are an error
// before anything is changed or, with Force, are replaced one by one; folders
// keep their mode, and what the artifact does not have stays. Then a process that
// is killed can leave a part of the files, each of them whole.
//
// An artifact with links that lead out of it is refused.
func (s Store) Get(ctx context.Context, w Wish) (*Manifest, error) {
	root, err := s.open()
	if err != nil {
		return nil, err
	}
	defer root.Close()
	dir, run, err := pick(root, w.Name, w.Run)
	if err != nil {
		return nil, err
	}
	m, err := get(ctx, root, dir, w)
	if err != nil {
		return nil, of(w.Name, run, err)
	}
	return m, nil
}

func get(ctx context.Context, root *os.Root, dir string, w Wish) (_ *Manifest, err error) {
	m, err := readSound(root, dir)
	if err != nil {
		return nil, err
	}
	if out := leaving(m.Entries); len(out) > 0 {
		return nil, fmt.Errorf("%s is a link that leads out of it or in circles (to %s); by hand, and at your own risk: tar --zstd -xf %s", out[0].Path, out[0].Target, path.Join(dir, archiveName))
	}
	l, err := land(w.Dest)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, l.close(m)) }()
	if err := l.free(m, w.Force); err != nil {
		return nil, err
	}
	if err := l.hide(); err != nil {
		return nil, err
	}
	if err := unpack(ctx, root, dir, m, l.tree); err != nil {
		return nil, err
	}
	return m, l.place(m, w.Force)
}

// unpack unpacks the archive in dir into an empty folder.
func unpack(ctx context.Context, root *os.Root, dir string, m *Manifest, into *os.Root) error {
	file, err := root.Open(path.Join(dir, archiveName))
	if err != nil {
		return err
	}
	defer file.Close()
	in := &hashed{from: file, sum: sha256.New()}
	wrong := m.extract(ctx, in, into)
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if _, err := io.Copy(in.sum, file); err != nil { // what was not read because of a mistake
		return errors.Join(wrong, err)
	}
	if sum := hex.EncodeToString(in.sum.Sum(nil)); sum != m.Archive.SHA256 {
		err := fmt.Errorf("%s is damaged: its SHA-256 is %.12s…, and the manifest says %.12s…", path.Join(dir, archiveName), sum, m.Archive.SHA256)
		if wrong != nil {
			err = fmt.Errorf("%w; the first mistake: %w", err, wrong)
		}
		return err
	}
	return wrong
}

// hashed hashes what is read through it.
type hashed struct {
	from io.Reader
	sum  hash.Hash
}

func (h *hashed) Read(p []byte) (int, error) {
	n, err := h.from.Read(p)
	h.sum.Write(p[:n])
	return n, err
}
