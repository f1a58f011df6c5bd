package artifact_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/org/deploy-action/internal/artifact"
)

// childOf is set in a process that the tests start: it keeps dist of that
// workspace, or unpacks it to out.
const childOf = "TURNOUT_TEST_WORKSPACE"

func command(t *testing.T, workspace, verb string) *exec.Cmd {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0], verb)
	cmd.Env = append(os.Environ(), childOf+"="+workspace, "GORACE=atexit_sleep_ms=0")
	cmd.Stderr = os.Stderr
	return cmd
}

// child tells how far it has come, its error, and what memory it needed.
func child() {
	workspace := os.Getenv(childOf)
	store := artifact.In(workspace)
	var err error
	if os.Args[1] == "get" {
		_, err = store.Get(context.Background(), artifact.Wish{Name: "app", Dest: filepath.Join(workspace, "out")})
	} else {
		_, err = store.Keep(context.Background(), artifact.Order{Name: "app", Run: os.Args[1], Patterns: []string{"dist"}, Keep: 3},
			func(done, total int64) { fmt.Println(done, total) })
	}
	status, _ := os.ReadFile("/proc/self/status")
	fmt.Printf("%s\nerror: %v\n", status, err)
}

// TestKilled kills runs at any moment: what they leave never passes for an
// artifact, and is gone after the next run.
func TestKilled(t *testing.T) {
	workspace := t.TempDir()
	files := make(map[string]string)
	for i := range 40 {
		files[fmt.Sprintf("dist/%d", i)] = string(random(256 << 10))
	}
	plant(t, workspace, files)
	killed, halves := 0, 0
	for i := range 12 {
		cmd := command(t, workspace, fmt.Sprintf("20261123t1845%02dz-aaaaaa", i))
		output, err := cmd.StdoutPipe()
		if err == nil {
			err = cmd.Start()
		}
		if err != nil {
			t.Fatal(err)
		}
		lines := bufio.NewScanner(output)
		for n := 0; n < i*3 && lines.Scan(); n++ {
		}
		if err := cmd.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		if _, err := io.Copy(io.Discard, output); err != nil {
			t.Fatal(err)
		}
		if cmd.Wait() != nil {
			killed++
		}
		halves += len(leftovers(t, workspace))
		listed, err := artifact.In(workspace).List("")
		if err != nil {
			t.Fatal(err)
		}
		for _, l := range listed {
			if l.Damage != "" {
				t.Errorf("killed at %d: %+v", i*3, l)
			}
		}
	}
	if killed < 6 || halves < 6 {
		t.Fatalf("%d runs were killed, %d in the middle: this tests nothing", killed, halves)
	}
	keep(t, workspace, run2, "dist")
	if left := leftovers(t, workspace); len(left) > 0 {
		t.Errorf("left after the next run: %q", left)
	}
}

