package release_test

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// forest is a tree that grows and changes by chance.
type forest struct {
	t     *testing.T
	dir   string
	bytes *rand.ChaCha8
	rand  *rand.Rand
	made  int
}

func newForest(t *testing.T, seed int) *forest {
	source := rand.NewChaCha8([32]byte{byte(seed)})
	f := &forest{t: t, dir: t.TempDir(), bytes: source, rand: rand.New(source)}
	for range 30 {
		f.grow()
	}
	return f
}

func bytesHash(data []byte) []byte {
	sum := sha256.Sum256(data)
	return sum[:6]
}

func (f *forest) must(err error) {
	f.t.Helper()
	if err != nil {
		f.t.Fatal(err)
	}
}

func (f *forest) full(name string) string { return filepath.Join(f.dir, name) }

// when is a time of nanoseconds, in the past.
func (f *forest) when() time.Time { return time.Unix(f.rand.Int64N(1<<30), f.rand.Int64N(1e9)) }

func (f *forest) noise(n int) []byte {
	data := make([]byte, n)
	_, _ = f.bytes.Read(data) // it never fails
	return data
}

// write makes a file of n bytes without a pattern.
func (f *forest) write(name string, n int) {
	f.t.Helper()
	f.must(os.MkdirAll(filepath.Dir(f.full(name)), 0o755))
	f.put(name, f.noise(n))
}

// put makes data what a file holds, at a new time if it did not.
func (f *forest) put(name string, data []byte) {
	f.t.Helper()
	if held, err := os.ReadFile(f.full(name)); err == nil && bytes.Equal(held, data) {
		return
	}
	when := f.when()
	f.must(os.WriteFile(f.full(name), data, 0o644))
	f.must(os.Chtimes(f.full(name), when, when))
}

func (f *forest) read(name string) []byte {
	f.t.Helper()
	data, err := os.ReadFile(f.full(name))
	f.must(err)
	return data
}

// patch overwrites n bytes.
func (f *forest) patch(name string, at, n int) {
	data := f.read(name)
	copy(data[at:], f.noise(n))
	f.put(name, data)
}

// insert adds n bytes.
func (f *forest) insert(name string, at, n int) {
	data := f.read(name)
	f.put(name, append(data[:at:at], append(f.noise(n), data[at:]...)...))
}

func (f *forest) rename(from, to string) {
	f.must(os.MkdirAll(filepath.Dir(f.full(to)), 0o755))
	f.must(os.Rename(f.full(from), f.full(to)))
}

// name is that of something new, in a folder that is there.
func (f *forest) name() string {
	f.made++
	return filepath.Join(f.folder(), fmt.Sprintf("n%d ü\n", f.made))
}

func (f *forest) folder() string { return f.any(func(e fs.DirEntry) bool { return e.IsDir() }, ".") }

func (f *forest) file() string {
	return f.any(func(e fs.DirEntry) bool { return e.Type().IsRegular() }, "")
}

// any is one of the entries that are of a kind.
func (f *forest) any(kind func(fs.DirEntry) bool, otherwise string) string {
	var all []string
	f.must(filepath.WalkDir(f.dir, func(name string, e fs.DirEntry, err error) error {
		if err == nil && name != f.dir && kind(e) {
			all = append(all, name[len(f.dir)+1:])
		}
		return err
	}))
	if len(all) == 0 {
		return otherwise
	}
	return all[f.rand.IntN(len(all))]
}

// grow adds something.
func (f *forest) grow() {
	switch name := f.name(); f.rand.IntN(8) {
	case 0, 1:
		f.must(os.Mkdir(f.full(name), 0o755))
	case 2:
		f.must(os.Symlink("somewhere/else", f.full(name)))
	case 3:
		f.write(name, 0)
	case 4:
		f.write(name, f.rand.IntN(200_000))
	default:
		f.write(name, f.rand.IntN(5_000))
	}
}

// edit changes a few things.
func (f *forest) edit() {
	for range 1 + f.rand.IntN(8) {
		f.change()
	}
}

func (f *forest) change() {
	name := f.file()
	size := 0
	if name != "" {
		size = len(f.read(name))
	}
	if size < 10 {
		f.grow()
		return
	}
	at := f.rand.IntN(size - 9)
	switch f.rand.IntN(9) {
	case 0:
		f.patch(name, at, f.rand.IntN(9))
	case 1:
		f.insert(name, at, f.rand.IntN(2_000))
	case 2: // a part goes
		data := f.read(name)
		f.put(name, append(data[:at:at], data[at+f.rand.IntN(size-at):]...))
	case 3: // two parts change places
		data := f.read(name)
		f.put(name, append(data[at:len(data):len(data)], data[:at]...))
	case 4:
		f.rename(name, f.name())
	case 5:
		f.must(os.Remove(f.full(name)))
	case 6: // a copy
		f.put(f.name(), f.read(name))
	case 7:
		f.must(os.Chmod(f.full(name), []fs.FileMode{0o400, 0o600, 0o755, 0o755 | fs.ModeSetgid}[f.rand.IntN(4)]))
	default:
		f.grow()
	}
}
