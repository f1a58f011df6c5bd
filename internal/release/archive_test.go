package release_test

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/klauspost/compress/zstd"

	"github.com/org/deploy-action/internal/release"
)

func TestArchivesAreShipped(t *testing.T) {
	f := newForest(t, 9)
	for name, flag := range map[string]string{"app.tar": "", "app.tar.gz": "-z", "app.tgz": "-z", "app.tar.zst": "--zstd"} {
		t.Run(name, func(t *testing.T) {
			t.Setenv("TMPDIR", t.TempDir())
			archive := filepath.Join(t.TempDir(), name)
			args := []string{"-C", f.dir, "--format=posix", "-cf", archive, "."}
			if flag != "" {
				args = append([]string{flag}, args...)
			}
			if said, err := exec.Command("tar", args...).CombinedOutput(); err != nil {
				t.Fatalf("tar: %v\n%s", err, said)
			}
			stale := filepath.Join(os.TempDir(), "turnout-release-123") // of a process that was killed
			plant(t, filepath.Join(stale, "half"), "x", false)
			layout := release.Layout{Root: t.TempDir()}
			same(t, f.dir, at(layout, ship(t, layout, archive).ID, ""))
			if left, _ := filepath.Glob(filepath.Join(os.TempDir(), "turnout-release-*")); len(left) > 0 {
				t.Errorf("left behind: %v", left)
			}
		})
	}
}

// archive packs headers; a file has its name as content.
func archive(t *testing.T, headers ...tar.Header) []byte {
	t.Helper()
	var packed bytes.Buffer
	w := tar.NewWriter(&packed)
	for _, h := range headers {
		h.Mode = 0o644
		if h.Typeflag == tar.TypeReg {
			h.Size = int64(len(h.Name))
		}
		if err := w.WriteHeader(&h); err != nil {
			t.Fatal(err)
		}
		if h.Typeflag == tar.TypeReg {
			if _, err := io.WriteString(w, h.Name); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return packed.Bytes()
}

func TestHostileArchivesAreRefused(t *testing.T) {
	file := func(name string) tar.Header { return tar.Header{Name: name, Typeflag: tar.TypeReg} }
	var packed, squeezed bytes.Buffer
	gz := gzip.NewWriter(&packed)
	zst, err := zstd.NewWriter(&squeezed)
	if err != nil {
		t.Fatal(err)
	}
	for _, w := range []io.WriteCloser{gz, zst} {
		_, _ = w.Write(archive(t, file("a"))) // a buffer takes everything
		_ = w.Close()
	}
	for name, c := range map[string]struct {
		file string
		data []byte
		want string
	}{
		"up":               {"a.tar", archive(t, file("../evil")), "../evil: leaves the archive"},
		"absolute":         {"a.tar", archive(t, file("/tmp/evil")), "/tmp/evil: leaves the archive"},
		"through a link":   {"a.tar", archive(t, tar.Header{Name: "l", Typeflag: tar.TypeSymlink, Linkname: "/tmp"}, file("l/evil")), "escapes"},
		"a link out of it": {"a.tar", archive(t, tar.Header{Name: "l", Typeflag: tar.TypeSymlink, Linkname: "../../x"}, file("a")), "leaves the release"},
		"a hard link out":  {"a.tar", archive(t, tar.Header{Name: "l", Typeflag: tar.TypeLink, Linkname: "../../../etc/passwd"}), "escapes"},
		"a device":         {"a.tar", archive(t, tar.Header{Name: "null", Typeflag: tar.TypeChar}), "neither file, folder nor link"},
		"a pipe":           {"a.tar", archive(t, tar.Header{Name: "fifo", Typeflag: tar.TypeFifo}), "neither file, folder nor link"},
		"cut off":          {"a.tar.gz", packed.Bytes()[:packed.Len()-10], "EOF"},
		"cut off, zstd":    {"a.tar.zst", squeezed.Bytes()[:squeezed.Len()-10], "EOF"},
		"no archive":       {"a.tgz", []byte("hello"), "EOF"},
		"empty":            {"a.tar", archive(t), "is empty"},
		"another kind":     {"a.zip", []byte("PK"), "is neither a directory nor an archive"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Setenv("TMPDIR", t.TempDir())
			name := filepath.Join(t.TempDir(), c.file)
			if err := os.WriteFile(name, c.data, 0o600); err != nil {
				t.Fatal(err)
			}
			_, err := release.Ship(context.Background(), here, release.Layout{Root: t.TempDir()}, name, nil)
			if err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), name) {
				t.Errorf("err = %v, want %q", err, c.want)
			}
			if left, _ := filepath.Glob(filepath.Join(os.TempDir(), "*")); len(left) > 0 {
				t.Errorf("left behind: %v", left)
			}
		})
	}
}
