package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/org/deploy-action/internal/ask"
	"github.com/org/deploy-action/internal/event"
	"github.com/org/deploy-action/internal/loadtest"
	"github.com/org/deploy-action/internal/value"
)

// host is the name that the shop is served under.
const host = "shop.localhost"

// mark is the environment variable by which everything that the demo starts, and
// what that starts, is found again.
const mark = "TURNOUT_DEMO"

// stage is where the demo plays: one temporary folder with everything in it.
type stage struct {
	kind        string // nginx or haproxy
	turnout     string
	dir         string
	listen      value.Address // of the proxy
	ports       [2]int        // of the slots
	deployments []deployment
}

// deployment is a turnout run that ended.
type deployment struct {
	version   string
	run       string    // the folder of its report and events
	code      int       // exit code of turnout
	slot      string    // that traffic was moved to; empty when it was not
	reason    string    // why the switch failed; empty when it did not
	committed time.Time // when the switch began
}

func newStage(kind, turnout string) (*stage, error) {
	if kind != "nginx" && kind != "haproxy" {
		return nil, fmt.Errorf("-proxy %s: nginx or haproxy", kind)
	}
	binary, err := filepath.Abs(turnout)
	if err != nil {
		return nil, err
	}
	syscall.Umask(0o022) // the proxy's workers may be somebody else's and must read their files
	s := &stage{kind: kind, turnout: binary}
	ports, err := freePorts(3)
	if err != nil {
		return nil, err
	}
	s.listen, s.ports = value.Address(fmt.Sprintf("127.0.0.1:%d", ports[0])), [2]int{ports[1], ports[2]}
	if s.dir, err = os.MkdirTemp("/tmp", "turnout-demo-"); err != nil {
		return nil, err
	}
	for _, sub := range []string{"", "proxy/conf.d", "server", "work", "repository"} {
		if err := errors.Join(os.MkdirAll(s.path(sub), 0o755), os.Chmod(s.path(sub), 0o755)); err != nil {
			return nil, errors.Join(err, os.RemoveAll(s.dir))
		}
	}
	fmt.Printf("Everything is in %s: %s on %s, the slots on ports %d and %d.\n", s.dir, kind, s.listen, ports[1], ports[2])
	return s, nil
}

func (s *stage) path(name string) string { return filepath.Join(s.dir, name) }

// freePorts are ports that nobody listens on.
func freePorts(n int) ([]int, error) {
	var ports []int
	for range n {
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return nil, err
		}
		defer listener.Close()
		ports = append(ports, listener.Addr().(*net.TCPAddr).Port)
	}
	return ports, nil
}

// command is a command that can be found again, in a process group of its own so
// that Ctrl-C reaches only us. The end of ctx interrupts it.
func (s *stage) command(ctx context.Context, dir, name string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), mark+"="+s.dir, "PATH="+searchPath())
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = 10 * time.Second
	return cmd
}

// searchPath has the directories of the proxies, which Debian leaves out for
// ordinary users.
func searchPath() string { return os.Getenv("PATH") + ":/usr/local/sbin:/usr/sbin:/sbin" }

// deploy runs the pipeline for a version in a fresh working directory.
func (s *stage) deploy(ctx context.Context, version string) (deployment, error) {
	work := s.path("work/" + version)
	if err := errors.Join(os.Mkdir(work, 0o755), s.writeSpec(work)); err != nil {
		return deployment{}, err
	}
	args := []string{"-chdir", work, "run", "-f", "deploy.hcl"}
	for _, v := range s.variables(version) {
		args = append(args, "-var", v)
	}
	fmt.Println("turnout", strings.Join(args, " "))
	cmd := s.command(ctx, s.dir, s.turnout, args...)
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	failed := cmd.Run()
	done := deployment{version: version, code: cmd.ProcessState.ExitCode()}
	err := done.read(work)
	if failed != nil {
		err = fmt.Errorf("%s: turnout: %w", version, failed)
	}
	s.deployments = append(s.deployments, done)
	return done, err
}

func (s *stage) variables(version string) []string {
	return []string{
		"version=" + version,
		"repository=file://" + s.path("repository"),
		"service=" + s.path("repository/service"),
		"root=" + s.path("server"),
		"proxy_dir=" + s.path("proxy"),
		"listen=" + string(s.listen),
		fmt.Sprintf("ports=[%d, %d]", s.ports[0], s.ports[1]),
	}
}

// read takes from a run's events what the demo shows.
func (d *deployment) read(work string) error {
	runs, err := filepath.Glob(filepath.Join(work, ".turnout/runs/*/events.jsonl"))
	if err != nil || len(runs) != 1 {
		return fmt.Errorf("%s: %d runs left events, expected one", work, len(runs))
	}
	d.run = filepath.Dir(runs[0])
	log, err := os.Open(runs[0])
	if err != nil {
		return err
	}
	defer log.Close()
	events, err := event.Read(log)
	for _, e := range events {
		if e.Kind == event.StepStarted && e.Step.Name == "commit" {
			d.committed = e.Time
		}
		if e.Kind == event.SwitchDone {
			d.slot, d.reason = e.Switch.To.Slot, e.Switch.Reason
		}
	}
	return err
}

// serves is nil when the shop answers with version.
func (s *stage) serves(version string) error {
	ctx, stop := context.WithTimeout(context.Background(), 5*time.Second)
	defer stop()
	answer, err := ask.HTTP(ctx, ask.Question{Address: s.listen, Host: host, Path: "/healthz", Limit: 1 << 10})
	if err != nil {
		return err
	}
	if got := answer.Header.Get(loadtest.ReleaseHeader); answer.Status != http.StatusOK || got != version {
		return fmt.Errorf("the shop answers %d by %q, expected %s", answer.Status, got, version)
	}
	return nil
}
