package ssh_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/org/deploy-action/internal/machine"
	"github.com/org/deploy-action/internal/spec"
	"github.com/org/deploy-action/internal/ssh"
	"github.com/org/deploy-action/internal/ssh/sshtest"
)

const (
	serverVariable = "SSH_TEST_SERVER" // a spec.Server as JSON
	dirVariable    = "SSH_TEST_DIR"
)

// client runs a command on a server that writes without end, until it is killed.
func client() {
	var server spec.Server
	if err := json.Unmarshal([]byte(os.Getenv(serverVariable)), &server); err != nil {
		panic(err)
	}
	m, err := ssh.New(ssh.Options{Program: os.Args[0], Version: version}).Machine(context.Background(), &server)
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	c := machine.Command{Shell: "echo $$ >pid; while :; do echo tick; sleep 0.01; done", Dir: os.Getenv(dirVariable)}
	_, _ = machine.Run.Stream(context.Background(), m, c, os.Stdout)
	os.Exit(1)
}

// startClient starts one as a process of its own and returns once its command
// runs. The command's process group is in a file pid in that directory there.
func startClient(t *testing.T, s *spec.Server, dir string) *exec.Cmd {
	t.Helper()
	server, err := json.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(options(t).Program, "client")
	cmd.Env = append(os.Environ(), serverVariable+"="+string(server), dirVariable+"="+dir)
	out, err := cmd.StdoutPipe()
	if err := errors.Join(err, cmd.Start()); err != nil {
		t.Fatal(err)
	}
	if line, err := bufio.NewReader(out).ReadString('\n'); line != "tick\n" {
		t.Fatalf("client: %q, %v", line, err)
	}
	return cmd
}

func readPID(t *testing.T, path string) int {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil {
		t.Fatal(err)
	}
	return pid
}

// ended is whether a process group is no more.
func ended(group int) bool { return errors.Is(syscall.Kill(-group, 0), syscall.ESRCH) }

// A plain ssh leaves its command running.
func TestAKilledClientLeavesNoCommand(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	cmd := startClient(t, sshtest.New(t, sshtest.Options{}).Spec("web"), dir)
	group := readPID(t, filepath.Join(dir, "pid"))
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait()
	await(t, "the command goes on", func() bool { return ended(group) })
}

func TestALostConnectionFailsCalls(t *testing.T) {
	t.Parallel()
	s := sshtest.New(t, sshtest.Options{})
	d := dialer(t, options(t))
	m := open(t, d, s)
	dir := t.TempDir()
	result := make(chan error, 1)
	go func() {
		_, err := machine.Run.On(context.Background(), m, machine.Command{Shell: "echo $$ >pid; exec sleep 300", Dir: dir})
		result <- err
	}()
	pid := filepath.Join(dir, "pid")
	await(t, "the command has not started", func() bool { text, _ := os.ReadFile(pid); return len(text) > 1 })
	s.Signal(syscall.SIGKILL)
	err := <-result
	var lost *ssh.Error
	if !errors.Is(err, machine.ErrLost) || !errors.As(err, &lost) || lost.Kind != ssh.Lost || lost.Server != "web" {
		t.Errorf("err = %v", err)
	}
	if !strings.HasPrefix(fmt.Sprint(err), "web: connection lost: ") || !strings.Contains(fmt.Sprint(err), "machine.run") {
		t.Errorf("err = %v", err)
	}
	group := readPID(t, pid)
	await(t, "the command goes on", func() bool { return ended(group) })
	if who := run(t, open(t, d, s), "echo again"); who != "again" {
		t.Errorf("opened anew: %q", who)
	}
}

// A server that says nothing more keeps a cancelled call waiting for a moment
// only, and a call that is not cancelled until the silence is too long.
func TestASilentServer(t *testing.T) {
	t.Parallel()
	for name, cancels := range map[string]bool{"cancelled": true, "not cancelled": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := sshtest.New(t, sshtest.Options{})
			m := open(t, dialer(t, options(t)), s)
			ctx, cancel := context.WithCancelCause(t.Context())
			defer cancel(nil)
			s.Signal(syscall.SIGSTOP)
			cause := errors.New("Ctrl-C")
			if cancels {
				cancel(cause)
			}
			_, err := machine.Run.On(ctx, m, machine.Command{Shell: "true"})
			if !errors.Is(err, machine.ErrLost) || errors.Is(err, cause) != cancels {
				t.Errorf("err = %v", err)
			}
		})
	}
}

// A server that has nothing to say for longer than the silence lasts is asked.
func TestAQuietCommand(t *testing.T) {
	t.Parallel()
	run(t, open(t, dialer(t, options(t)), sshtest.New(t, sshtest.Options{})), "sleep 14")
}

func await(t *testing.T, otherwise string, condition func() bool) {
	t.Helper()
	deadline := time.After(20 * time.Second)
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !condition() {
		select {
		case <-deadline:
			t.Fatal(otherwise)
		case <-tick.C:
		}
	}
}
