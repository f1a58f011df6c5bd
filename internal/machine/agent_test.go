package machine_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/org/deploy-action/internal/machine"
	"github.com/org/deploy-action/internal/machine/machinetest"
)

// roleVariable makes the test binary an agent, or a client of one.
const roleVariable = "MACHINE_TEST_ROLE"

func TestMain(m *testing.M) {
	switch os.Getenv(roleVariable) {
	case "agent":
		if err := (machine.Agent{Handlers: operations()}).Serve(context.Background(), os.Stdin, os.Stdout); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	case "client":
		client(os.Getenv("MACHINE_TEST_DIR"))
	}
	os.Exit(m.Run())
}

// keeper is what tests let a session keep: a file that goes when it is closed.
type keeper string

func (k keeper) Close() error { return os.Remove(string(k)) }

var (
	keep = machine.Op[string, machine.None]{Name: "test.keep", Do: func(_ context.Context, at machine.At, path string) (machine.None, error) {
		err := os.WriteFile(path, nil, 0o600)
		return machine.None{}, errors.Join(err, at.Session.Keep(path, keeper(path)))
	}}
	fail = machine.Op[string, machine.None]{Name: "test.fail", Do: func(_ context.Context, _ machine.At, text string) (machine.None, error) {
		return machine.None{}, fmt.Errorf("%s: %w", text, errors.Join(machine.Exit{Code: 7}.Err(), syscall.ENOSPC))
	}}
)

func operations() []machine.Handler {
	return []machine.Handler{
		machine.Handle(machine.Run), machine.Handle(machine.ReadFile), machine.Handle(machine.Tail), machine.Handle(machine.Write),
		machine.Handle(machine.Remove), machine.Handle(machine.Symlink), machine.Handle(machine.MakeDir),
		machine.Handle(keep), machine.Handle(fail), machine.Handle(echo), machine.Handle(count), machine.Handle(deaf),
	}
}

// startAgent runs an agent as a process of its own, as ssh would.
func startAgent(t *testing.T) (*machine.Remote, *exec.Cmd) {
	t.Helper()
	m, cmd, err := dialProcess()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := cmd.Wait(); err != nil && !strings.Contains(err.Error(), "killed") {
			t.Errorf("agent: %v", err)
		}
	})
	return m, cmd
}

func dialProcess() (*machine.Remote, *exec.Cmd, error) {
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), roleVariable+"=agent", "GORACE=atexit_sleep_ms=0")
	cmd.Stderr = os.Stderr
	in, errIn := cmd.StdinPipe()
	out, errOut := cmd.StdoutPipe()
	if err := errors.Join(errIn, errOut, cmd.Start()); err != nil {
		return nil, nil, err
	}
	m, err := machine.Dial(context.Background(), "there", out, in)
	return m, cmd, err
}

func TestAgent(t *testing.T) {
	machinetest.Run(t, func(t *testing.T) machine.Machine {
		m, _ := startAgent(t)
		return m
	})
}

// client keeps a file and runs a command through an agent, until it is killed.
func client(dir string) {
	m, _, err := dialProcess()
	if err == nil {
		_, err = keep.On(context.Background(), m, filepath.Join(dir, "kept"))
	}
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	// it writes all the time: the client's death must not kill the agent by SIGPIPE
	c := machine.Command{Shell: "echo $$ >pid; while :; do echo tick; sleep 0.01; done", Dir: dir}
	_, _ = machine.Run.Stream(context.Background(), m, c, os.Stdout)
}

func TestAKilledClientLeavesNothing(t *testing.T) {
	dir := t.TempDir()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), roleVariable+"=client", "MACHINE_TEST_DIR="+dir)
	out, err := cmd.StdoutPipe()
	if err := errors.Join(err, cmd.Start()); err != nil {
		t.Fatal(err)
	}
	if line, err := bufio.NewReader(out).ReadString('\n'); line != "tick\n" {
		t.Fatalf("client: %q, %v", line, err)
	}
	text, err := os.ReadFile(filepath.Join(dir, "pid"))
	if err != nil {
		t.Fatal(err)
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait()
	await(t, "the command goes on", func() bool { return errors.Is(syscall.Kill(-pid, 0), syscall.ESRCH) })
	await(t, "the session keeps its file", func() bool {
		_, err := os.Stat(filepath.Join(dir, "kept"))
		return errors.Is(err, os.ErrNotExist)
	})
}

