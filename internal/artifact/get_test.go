package artifact_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/org/deploy-action/internal/artifact"
)

// refused sees that Get refuses with such an error and leaves dest as it is.
func refused(t *testing.T, workspace string, w artifact.Wish, want string) {
	t.Helper()
	parent := filepath.Dir(w.Dest)
	before := snapshot(t, parent)
	w.Name = "app"
	_, err := artifact.In(workspace).Get(context.Background(), w)
	if err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("err = %v, want %q", err, want)
	}
	if diff := cmp.Diff(before, snapshot(t, parent)); diff != "" {
		t.Errorf("before, after:\n%s", diff)
	}
}

func TestGetIntoAFolderThatExists(t *testing.T) {
	workspace, dest := t.TempDir(), filepath.Join(t.TempDir(), "out")
	plant(t, workspace, map[string]string{"dist/a": "new", "dist/sub/b": "new", "dist/sub/c": "new", "dist/link": "→ a", "dist/empty/": ""})
	keep(t, workspace, run1, "dist")
	plant(t, dest, map[string]string{"dist/a": "old", "dist/sub/b": "→ ../a", "dist/own": "own"})
	refused(t, workspace, artifact.Wish{Dest: dest}, "there is already: dist/a, dist/sub/b; -force overwrites, -out unpacks elsewhere")
	if err := os.Chmod(filepath.Join(dest, "dist"), 0o750); err != nil {
		t.Fatal(err)
	}
	m, err := artifact.In(workspace).Get(context.Background(), artifact.Wish{Name: "app", Dest: dest, Force: true})
	if err != nil || m.Files != 3 || m.Run != run1 {
		t.Fatalf("%+v, %v", m, err)
	}
	want := snapshot(t, workspace)
	for name := range want {
		if strings.HasPrefix(name, ".turnout") {
			delete(want, name)
		}
	}
	got := snapshot(t, dest)
	for _, own := range []string{"dist", "dist/own", "dist/sub"} { // keep what they have
		if own != "dist/sub" && strings.HasPrefix(got[own], "drwxr-xr-x") {
			t.Errorf("%s: %s", own, got[own])
		}
		delete(got, own)
		delete(want, own)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("want, got:\n%s", diff)
	}
}

func TestGetRefuses(t *testing.T) {
	workspace, dest := t.TempDir(), filepath.Join(t.TempDir(), "out")
	plant(t, workspace, map[string]string{"dist/a": "x", "dist/sub/b": "x"})
	keep(t, workspace, run1, "dist")
	file := filepath.Join(t.TempDir(), "file")
	plant(t, filepath.Dir(file), map[string]string{"file": "x"})
	refused(t, workspace, artifact.Wish{Dest: file}, "is not a folder")
	refused(t, workspace, artifact.Wish{Dest: file + "/below"}, "not a directory")
	refused(t, workspace, artifact.Wish{Dest: dest, Run: "nope"}, `no run "nope" in .turnout/artifacts/app; there is: `+run1)
	refused(t, workspace, artifact.Wish{Dest: dest, Run: "../app/" + run1}, `no run "../app/`)

	outside := t.TempDir()
	plant(t, dest, map[string]string{"dist/sub": "→ " + outside})
	refused(t, workspace, artifact.Wish{Dest: dest, Force: true}, "dist/sub is a folder in the artifact and something else in ")
	plant(t, filepath.Join(dest, "x"), map[string]string{"dist/a/b": "x"})
	refused(t, workspace, artifact.Wish{Dest: filepath.Join(dest, "x"), Force: true}, "dist/a is a file in the artifact and something else in ")
	if left := snapshot(t, outside); len(left) > 0 {
		t.Errorf("written through a link: %v", left)
	}

	plant(t, workspace, map[string]string{"dist/out": "→ sub/../../../etc"})
	keep(t, workspace, run2, "dist")
	refused(t, workspace, artifact.Wish{Dest: filepath.Join(t.TempDir(), "out")}, "dist/out is a link that leads out of it or in circles (to sub/../../../etc)")

	for _, name := range []string{"ap", "../app", ""} {
		_, err := artifact.In(workspace).Get(context.Background(), artifact.Wish{Name: name, Dest: dest})
		var unknown *artifact.UnknownError
		if !errors.As(err, &unknown) || unknown.Have[0] != "app" {
			t.Errorf("%q: %v", name, err)
		}
	}
}

