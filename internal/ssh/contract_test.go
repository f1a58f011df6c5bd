package ssh_test

import (
	"os"
	"strings"
	"testing"

	"github.com/org/deploy-action/internal/machine"
	"github.com/org/deploy-action/internal/machine/machinetest"
	"github.com/org/deploy-action/internal/ssh/sshtest"
)

const mayAll = "Defaults env_keep += GORACE\ndeploy ALL=(ALL) NOPASSWD: ALL\n"

// An operation on a server does what it does on this machine.
func TestSSH(t *testing.T) {
	t.Parallel()
	s := sshtest.New(t, sshtest.Options{})
	open(t, dialer(t, options(t)), s) // uploads, so that not each of the following does
	machinetest.Run(t, func(t *testing.T) machine.Machine { return open(t, dialer(t, options(t)), s) })
}

func TestSSHAndSudo(t *testing.T) {
	t.Parallel()
	if os.Geteuid() != 0 {
		t.Skip("making a user needs root")
	}
	s := sshtest.New(t, sshtest.Options{Ordinary: true, Sudoers: mayAll})
	become := s.Spec("web")
	become.SSH.Become = true
	start := func(t *testing.T) machine.Machine {
		m, err := dialer(t, options(t)).Machine(t.Context(), become)
		if err != nil {
			t.Fatal(err)
		}
		return m
	}
	if who := run(t, start(t), "id -un"); who != "root" {
		t.Errorf("the agent is %s", who)
	}
	machinetest.Run(t, start)
}

// A second connection finds the agent that the first one has left.
func TestTheAgentIsUploadedOnce(t *testing.T) {
	t.Parallel()
	s := sshtest.New(t, sshtest.Options{Ordinary: true})
	open(t, dialer(t, options(t)), s)
	agents, err := os.ReadDir(s.Home + "/.cache/turnout")
	if err != nil || len(agents) != 1 || !strings.HasPrefix(agents[0].Name(), "agent-") {
		t.Fatalf("%v, %v", agents, err)
	}
	before, err := agents[0].Info()
	if err != nil || before.Mode().Perm() != 0o700 {
		t.Fatalf("mode %v, %v", before.Mode(), err)
	}
	if who := run(t, open(t, dialer(t, options(t)), s), "id -un"); who != "deploy" {
		t.Errorf("logged in as %s", who)
	}
	after, err := os.Stat(s.Home + "/.cache/turnout/" + agents[0].Name())
	if err != nil || !os.SameFile(before, after) {
		t.Errorf("another file, %v", err)
	}
}
