package artifact_test

import (
	"archive/tar"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/klauspost/compress/zstd"

	"github.com/org/deploy-action/internal/artifact"
)

// hostile are archives that try to get out of where they are unpacked.
func hostile(t testing.TB) map[string][]byte {
	t.Helper()
	file := func(name string) *tar.Header {
		return &tar.Header{Typeflag: tar.TypeReg, Name: name, Size: 4, Mode: 0o644}
	}
	dir := func(name string) *tar.Header { return &tar.Header{Typeflag: tar.TypeDir, Name: name, Mode: 0o755} }
	link := func(name, target string) *tar.Header {
		return &tar.Header{Typeflag: tar.TypeSymlink, Name: name, Linkname: target, Mode: 0o777}
	}
	huge := file(strings.Repeat("long/", 20_000) + "x")
	huge.Format = tar.FormatPAX
	all := make(map[string][]byte)
	for what, headers := range map[string][]*tar.Header{
		"sound":               {dir("d/"), file("d/a"), link("d/l", "a")},
		"dots":                {file("../outside/precious")},
		"dots inside":         {dir("d/"), file("d/../../outside/precious")},
		"absolute":            {file("/tmp/turnout-fuzz")},
		"through a link":      {link("l", "../outside"), file("l/precious")},
		"through a link in":   {dir("d/"), link("l", "d"), file("l/a")},
		"link and folder":     {link("d", "../outside"), dir("d/"), file("d/precious")},
		"folder and link":     {dir("d/"), link("d", "../outside"), file("d/precious")},
		"file and link":       {file("a"), link("a", "../outside/precious"), file("a")},
		"absolute link":       {link("l", "/etc"), file("l/precious")},
		"links in steps":      {dir("d/"), link("d/up", ".."), link("up", "d/up/.."), file("up/outside/precious")},
		"circle":              {link("a", "b"), link("b", "a"), file("a/x")},
		"hard link":           {{Typeflag: tar.TypeLink, Name: "h", Linkname: "../outside/precious"}, file("h")},
		"device":              {{Typeflag: tar.TypeChar, Name: "null", Devmajor: 1, Devminor: 3}},
		"pipe":                {{Typeflag: tar.TypeFifo, Name: "pipe"}},
		"twice":               {file("a"), file("a")},
		"no folder":           {file("d/a")},
		"itself":              {dir("./"), file(".")},
		"huge header":         {huge},
		"what is there":       {dir("own/"), file("own/a"), file("gate/precious"), link("gate", "x")},
		"a folder for a link": {dir("gate/"), file("gate/precious")},
	} {
		var out bytes.Buffer
		w := tar.NewWriter(&out)
		for _, h := range headers {
			if err := w.WriteHeader(h); err != nil {
				t.Fatalf("%s: %v", what, err)
			}
			if h.Size > 0 {
				_, _ = w.Write([]byte("evil"))
			}
		}
		_ = w.Close()
		all[what] = out.Bytes()
	}
	all["behind the end"] = append(slices.Clip(all["sound"]), make([]byte, 1024)...)
	return all
}

// believe is a manifest that agrees with whatever a tar says.
func believe(data []byte) *artifact.Manifest {
	m := &artifact.Manifest{Schema: 1, Name: "app", Run: run1}
	for r := tar.NewReader(bytes.NewReader(data)); len(m.Entries) < 100; {
		h, err := r.Next()
		if err != nil {
			return m
		}
		e := artifact.Entry{
			Path: artifact.Text(strings.TrimSuffix(h.Name, "/")), Type: artifact.File, Mode: artifact.Mode(h.Mode & 0o777),
			ModTime: h.ModTime, Target: artifact.Text(h.Linkname),
		}
		switch h.Typeflag {
		case tar.TypeDir:
			e.Type = artifact.Folder
		case tar.TypeSymlink:
			e.Type = artifact.Link
		default:
			sum := sha256.New()
			e.Size, _ = io.Copy(sum, r)
			e.SHA256 = hex.EncodeToString(sum.Sum(nil))
			m.Files, m.Size = m.Files+1, m.Size+e.Size
		}
		m.Entries = append(m.Entries, e)
	}
	return m
}

