package release

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/klauspost/compress/zstd"

	"github.com/org/deploy-action/internal/machine"
)

const anID = "20260102t030405z-12345678"

// script is what a client says in an upload of the given files to a machine that
// has nothing.
func script(t testing.TB, m Manifest, contents ...string) []byte {
	t.Helper()
	said, err := packManifest(m, Layout{})
	if err != nil {
		t.Fatal(err)
	}
	var body bytes.Buffer
	o, err := send(&body, zstd.SpeedFastest)
	if err != nil {
		t.Fatal(err)
	}
	p := parts{to: o}
	for _, content := range contents {
		p.bytes([]byte(content))
		p.end()
	}
	if err := o.close(); err != nil {
		t.Fatal(err)
	}
	return append(append(said, body.Bytes()...), anID...)
}

func fileItem(path, content string) Item {
	return Item{Path: path, Mode: 0o644, Size: int64(len(content)), ModTime: time.Unix(1, 2), Sum: sha256.Sum256([]byte(content))}
}

// hear has a machine take part in an upload in which the client says something.
func hear(root string, said []byte) error {
	d := Delivery{Layout: Layout{Root: root}, Alone: true}
	_, err := Receive.Exchange(context.Background(), machine.NewLocal("here"), d, bytes.NewReader(said), io.Discard)
	return err
}

func TestReceiveRefusesAHostileClient(t *testing.T) {
	a := fileItem("a", "content")
	link := Item{Path: "out", Mode: fs.ModeSymlink | 0o777, Target: "."}
	for name, c := range map[string]struct {
		m    Manifest
		want string
	}{
		"up":                     {Manifest{fileItem("../a", "content")}, "leaves the release"},
		"absolute":               {Manifest{fileItem("/tmp/a", "content")}, "leaves the release"},
		"the root itself":        {Manifest{{Path: ".", Mode: fs.ModeDir | 0o755}}, "leaves the release"},
		"not clean":              {Manifest{fileItem("a/../b", "content")}, "leaves the release"},
		"through a link":         {Manifest{link, fileItem("out/a", "content")}, "lies in no folder"},
		"through a file":         {Manifest{a, fileItem("a/b", "content")}, "lies in no folder"},
		"in no folder":           {Manifest{fileItem("dir/a", "content")}, "lies in no folder"},
		"twice":                  {Manifest{a, a}, "is there twice"},
		"a link that leaves":     {Manifest{{Path: "l", Mode: fs.ModeSymlink, Target: "../x"}}, "leaves the release"},
		"a device":               {Manifest{{Path: "null", Mode: fs.ModeDevice | fs.ModeCharDevice | 0o666}}, "neither file, folder nor link"},
		"a name of no text":      {Manifest{fileItem("\xff", "content")}, "not UTF-8"},
		"more than any disk has": {Manifest{{Path: "a", Mode: 0o644, Size: 1 << 61}}, "free, the release needs"},
	} {
		root := t.TempDir()
		if err := hear(root, script(t, c.m, "content", "content")); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: err = %v, want %q", name, err, c.want)
		}
		if left, _ := filepath.Glob(filepath.Join(root, "releases", "*")); len(left) > 0 {
			t.Errorf("%s: left behind: %v", name, left)
		}
	}
	if err := hear(t.TempDir(), script(t, Manifest{a}, "content")); err != nil {
		t.Errorf("a good one: %v", err)
	}
}

func TestReceiveRefusesAnIDThatIsNone(t *testing.T) {
	said := script(t, Manifest{fileItem("a", "content")}, "content")
	for _, id := range []string{"../../../../tmp/evil-here", "19700101t000000z-1234567", ""} {
		root := t.TempDir()
		if err := hear(root, append(bytes.TrimSuffix(said, []byte(anID)), id...)); err == nil {
			t.Errorf("%q is taken", id)
		}
		if left, _ := filepath.Glob(filepath.Join(root, "releases", "*")); len(left) > 0 {
			t.Errorf("%q: left behind: %v", id, left)
		}
	}
}

// TestATamperedUploadIsNoticed changes each byte of an upload in turn: either it
// fails, or what arrives is what was sent.
func TestATamperedUploadIsNoticed(t *testing.T) {
	content := strings.Repeat("some content ", 40)
	m := Manifest{
		{Path: "d", Mode: fs.ModeDir | 0o755, ModTime: time.Unix(5, 6)},
		fileItem("d/a", content), {Path: "l", Mode: fs.ModeSymlink | 0o777, ModTime: time.Unix(7, 8), Target: "d/a"},
	}
	said := script(t, m, content)
	root := t.TempDir()
	for i := range len(said) - len(anID) {
		changed := slices.Clone(said)
		changed[i] ^= 1 << (i % 8)
		if hear(root, changed) != nil {
			continue
		}
		dir := filepath.Join(root, "releases", anID)
		got, err := scan(context.Background(), dir)
		if err != nil || got.proof(Layout{}) != m.proof(Layout{}) {
			t.Errorf("with byte %d changed: %+v, %v", i, got, err)
		}
		if err := removeTree(dir); err != nil {
			t.Fatal(err)
		}
	}
}

// FuzzReceive lets a client say anything: nothing is written outside the root,
// and nothing is left.
func FuzzReceive(f *testing.F) {
	f.Add(script(f, Manifest{fileItem("a", "content")}, "content"))
	f.Add(script(f, Manifest{{Path: "d", Mode: fs.ModeDir | 0o755}, {Path: "d/l", Mode: fs.ModeSymlink | 0o777, Target: "../d"}}))
	f.Add([]byte("\x02hi\x00"))
	f.Fuzz(func(t *testing.T, said []byte) {
		above := t.TempDir()
		root := filepath.Join(above, "root")
		err := hear(root, said)
		entries, _ := os.ReadDir(above)
		if len(entries) > 1 {
			t.Errorf("written beside the root: %v", entries)
		}
		if left, _ := filepath.Glob(filepath.Join(root, "releases", "*")); err != nil && len(left) > 0 {
			t.Errorf("%v, and left behind: %v", err, left)
		}
	})
}

// FuzzManifest reads a manifest that may be anything, and one that was written
// as what it was.
func FuzzManifest(f *testing.F) {
	f.Add(plainManifest(f, Manifest{fileItem("a", "x"), {Path: "l", Mode: fs.ModeSymlink, Target: "a"}}))
	f.Fuzz(func(t *testing.T, text []byte) {
		read := func(text []byte) (Manifest, error) {
			m, _, err := readManifest(&incoming{Reader: bufio.NewReader(bytes.NewReader(text))})
			return m, err
		}
		m, err := read(text)
		if err != nil {
			return
		}
		again, err := read(plainManifest(t, m))
		if err != nil || again.proof(Layout{}) != m.proof(Layout{}) {
			t.Errorf("%+v became %+v, %v", m, again, err)
		}
	})
}

// plainManifest is a manifest before it is packed.
func plainManifest(t testing.TB, m Manifest) []byte {
	var text bytes.Buffer
	o := &outgoing{Writer: bufio.NewWriter(&text)}
	m.write(o, m.proof(Layout{}))
	if err := o.Flush(); err != nil {
		t.Fatal(err)
	}
	return text.Bytes()
}
