package release_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/org/deploy-action/internal/machine"
	"github.com/org/deploy-action/internal/release"
)

// TestSoakManySmallFiles ships 100,000 files, first and with one in a hundred
// changed. Neither end may take much memory for it.
func TestSoakManySmallFiles(t *testing.T) {
	if os.Getenv("TURNOUT_SOAK") == "" {
		t.Skip("writes 300,000 files: TURNOUT_SOAK is not set")
	}
	const files, limit = 100_000, 200 << 10 // KiB
	source, root := t.TempDir(), t.TempDir()
	for _, changed := range []int{files, files / 100} {
		for i := range changed {
			path := filepath.Join(source, fmt.Sprint(i%1000), fmt.Sprint(i))
			err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, fmt.Appendf(nil, "%d of %d: small file number %9d\n", i, changed, i), 0o644))
			if err != nil {
				t.Fatal(err)
			}
		}
		client := exec.Command(os.Args[0], source, root)
		client.Env = append(os.Environ(), roleVariable+"=client")
		client.Stderr = os.Stderr
		said, err := client.Output()
		if err != nil {
			t.Fatal(err)
		}
		var sent, linked, here, there int
		if _, err := fmt.Fscan(bytes.NewReader(said), &sent, &linked, &here, &there); err != nil {
			t.Fatalf("%v: %q", err, said)
		}
		t.Logf("%d files, %d linked: %d KiB here, %d KiB there", sent, linked, here, there)
		if sent != files || linked != files-changed || here <= 0 || there <= 0 || here > limit || there > limit {
			t.Errorf("%d changed: %d files, %d linked, peaks of %d and %d KiB, at most %d", changed, sent, linked, here, there, limit)
		}
	}
}

// shipAsClient ships a release through an agent, and says what both ends took.
func shipAsClient(source, root string) error {
	agent := exec.Command(os.Args[0])
	agent.Env, agent.Stderr = append(os.Environ(), roleVariable+"=agent"), os.Stderr
	in, errIn := agent.StdinPipe()
	out, errOut := agent.StdoutPipe()
	if err := errors.Join(errIn, errOut, agent.Start()); err != nil {
		return err
	}
	m, err := machine.Dial(context.Background(), "there", out, in)
	if err != nil {
		return err
	}
	shipped, err := release.Ship(context.Background(), []machine.Machine{m}, release.Layout{Root: root}, source, nil)
	if err != nil {
		return err
	}
	here, errHere := peak(os.Getpid())
	there, errThere := peak(agent.Process.Pid)
	fmt.Println(shipped.Files, shipped.Arrivals[0].Linked, here, there)
	return errors.Join(errHere, errThere, m.Close(), agent.Wait())
}

// peak is the most memory that a process had at once, in KiB: VmHWM of
// proc_pid_status(5).
func peak(pid int) (kibibytes int, err error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, err
	}
	_, after, _ := strings.Cut(string(text), "VmHWM:")
	_, err = fmt.Sscan(after, &kibibytes)
	return kibibytes, err
}
