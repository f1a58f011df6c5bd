package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"

	"github.com/org/deploy-action/internal/bench/sshd"
)

// Where servers listen, and where bytes on their way to them are counted.
const (
	port        = "2298"
	countedPort = "2297"
)

// site is so many servers, each of which has a folder of its own at the same
// place.
type site struct {
	sshd.Site
	dir   string // v1, v2, v2ci are what to upload
	hosts int
	all   []*sshd.Server
	wire  atomic.Int64 // bytes, by way of countedPort
	close []*counter
}

func address(host int) string { return fmt.Sprintf("127.2.0.%d", host+1) }

// there is the folder that all servers see as theirs, as they see it; own is that
// of one, as this machine sees it.
func (s *site) there(name ...string) string {
	return filepath.Join(append([]string{s.dir, "there"}, name...)...)
}
func (s *site) own(host int, name ...string) string {
	return filepath.Join(append([]string{s.dir, "hosts", fmt.Sprint(host)}, name...)...)
}

func (s *site) start(ctx context.Context) error {
	if err := os.Mkdir(s.there(), 0o755); err != nil {
		return err
	}
	for host := range s.hosts {
		if err := s.empty(host); err != nil {
			return err
		}
		server, err := s.Start(ctx, sshd.Listener{Address: address(host), Port: port, Mounts: [][2]string{{s.own(host), s.there()}}})
		if err != nil {
			return err
		}
		s.all = append(s.all, server)
		c, err := count(address(host), countedPort, port, &s.wire)
		if err != nil {
			return err
		}
		s.close = append(s.close, c)
	}
	return nil
}

func (s *site) stop() {
	for _, server := range s.all {
		server.Stop()
	}
	for _, c := range s.close {
		c.Close()
	}
}

// cpu is what the servers of the first so many hosts took so far, in ms.
func (s *site) cpu(hosts int) float64 {
	total := 0.0
	for _, server := range s.all[:hosts] {
		total += server.CPU()
	}
	return total
}

// empty leaves nothing on a server. Its folder itself stays: it is mounted.
func (s *site) empty(host int) error {
	if err := os.MkdirAll(s.own(host), 0o755); err != nil {
		return err
	}
	entries, err := os.ReadDir(s.own(host))
	for _, entry := range entries {
		err = errors.Join(err, os.RemoveAll(s.own(host, entry.Name())))
	}
	return errors.Join(err, os.Chown(s.own(host), sshd.UserID, sshd.UserID))
}

// prepare leaves on a server what an earlier upload has: v1 for the peers, and a
// release of it for turnout.
func (s *site) prepare(host int) error {
	_, err := os.Stat(s.own(host, "v1"))
	if err != nil { // the first time
		err = errors.Join(
			s.empty(host), exec.Command("cp", "-a", filepath.Join(s.dir, "v1"), s.own(host, "v1")).Run(),
			s.shipHere(host), exec.Command("chown", "-R", fmt.Sprintf("%d:%d", sshd.UserID, sshd.UserID), s.own(host)).Run(),
		)
	}
	newer, errGlob := filepath.Glob(s.own(host, "turnout", "releases", "*"))
	for _, id := range append(newer[min(1, len(newer)):], s.own(host, "v2")) {
		err = errors.Join(err, os.RemoveAll(id))
	}
	return errors.Join(err, errGlob)
}

// parallel is a shell command for each of so many hosts, all at once. $HOST is its
// address, and $PORT the port.
func parallel(hosts int, command string) []string {
	var addresses []string
	for host := range hosts {
		addresses = append(addresses, address(host))
	}
	script := fmt.Sprintf("pids=\nfor HOST in %s; do { %s; } & pids+=\" $!\"; done\nfor pid in $pids; do wait $pid || exit; done", strings.Join(addresses, " "), command)
	return []string{"/bin/bash", "-o", "pipefail", "-c", script}
}
