package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"

	"github.com/org/deploy-action/internal/bench/sshd"
	"github.com/org/deploy-action/internal/machine"
	"github.com/org/deploy-action/internal/protocol"
	"github.com/org/deploy-action/internal/release"
	"github.com/org/deploy-action/internal/spec"
	"github.com/org/deploy-action/internal/ssh"
	"github.com/org/deploy-action/internal/state"
	"github.com/org/deploy-action/internal/value"
)

// ship ships a release as a deploy does: by agents of turnout's binary, in an epoch
// of its own on each server.
func ship(ctx context.Context, dir, version, hosts, turnout string) (err error) {
	s := &site{Site: sshd.Here(dir), dir: dir}
	if _, err := fmt.Sscan(hosts, &s.hosts); err != nil {
		return err
	}
	dialer := ssh.New(ssh.Options{Program: turnout})
	defer func() { err = errors.Join(err, dialer.Close()) }()
	machines, err := s.open(ctx, dialer)
	if err != nil {
		return err
	}
	receive := func(ctx context.Context, m machine.Machine, d release.Delivery, in io.Reader, out io.Writer) (release.Received, error) {
		return state.Guarded(release.Receive).Exchange(ctx, m, state.Order[release.Delivery]{Reign: s.reign(), Request: d}, in, out)
	}
	_, err = release.ShipBy(ctx, receive, machines, release.Layout{Root: s.there("turnout")}, filepath.Join(dir, version), nil)
	return err
}

// open opens all servers side by side, and takes their locks.
func (s *site) open(ctx context.Context, dialer *ssh.Dialer) ([]machine.Machine, error) {
	servers, err := s.servers()
	if err != nil {
		return nil, err
	}
	machines, errs := make([]machine.Machine, s.hosts), make([]error, s.hosts)
	var all sync.WaitGroup
	for i, server := range servers {
		all.Go(func() {
			if machines[i], errs[i] = dialer.Machine(ctx, server); errs[i] == nil {
				errs[i] = s.takeOver(ctx, machines[i])
			}
		})
	}
	all.Wait()
	return machines, errors.Join(errs...)
}

// reign is the epoch of an upload. Each is the first on its server that matters.
func (s *site) reign() state.Reign {
	return state.Reign{Dir: s.there("state", fmt.Sprint(os.Getpid())), Epoch: protocol.Next("bench")}
}

func (s *site) takeOver(ctx context.Context, m machine.Machine) error {
	acquire := state.Acquire(func(context.Context, state.Orphan) error { return nil })
	if _, err := acquire.On(ctx, m, state.Claim{Dir: s.reign().Dir, Holder: state.Holder{Run: "bench"}}); err != nil {
		return err
	}
	_, err := state.BeginEpoch.On(ctx, m, s.reign())
	return err
}

// servers are those of a spec.
func (s *site) servers() ([]*spec.Server, error) {
	key, errKey := os.ReadFile(s.Key())
	hostKey, err := s.HostKey()
	if err := errors.Join(errKey, err); err != nil {
		return nil, err
	}
	var number int
	if _, err := fmt.Sscan(os.Getenv("PORT"), &number); err != nil {
		return nil, err
	}
	all := make([]*spec.Server, s.hosts)
	for host := range all {
		all[host] = &spec.Server{
			Name: value.Name(fmt.Sprintf("s%d", host)), Connection: spec.SSH, Host: address(host), Address: address(host),
			SSH: spec.SSHOptions{
				User: sshd.User, Port: value.Port(number), PrivateKey: string(key),
				KnownHosts: fmt.Sprintf("[%s]:%d %s", address(host), number, hostKey),
			},
		}
	}
	return all, nil
}