// shelve makes an artifact of a tar, with a manifest that agrees with it.
func shelve(t testing.TB, workspace string, data []byte) {
	t.Helper()
	encoder, err := zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1))
	if err != nil {
		t.Fatal(err)
	}
	packed := encoder.EncodeAll(data, nil)
	m := believe(data)
	sum := sha256.Sum256(packed)
	m.Archive = artifact.Archive{SHA256: hex.EncodeToString(sum[:]), Size: int64(len(packed))}
	text, err := json.Marshal(m)
	if err != nil {
		t.Skip(err) // a time that no manifest holds
	}
	put(t, workspace, packed, text)
}

// put makes an artifact of two files.
func put(t testing.TB, workspace string, archive, manifest []byte) {
	t.Helper()
	dir := filepath.Join(workspace, artifact.Dir, "app", run1)
	err := errors.Join(os.MkdirAll(dir, 0o700),
		os.WriteFile(filepath.Join(dir, "artifact.tar.zst"), archive, 0o600), os.WriteFile(filepath.Join(dir, "manifest.json"), manifest, 0o600))
	if err != nil {
		t.Fatal(err)
	}
}

// cage is a folder in which an artifact is unpacked.
type cage struct {
	t      testing.TB
	dir    string
	before map[string]string // of all but the destination
}

func newCage(t testing.TB, existing bool) *cage {
	t.Helper()
	c := &cage{t: t, dir: t.TempDir()}
	plant(t, c.dir, map[string]string{"outside/precious": "precious"})
	if existing {
		plant(t, c.dir, map[string]string{"dest/own/a": "own", "dest/gate": "→ ../outside"})
	}
	c.before = c.outside()
	return c
}

func (c *cage) outside() map[string]string {
	all := snapshot(c.t, c.dir)
	maps.DeleteFunc(all, func(name, _ string) bool { return name == "dest" || strings.HasPrefix(name, "dest/") })
	return all
}

// unpack unpacks with force: nothing outside may change and, where it fails,
// nothing inside either.
func (c *cage) unpack(workspace string) error {
	c.t.Helper()
	inside := snapshot(c.t, c.dir)
	_, err := artifact.In(workspace).Get(context.Background(), artifact.Wish{Name: "app", Dest: filepath.Join(c.dir, "dest"), Force: true})
	if diff := cmp.Diff(c.before, c.outside()); diff != "" {
		c.t.Errorf("it got out:\n%s", diff)
	}
	if err == nil {
		return nil
	}
	after := snapshot(c.t, c.dir)
	delete(inside, "dest") // its time
	delete(after, "dest")
	if diff := cmp.Diff(inside, after); diff != "" {
		c.t.Errorf("%v: left behind:\n%s", err, diff)
	}
	return err
}

func TestHostileArchives(t *testing.T) {
	all := hostile(t)
	for _, what := range slices.Sorted(maps.Keys(all)) {
		workspace := t.TempDir()
		shelve(t, workspace, all[what])
		for _, existing := range []bool{false, true} {
			err := newCage(t, existing).unpack(workspace)
			if (err == nil) != (what == "sound" || what == "a folder for a link" && !existing) {
				t.Errorf("%s, into what exists %v: %v", what, existing, err)
			}
		}
	}
	if _, err := os.Lstat("/tmp/turnout-fuzz"); err == nil {
		t.Error("written to an absolute path")
	}
}

// FuzzGet unpacks tars that anybody may have made.
func FuzzGet(f *testing.F) {
	for _, data := range hostile(f) {
		f.Add(data, false)
		f.Add(data, true)
	}
	f.Fuzz(func(t *testing.T, data []byte, existing bool) {
		workspace := t.TempDir()
		shelve(t, workspace, data)
		_ = newCage(t, existing).unpack(workspace)
	})
}

// FuzzArchive unpacks archives that may be no archives.
func FuzzArchive(f *testing.F) {
	workspace := f.TempDir()
	plant(f, workspace, map[string]string{"dist/a": "hello", "dist/link": "→ a"})
	kept := keep(f, workspace, run1, "dist")
	sound, err := os.ReadFile(filepath.Join(workspace, kept.Path))
	if err != nil {
		f.Fatal(err)
	}
	manifest, err := os.ReadFile(filepath.Join(workspace, filepath.Dir(kept.Path), "manifest.json"))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(sound, manifest)
	f.Fuzz(func(t *testing.T, archive, manifest []byte) {
		workspace := t.TempDir()
		put(t, workspace, archive, manifest)
		sum := sha256.Sum256(archive)
		if err := newCage(t, false).unpack(workspace); err == nil && !bytes.Contains(manifest, []byte(hex.EncodeToString(sum[:]))) {
			t.Errorf("an archive of %d bytes is taken for what the manifest says", len(archive))
		}
	})
}
