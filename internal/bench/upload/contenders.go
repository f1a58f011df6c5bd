package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/org/deploy-action/internal/bench/beside"
	"github.com/org/deploy-action/internal/bench/sshd"
	"github.com/org/deploy-action/internal/machine"
	"github.com/org/deploy-action/internal/release"
)

// fresh brings a release to servers that have none.
func (o options) fresh(s *site, hosts int) []beside.Contender {
	all := []beside.Contender{
		{Name: "tar | zstd -1 | ssh", Args: s.packed(hosts, "v1")},
		{Name: "rsync -a", Args: parallel(hosts, fmt.Sprintf("rsync -a -e \"%s\" %s/v1/ $HOST:%s", s.transport(), s.dir, s.there("v1")))},
		{Name: "scp -r", Args: parallel(hosts, fmt.Sprintf("scp %s -P $PORT -rpq %s/v1 $HOST:%s", strings.Join(s.Options(), " "), s.dir, s.there("v1")))},
	}
	if o.droneSCP != "" {
		all = append(all, beside.Contender{Name: "drone-scp", Args: o.drone(s, hosts), Dir: filepath.Join(s.dir, "v1")})
	}
	all = append(all, o.ship(s, hosts, "v1"))
	for i := range all {
		all[i].Before = func() error { return each(hosts, s.empty) }
	}
	return all
}

// second brings a release to servers that have the one before it.
func (o options) second(s *site, hosts int, version string) []beside.Contender {
	all := []beside.Contender{
		{Name: "rsync -a --link-dest", Args: parallel(hosts, fmt.Sprintf("rsync -a --link-dest=../v1 -e \"%s\" %s/%s/ $HOST:%s", s.transport(), s.dir, version, s.there("v2")))},
		{Name: "tar | zstd -1 | ssh", Args: s.packed(hosts, version)},
		o.ship(s, hosts, version),
	}
	for i := range all {
		all[i].Before = func() error { return each(hosts, s.prepare) }
	}
	return all
}

func each(hosts int, do func(host int) error) error {
	var errs []error
	for host := range hosts {
		errs = append(errs, do(host))
	}
	return errors.Join(errs...)
}

// transport is ssh to a server, for rsync.
func (s *site) transport() string { return "ssh " + strings.Join(s.Options(), " ") + " -p $PORT" }

func (s *site) packed(hosts int, version string) []string {
	dest := s.there("v2")
	return parallel(hosts, fmt.Sprintf("tar -C %s/%s -cf - . | zstd -1 -q | %s $HOST 'mkdir %s && zstd -dq | tar -C %s -xf -'", s.dir, version, s.transport(), dest, dest))
}

// drone is what appleboy/scp-action runs: it packs with gzip into a file, uploads
// and unpacks it.
func (o options) drone(s *site, hosts int) []string {
	command := fmt.Sprintf("exec %s -p $PORT -u %s -i %s -t %s -s . ", o.droneSCP, sshd.User, s.Key(), s.there("v1"))
	for host := range hosts {
		command += " -H " + address(host)
	}
	return []string{"/bin/sh", "-c", command}
}

// ship is this program as turnout.
func (o options) ship(s *site, hosts int, version string) beside.Contender {
	own, _ := os.Executable() // an empty name fails with its own message
	return beside.Contender{Name: "turnout", Args: []string{own, "ship", s.dir, version, fmt.Sprint(hosts), o.turnout}}
}

// shipHere leaves the first release on a server.
func (s *site) shipHere(host int) error {
	here := machine.NewLocal("here")
	defer here.Close()
	_, err := release.Ship(context.Background(), []machine.Machine{here}, release.Layout{Root: s.own(host, "turnout")}, filepath.Join(s.dir, "v1"), nil)
	return err
}