func leftovers(t *testing.T, workspace string) []string {
	t.Helper()
	all, err := filepath.Glob(filepath.Join(workspace, artifact.Dir, "app", ".*.*"))
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// random are bytes that can't be packed.
func random(n int) []byte {
	data := make([]byte, n)
	source := rand.NewChaCha8([32]byte{1})
	_, _ = source.Read(data) // never fails
	return data
}

// finished waits for a child and returns the most memory it had, in bytes.
func finished(t *testing.T, cmd *exec.Cmd) int64 {
	t.Helper()
	output, err := cmd.Output()
	if err != nil || !bytes.Contains(output, []byte("error: <nil>")) {
		t.Fatalf("%v\n%s", err, output[max(0, len(output)-500):])
	}
	peak := regexp.MustCompile(`VmHWM:\s+(\d+) kB`).FindSubmatch(output)
	kilobytes, _ := strconv.ParseInt(string(peak[1]), 10, 64) // digits
	return kilobytes << 10
}

// soaking is whether the long tests are wanted.
func soaking() bool { return os.Getenv("TURNOUT_SOAK") != "" }

// TestSoakBigFile keeps and unpacks one big file, 2 GiB of it in the soak: what
// memory that needs does not depend on its size.
func TestSoakBigFile(t *testing.T) {
	size := int64(64 << 20)
	if soaking() {
		size = 2 << 30
	}
	workspace := t.TempDir()
	big := filepath.Join(workspace, "dist/big")
	plant(t, workspace, map[string]string{"dist/big": string(random(4 << 20))})
	if err := os.Truncate(big, size); err != nil { // the rest is a hole
		t.Fatal(err)
	}
	began := time.Now()
	packing := finished(t, command(t, workspace, run1))
	packed := time.Since(began)
	unpacking := finished(t, command(t, workspace, "get"))
	t.Logf("%d MiB: packed in %s with %d MiB, unpacked in %s with %d MiB", size>>20,
		packed.Round(time.Millisecond), packing>>20, (time.Since(began) - packed).Round(time.Millisecond), unpacking>>20)
	if most := int64(128 << 20); packing > most || unpacking > most {
		t.Errorf("it needed %d MiB to pack and %d MiB to unpack", packing>>20, unpacking>>20)
	}
	if info, err := os.Stat(filepath.Join(workspace, "out/dist/big")); err != nil || info.Size() != size {
		t.Errorf("unpacked: %v, %v", info, err)
	}
}

// TestSoakManyFiles keeps and unpacks 2,000 small files, 100,000 in the soak.
func TestSoakManyFiles(t *testing.T) {
	n := 2_000
	if soaking() {
		n = 100_000
	}
	workspace := t.TempDir()
	for i := range n {
		dir := filepath.Join(workspace, "dist", strconv.Itoa(i%100))
		if i < 100 {
			if err := os.MkdirAll(dir, 0o755); err != nil {
				t.Fatal(err)
			}
		}
		if err := os.WriteFile(filepath.Join(dir, strconv.Itoa(i)), []byte(strconv.Itoa(i)), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	began := time.Now()
	packing := finished(t, command(t, workspace, run1))
	packed := time.Since(began)
	unpacking := finished(t, command(t, workspace, "get"))
	t.Logf("%d files: packed in %s with %d MiB, unpacked in %s with %d MiB", n,
		packed.Round(time.Millisecond), packing>>20, (time.Since(began) - packed).Round(time.Millisecond), unpacking>>20)
	if most := int64(256 << 20); packing > most || unpacking > most {
		t.Errorf("it needed %d MiB to pack and %d MiB to unpack", packing>>20, unpacking>>20)
	}
	listed, err := artifact.In(workspace).List("")
	if err != nil || len(listed) != 1 || listed[0].Files != n {
		t.Errorf("%+v, %v", listed, err)
	}
}

// TestCancelled cancels in the middle of a big file.
func TestCancelled(t *testing.T) {
	workspace := t.TempDir()
	plant(t, workspace, map[string]string{"dist/big": "x"})
	if err := os.Truncate(filepath.Join(workspace, "dist/big"), 2<<30); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancelCause(t.Context())
	packed := int64(0)
	err := keepWith(ctx, workspace, func(done int64) {
		if packed = done; done > 32<<20 {
			cancel(errStop)
		}
	})
	if !errors.Is(err, errStop) || packed > 256<<20 {
		t.Errorf("%v after %d MiB", err, packed>>20)
	}
	nothing(t, workspace)
}

// TestPermissionDenied keeps as a user who may not read, or not write.
func TestPermissionDenied(t *testing.T) {
	needRoot(t)
	base := t.TempDir()
	test, err := os.ReadFile(os.Args[0]) // which others may not be able to reach
	if err == nil {
		err = errors.Join(os.WriteFile(filepath.Join(base, "test"), test, 0o755), os.Chmod(base, 0o755), os.Chmod(filepath.Dir(base), 0o755))
	}
	if err != nil {
		t.Fatal(err)
	}
	for want, change := range map[string]func(workspace string) error{
		"error: artifact app: dist/secret: permission denied":      func(w string) error { return os.Chmod(filepath.Join(w, "dist/secret"), 0) },
		"error: artifact app: dist/sub: permission denied":         func(w string) error { return os.Chmod(filepath.Join(w, "dist/sub"), 0) },
		"error: artifact app: mkdirat .turnout: permission denied": func(w string) error { return os.Chmod(w, 0o755) },
	} {
		workspace := t.TempDir()
		plant(t, workspace, map[string]string{"dist/secret": "x", "dist/sub/a": "x"})
		if err := errors.Join(os.Chmod(workspace, 0o777), change(workspace)); err != nil {
			t.Fatal(err)
		}
		cmd := command(t, workspace, run1)
		cmd.Path = filepath.Join(base, "test")
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
		output, err := cmd.Output()
		if err != nil || !strings.Contains(string(output), want) {
			t.Errorf("%v, want %q:\n%s", err, want, output)
		}
		nothing(t, workspace)
	}
}