// TestTampering changes an artifact, byte by byte: Get must find it out.
func TestTampering(t *testing.T) {
	workspace := t.TempDir()
	plant(t, workspace, map[string]string{"dist/a": "hello", "dist/b": strings.Repeat("hello", 100), "dist/link": "→ a"})
	kept := keep(t, workspace, run1, "dist")
	archive := filepath.Join(workspace, kept.Path)
	sound, err := os.ReadFile(archive)
	if err != nil {
		t.Fatal(err)
	}
	dest := filepath.Join(t.TempDir(), "out")
	check := func(what string, tampered []byte) {
		t.Helper()
		if err := os.WriteFile(archive, tampered, 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := artifact.In(workspace).Get(context.Background(), artifact.Wish{Name: "app", Dest: dest})
		if err == nil || !strings.HasPrefix(err.Error(), "artifact app of run "+run1+": ") || !strings.Contains(err.Error(), "artifact.tar.zst") {
			t.Errorf("%s: %v", what, err)
		}
		if left, _ := os.ReadDir(filepath.Dir(dest)); len(left) > 0 {
			t.Fatalf("%s: left behind: %v", what, left)
		}
	}
	for i := range sound {
		tampered := bytes.Clone(sound)
		tampered[i] ^= 1 << (i % 8)
		check(fmt.Sprintf("byte %d", i), tampered)
	}
	for i := range len(sound) {
		check(fmt.Sprintf("cut after %d", i), sound[:i])
	}
	check("one more byte", append(bytes.Clone(sound), 0))
}

// TestTamperedManifest changes what a manifest says, and the archive is sound.
func TestTamperedManifest(t *testing.T) {
	workspace := t.TempDir()
	plant(t, workspace, map[string]string{"dist/a": "hello", "dist/link": "→ a"})
	kept := keep(t, workspace, run1, "dist")
	path := filepath.Join(filepath.Dir(filepath.Join(workspace, kept.Path)), "manifest.json")
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for want, change := range map[string]func(m *artifact.Manifest){
		"has version 2 of the format":               func(m *artifact.Manifest) { m.Schema = 2 },
		"is that of artifact \"other\"":             func(m *artifact.Manifest) { m.Name = "other" },
		"lists 1 files of 5 bytes, and says 2 of 5": func(m *artifact.Manifest) { m.Files = 2 },
		"dist/a: has the mode 0644":                 func(m *artifact.Manifest) { m.Entries[1].Mode = 0o755 },
		"dist/a: has the time":                      func(m *artifact.Manifest) { m.Entries[1].ModTime = m.Created },
		"dist/a: has the size 5":                    func(m *artifact.Manifest) { m.Entries[1].Size, m.Size = 6, 6 },
		"dist/a: has the SHA-256 2cf24dba5fb0":      func(m *artifact.Manifest) { m.Entries[1].SHA256 = "00" },
		"dist/b: has the name dist/a":               func(m *artifact.Manifest) { m.Entries[1].Path = "dist/b" },
		"dist/link: has the target a":               func(m *artifact.Manifest) { m.Entries[2].Target = "b" },
		"dist/link: has the type 2":                 func(m *artifact.Manifest) { m.Entries[2].Type, m.Files = artifact.File, 2 },
		"dist/link: is in the archive and not":      func(m *artifact.Manifest) { m.Entries = m.Entries[:2] },
		"dist/z: is not in the archive": func(m *artifact.Manifest) {
			m.Entries = append(m.Entries, artifact.Entry{Path: "dist/z", Type: artifact.Folder})
		},
		"dist/a: is there twice":                                func(m *artifact.Manifest) { m.Entries = append(m.Entries, m.Entries[1]) },
		"dist/a: lies in no folder":                             func(m *artifact.Manifest) { m.Entries = m.Entries[1:] },
		"../a: is not a path inside":                            func(m *artifact.Manifest) { m.Entries[1].Path = "../a" },
		"/etc/a: is not a path inside":                          func(m *artifact.Manifest) { m.Entries[1].Path = "/etc/a" },
		"dist/./a: is not a path inside":                        func(m *artifact.Manifest) { m.Entries[1].Path = "dist/./a" },
		"dist/link is a link that leads out":                    func(m *artifact.Manifest) { m.Entries[2].Target = "../../x" },
		"artifact.tar.zst is damaged: its SHA-256 is":           func(m *artifact.Manifest) { m.Archive.SHA256 = "00" },
		"artifact.tar.zst: is " + fmt.Sprint(kept.Archive.Size): func(m *artifact.Manifest) { m.Archive.Size++ },
	} {
		var m artifact.Manifest
		if err := json.Unmarshal(text, &m); err != nil {
			t.Fatal(err)
		}
		change(&m)
		changed, err := json.Marshal(m)
		if err == nil {
			err = os.WriteFile(path, changed, 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
		refused(t, workspace, artifact.Wish{Dest: filepath.Join(t.TempDir(), "out")}, want)
	}
	for want, text := range map[string]string{
		"manifest.json: unexpected EOF": string(text[:len(text)/2]), "manifest.json: EOF": "",
		"manifest.json: goes on after its end": string(text) + "{}",
	} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		refused(t, workspace, artifact.Wish{Dest: filepath.Join(t.TempDir(), "out")}, want)
		listed, err := artifact.In(workspace).List("app")
		if err != nil || len(listed) != 1 || listed[0].Damage != want {
			t.Errorf("listed as %+v, %v", listed, err)
		}
	}
}

func TestGetIsCancelled(t *testing.T) {
	workspace, dest := t.TempDir(), filepath.Join(t.TempDir(), "out")
	plant(t, workspace, map[string]string{"dist/a": "x"})
	keep(t, workspace, run1, "dist")
	ctx, cancel := context.WithCancelCause(context.Background())
	cancel(errStop)
	if _, err := artifact.In(workspace).Get(ctx, artifact.Wish{Name: "app", Dest: dest}); !errors.Is(err, errStop) {
		t.Errorf("err = %v", err)
	}
	if _, err := os.Lstat(dest); !errors.Is(err, fs.ErrNotExist) || len(snapshot(t, filepath.Dir(dest))) > 0 {
		t.Errorf("left behind: %v", snapshot(t, filepath.Dir(dest)))
	}
}
