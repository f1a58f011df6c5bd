package release_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"sync/atomic"
	"testing"

	"github.com/org/deploy-action/internal/machine"
	"github.com/org/deploy-action/internal/release"
)

// roleVariable makes the test binary an agent.
const roleVariable = "RELEASE_TEST_ROLE"

func TestMain(m *testing.M) {
	if os.Getenv(roleVariable) != "agent" {
		os.Exit(m.Run())
	}
	err := machine.Serve(context.Background(), os.Stdin, os.Stdout, machine.Handle(release.Receive), machine.Handle(release.Prune), machine.Handle(release.Fits))
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// there is a machine behind an agent that is a process of its own, as behind SSH.
type there struct {
	machine.Machine
	process *os.Process
	wire    atomic.Int64 // bytes that crossed, both ways
	killAt  atomic.Int64 // bytes on the wire at which the agent is killed; 0: never
}

func (a *there) crossed(n int) {
	wire, at := a.wire.Add(int64(n)), a.killAt.Load()
	if at > 0 && wire >= at {
		_ = a.process.Kill()
	}
}

func startAgent(t *testing.T, name string) *there {
	t.Helper()
	a := &there{}
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), roleVariable+"=agent", "GORACE=atexit_sleep_ms=0")
	cmd.Stderr = os.Stderr
	in, errIn := cmd.StdinPipe()
	out, errOut := cmd.StdoutPipe()
	if err := errors.Join(errIn, errOut, cmd.Start()); err != nil {
		t.Fatal(err)
	}
	m, err := machine.Dial(context.Background(), name, countReader{out, a}, countWriter{in, a})
	if err != nil {
		t.Fatal(err)
	}
	a.Machine, a.process = m, cmd.Process
	t.Cleanup(func() {
		_ = m.Close()
		_ = cmd.Wait()
	})
	return a
}

type countReader struct {
	io.Reader
	of *there
}

func (c countReader) Read(p []byte) (int, error) {
	n, err := c.Reader.Read(p)
	c.of.crossed(n)
	return n, err
}

type countWriter struct {
	io.WriteCloser
	of *there
}

func (c countWriter) Write(p []byte) (int, error) {
	n, err := c.WriteCloser.Write(p)
	c.of.crossed(n)
	return n, err
}

// same fails the test unless the release is what the source is: content, modes,
// times and links. Folders' and linked files' times are compared as well: edits
// of these tests leave the times of what they do not change.
func same(t *testing.T, source, got string) {
	t.Helper()
	walk := func(root string) map[string]string {
		all := make(map[string]string)
		err := filepath.WalkDir(root, func(name string, entry fs.DirEntry, err error) error {
			if err != nil || name == root {
				return err
			}
			info, err := entry.Info()
			if err != nil {
				return err
			}
			text := fmt.Sprintf("%s %d", info.Mode(), info.ModTime().UnixNano())
			switch {
			case info.Mode().IsRegular():
				data, err := os.ReadFile(name)
				if err != nil {
					return err
				}
				text += fmt.Sprintf(" %d %x", len(data), bytesHash(data))
			case info.Mode().Type() == fs.ModeSymlink:
				target, err := os.Readlink(name)
				if err != nil {
					return err
				}
				text += " → " + target
			}
			all[name[len(root):]] = text
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		return all
	}
	want, have := walk(source), walk(got)
	for name, text := range want {
		if have[name] != text {
			t.Errorf("%s: %q, want %q", name, have[name], text)
		}
	}
	for name := range have {
		if want[name] == "" {
			t.Errorf("%s: should not be there", name)
		}
	}
}

// everywhere runs a test for a machine that is here and one behind an agent.
func everywhere(t *testing.T, test func(t *testing.T, m machine.Machine)) {
	t.Run("here", func(t *testing.T) { test(t, machine.NewLocal("here")) })
	t.Run("there", func(t *testing.T) { test(t, startAgent(t, "there")) })
}

func shipTo(t *testing.T, m machine.Machine, layout release.Layout, source string) release.Shipped {
	t.Helper()
	shipped, err := release.Ship(context.Background(), []machine.Machine{m}, layout, source, nil)
	if err != nil {
		t.Fatal(err)
	}
	same(t, source, at(layout, shipped.ID, ""))
	return shipped
}

func TestRandomTreesArriveAsTheyAre(t *testing.T) {
	everywhere(t, func(t *testing.T, m machine.Machine) {
		for seed := range 4 {
			f := newForest(t, seed)
			layout := release.Layout{Root: t.TempDir()}
			for range 5 {
				shipTo(t, m, layout, f.dir)
				f.edit()
			}
			if t.Failed() {
				t.Fatalf("with seed %d", seed)
			}
		}
	})
}

// TestOnlyWhatChangedTravels counts bytes on the wire. The bounds are generous:
// what is measured is in docs/releases.md.
func TestOnlyWhatChangedTravels(t *testing.T) {
	m := startAgent(t, "there")
	layout := release.Layout{Root: t.TempDir()}
	f := newForest(t, 1)
	for i := range 500 {
		f.write(fmt.Sprintf("d%d/f%d", i%40, i), 8_000+i)
	}
	travelled := func() int64 {
		before := m.wire.Load()
		shipped := shipTo(t, m, layout, f.dir)
		wire := m.wire.Load() - before
		if said := shipped.Arrivals[0].Sent; said > wire || said < wire*9/10-1000 {
			t.Errorf("%d bytes are told, %d crossed", said, wire)
		}
		return wire
	}
	first := travelled()
	if first < 4_000_000 {
		t.Errorf("the first took %d bytes of what can't be packed", first)
	}
	again := travelled()
	if again > 25_000 {
		t.Errorf("nothing had changed, and %d bytes crossed", again)
	}
	f.patch("d7/f7", 4_000, 10)  // in the middle of 8,007 bytes
	f.insert("d8/f8", 3_000, 10) // everything behind it moves
	f.rename("d9/f9", "moved/far/f9")
	if more := travelled() - again; more > 4_000 {
		t.Errorf("two small changes and a new name cost %d bytes more", more)
	}
}
