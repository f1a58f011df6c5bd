package ssh_test

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"testing"

	"github.com/org/deploy-action/internal/agent"
	"github.com/org/deploy-action/internal/machine"
	"github.com/org/deploy-action/internal/ssh"
	"github.com/org/deploy-action/internal/ssh/sshtest"
)

// The test binary is its own agent, and says its version as turnout does.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 {
		switch os.Args[1] {
		case "agent":
			os.Exit(beAgent(os.Args[2:]))
		case "version":
			fmt.Println("turnout 9.9.9 (test)")
			os.Exit(0)
		case "client":
			client()
		}
	}
	os.Exit(m.Run())
}

// version is that of the agent, and of the client unless a test says otherwise.
const version = "1.2.3"

func beAgent(args []string) int {
	signal.Ignore(syscall.SIGHUP)
	self, err := os.Executable()
	if err == nil && len(args) == 2 && args[0] == "-install" {
		err = agent.Install(self, args[1])
	} else if err == nil {
		agent.Started(self)
		err = machine.Agent{Version: version, Handlers: []machine.Handler{
			machine.Handle(machine.Run), machine.Handle(machine.ReadFile), machine.Handle(machine.Tail),
			machine.Handle(machine.Write), machine.Handle(machine.Remove), machine.Handle(machine.Symlink), machine.Handle(machine.MakeDir),
		}}.Serve(context.Background(), os.Stdin, os.Stdout)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

// options are those of a client without a user's files.
func options(t testing.TB) ssh.Options {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return ssh.Options{Program: self, Version: version}
}

// dialer returns a Dialer that is closed with the test.
func dialer(t testing.TB, o ssh.Options) *ssh.Dialer {
	t.Helper()
	d := ssh.New(o)
	t.Cleanup(func() {
		if err := d.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	return d
}

// run runs a command on a machine and returns its output.
func run(t testing.TB, m machine.Machine, shell string) string {
	t.Helper()
	exit, err := machine.Run.On(t.Context(), m, machine.Command{Shell: shell})
	if err = firstOf(err, exit.Err()); err != nil {
		t.Fatalf("%s: %v", shell, err)
	}
	return strings.Join(exit.Tail, "\n")
}

func firstOf(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// open opens the machine of a server, or fails the test.
func open(t testing.TB, d *ssh.Dialer, s *sshtest.Server) machine.Machine {
	t.Helper()
	m, err := d.Machine(t.Context(), s.Spec("web"))
	if err != nil {
		t.Fatalf("%v\n%s", err, s.Log())
	}
	return m
}