func await(t *testing.T, otherwise string, condition func() bool) {
	t.Helper()
	deadline := time.After(time.Minute)
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

func TestALostAgentFailsItsCalls(t *testing.T) {
	m, cmd := startAgent(t)
	dir := t.TempDir()
	ended := make(chan error, 1)
	go func() {
		_, err := machine.Run.On(context.Background(), m, machine.Command{Shell: "echo $$ >pid; exec sleep 300", Dir: dir})
		ended <- err
	}()
	var pid int
	await(t, "the command has not started", func() bool {
		text, _ := os.ReadFile(filepath.Join(dir, "pid"))
		pid, _ = strconv.Atoi(strings.TrimSpace(string(text)))
		return pid > 0
	})
	defer func() { _ = syscall.Kill(-pid, syscall.SIGKILL) }()
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	if err := <-ended; !errors.Is(err, machine.ErrLost) || !strings.HasPrefix(err.Error(), "there: machine.run: ") {
		t.Errorf("err = %v", err)
	}
	_, err := machine.ReadFile.On(context.Background(), m, machine.File{Path: "/"})
	if !errors.Is(err, machine.ErrLost) {
		t.Errorf("afterwards: %v", err)
	}
}

func TestErrorsKeepTheirKind(t *testing.T) {
	m, _ := startAgent(t)
	defer m.Close()
	_, err := fail.On(context.Background(), m, "journal")
	var command *machine.CommandError
	if !errors.Is(err, syscall.ENOSPC) || !errors.As(err, &command) || command.Exit.Code != 7 || !strings.HasPrefix(err.Error(), "journal: exit status 7") {
		t.Errorf("err = %#v", err)
	}
	unknown := machine.Op[string, string]{Name: "test.unknown"}
	if _, err := unknown.On(context.Background(), m, ""); err == nil || !strings.Contains(err.Error(), "test.unknown: this agent does not know") {
		t.Errorf("err = %v", err)
	}
	cause := errors.New("the user has pressed Ctrl-C")
	ctx, cancel := context.WithCancelCause(context.Background())
	cancel(cause)
	if _, err := machine.Run.On(ctx, m, machine.Command{Shell: "sleep 300"}); !errors.Is(err, cause) || !errors.Is(err, context.Canceled) {
		t.Errorf("err = %v", err)
	}
}

func TestDialRefusesWhatIsNoAgent(t *testing.T) {
	for name, says := range map[string]string{
		"a banner":       "Welcome to Debian GNU/Linux 12!\n",
		"nothing":        "",
		"half a message": "\x00\x00\x00\x40h\x00\x00\x00\x00{",
		"half a head":    "\x00\x00\x00",
		"another kind":   "\x00\x00\x00\x02r\x00\x00\x00\x00{}",
		"version 1":      "\x00\x00\x00\x1e" + `{"kind":"hello","version":1}`,
		"version 99":     "\x00\x00\x00\x0eh\x00\x00\x00\x00" + `{"version":99}`,
	} {
		_, w := io.Pipe()
		if _, err := machine.Dial(context.Background(), "there", strings.NewReader(says), w); err == nil || !strings.HasPrefix(err.Error(), "there: agent: ") {
			t.Errorf("%s: err = %v", name, err)
		}
	}
	silent, _ := io.Pipe()
	_, w := io.Pipe()
	ctx, cancel := context.WithTimeout(context.Background(), time.Millisecond)
	defer cancel()
	if _, err := machine.Dial(ctx, "there", silent, w); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("a silent one: %v", err)
	}
}

func TestServeRefusesNoise(t *testing.T) {
	for name, noise := range map[string]string{
		"text":         "GET / HTTP/1.1\r\n",
		"not JSON":     "\x00\x00\x00\x02c\x00\x00\x00\x01hi",
		"out of place": "\x00\x00\x00\x02h\x00\x00\x00\x00{}",
		"unknown kind": "\x00\x00\x00\x00?\x00\x00\x00\x00",
		"too large":    "\x7f\x00\x00\x00c\x00\x00\x00\x01",
	} {
		if err := (machine.Agent{}).Serve(context.Background(), strings.NewReader(noise), io.Discard); err == nil || !strings.HasPrefix(err.Error(), "agent: read: ") {
			t.Errorf("%s: err = %v", name, err)
		}
	}
}

// TestALossElsewhereIsNotOnesOwn has a call cancelled because another machine's
// connection was lost: this one's is as good as before.
func TestALossElsewhereIsNotOnesOwn(t *testing.T) {
	m, _ := startAgent(t)
	defer m.Close()
	ctx, cancel := context.WithCancelCause(t.Context())
	elsewhere := fmt.Errorf("web2: %w", machine.ErrLost)
	cancel(elsewhere)
	_, err := machine.Run.On(ctx, m, machine.Command{Shell: "sleep 60"})
	if !errors.Is(err, elsewhere) || m.LostIn(err) {
		t.Errorf("lost: %v, %v", m.LostIn(err), err)
	}
	if _, err := machine.Run.On(t.Context(), m, machine.Command{Shell: "true"}); err != nil {
		t.Errorf("afterwards: %v", err)
	}
}
