package ssh_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/org/deploy-action/internal/hosttest"
	"github.com/org/deploy-action/internal/machine"
	"github.com/org/deploy-action/internal/spec"
	"github.com/org/deploy-action/internal/ssh"
)

// TestFaultsOfHosts has what goes wrong on real hosts and networks told as what it
// is.
func TestFaultsOfHosts(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		fault func(*testing.T, *hosttest.Host, *spec.Server)
		kind  ssh.Kind
		words []string
	}{
		"link down": {func(t *testing.T, h *hosttest.Host, s *spec.Server) {
			h.LinkDown(t)
			s.SSH.ConnectTimeout = 500 * time.Millisecond
		}, ssh.Timeout, []string{"web: unreachable: no answer within 500ms (198.19."}},
		"every packet lost": {func(t *testing.T, h *hosttest.Host, s *spec.Server) {
			h.Cable(t, 0, 1)
			s.SSH.ConnectTimeout = 500 * time.Millisecond
		}, ssh.Timeout, []string{"web: unreachable: no answer within 500ms (198.19."}},
		"sshd stopped": {func(t *testing.T, h *hosttest.Host, _ *spec.Server) {
			h.StopSSHD(t)
		}, ssh.Refused, []string{"web: unreachable: connection refused (198.19."}},
		"another host key": {func(t *testing.T, h *hosttest.Host, _ *spec.Server) {
			h.NewHostKey(t)
		}, ssh.HostKey, []string{"web: host key: ", "CHANGED"}},
		"no such user": {func(t *testing.T, h *hosttest.Host, _ *spec.Server) {
			h.NoUser(t)
		}, ssh.Authentication, []string{"web: authentication: deploy at 198.19.", "takes none of the keys"}},
		"no sudo": {func(t *testing.T, h *hosttest.Host, s *spec.Server) {
			h.NoSudo(t)
			s.SSH.Become = true
		}, ssh.Agent, []string{"web: agent: ", "NOPASSWD"}},
		"disk full": {func(t *testing.T, h *hosttest.Host, _ *spec.Server) {
			h.Exec(t, "install -d -o deploy -g deploy /home/deploy/.cache")
			h.SmallDisk(t, "/home/deploy/.cache", 64<<10)
			h.SmallDisk(t, "/var/tmp", 64<<10)
		}, ssh.Agent, []string{"web: agent: the agent can be put neither into ~/.cache/turnout (", "No space left on device"}},
		"read-only": {func(t *testing.T, h *hosttest.Host, _ *spec.Server) {
			h.ReadOnly(t, "/", "/home", "/var/tmp")
		}, ssh.Agent, []string{"web: agent: the agent can be put neither into ~/.cache/turnout (", "Read-only file system"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := hosttest.Start(t, "web1").Host("web1")
			server := h.Spec()
			server.Name = "web"
			test.fault(t, h, server)
			refuse(t, options(t), server, test.kind, test.words...)
		})
	}
}

// TestFaultsBehindAJumpHost names the host that fails.
func TestFaultsBehindAJumpHost(t *testing.T) {
	t.Parallel()
	f := hosttest.Start(t, "web1", "bastion")
	web, bastion := f.Host("web1"), f.Host("bastion")
	web.Private(t)
	server := web.Spec()
	server.Name, server.SSH.Via = "web", bastion.Spec()
	m, err := dialer(t, options(t)).Machine(t.Context(), server)
	if err != nil {
		t.Fatal(err)
	}
	if name := run(t, m, "hostname"); name != "web1" {
		t.Errorf("on %q", name)
	}
	web.StopSSHD(t)
	refuse(t, options(t), server, ssh.Refused, "web: unreachable: the jump host says: ", web.Address)
	bastion.StopSSHD(t)
	refuse(t, options(t), server, ssh.Refused, "web: unreachable: by way of bastion: ", bastion.Address)
}

// A cable that is long and loses packets slows work down, and that is all.
func TestABadCable(t *testing.T) {
	t.Parallel()
	h := hosttest.Start(t, "web1").Host("web1")
	m, err := dialer(t, options(t)).Machine(t.Context(), h.Spec())
	if err != nil {
		t.Fatal(err)
	}
	h.Cable(t, 10*time.Millisecond, 0.05)
	if n := run(t, m, "head -c 300000 /dev/zero | wc -c"); n != "300000" {
		t.Errorf("%q", n)
	}
}

// A cable that is pulled out says nothing to either end. Both find out: here the
// call fails, there the command ends.
func TestALinkThatGoesDown(t *testing.T) {
	t.Parallel()
	h := hosttest.Start(t, "web1").Host("web1")
	m, err := dialer(t, options(t)).Machine(t.Context(), h.Spec())
	if err != nil {
		t.Fatal(err)
	}
	result := make(chan error, 1)
	go func() {
		_, err := machine.Run.On(context.Background(), m, machine.Command{Shell: "exec sleep 12345"})
		result <- err
	}()
	await(t, "the command has not started", func() bool { return h.Runs(t, "^sleep 12345") })
	h.LinkDown(t)
	select {
	case err = <-result:
	case <-time.After(time.Minute): // it takes 15 s
		t.Fatal("the call goes on over a dead link")
	}
	var lost *ssh.Error
	if !errors.Is(err, machine.ErrLost) || !errors.As(err, &lost) || lost.Kind != ssh.Lost || lost.Server != "web1" {
		t.Errorf("err = %v", err)
	}
	await(t, "the command goes on without its client", func() bool { return !h.Runs(t, "sleep 12345|agent") })
}

// A client that is killed leaves nothing of its user's on the host.
func TestAKilledClientLeavesNothingOnAHost(t *testing.T) {
	t.Parallel()
	h := hosttest.Start(t, "web1").Host("web1")
	cmd := startClient(t, h.Spec(), "/tmp")
	if !h.Runs(t, "agent") {
		t.Error("no agent runs")
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait()
	await(t, "processes are left", func() bool { return h.Exec(t, "ps -u deploy -o args= || true") == "" })
}
