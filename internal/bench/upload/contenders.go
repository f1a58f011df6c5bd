package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"

	"github.com/org/deploy-action/internal/bench/beside"
	"github.com/org/deploy-action/internal/machine"
	"github.com/org/deploy-action/internal/release"
)

// fresh brings a release to a server that has none.
func (o options) fresh(dir string, s *sshd) []beside.Contender {
	dest := filepath.Join(dir, "fresh")
	empty := func() error {
		return errors.Join(os.RemoveAll(dest), os.Mkdir(dest, 0o755))
	}
	all := shell(map[string]string{
		"tar | zstd -1 | ssh": fmt.Sprintf("tar -C %s/v1 -cf - . | zstd -1 -q | %s 'zstd -dq | tar -C %s -xf -'", dir, s.command, dest),
		"rsync -a":            fmt.Sprintf("rsync -a -e \"%s\" %s/v1/ 127.0.0.1:%s/v1", s.transport, dir, dest),
		"scp -r":              fmt.Sprintf("scp %s -P $BENCH_PORT -rpq %s/v1 127.0.0.1:%s/v1", s.options, dir, dest),
	}, "tar | zstd -1 | ssh", "rsync -a", "scp -r")
	all = append(all, o.ship(s, filepath.Join(dir, "v1"), dest))
	for i := range all {
		all[i].Before = empty
	}
	return all
}

// second brings a release to a server that has the one before it.
func (o options) second(dir string, s *sshd, version string) []beside.Contender {
	dest := filepath.Join(dir, "second-"+version)
	all := shell(map[string]string{
		"rsync -a --link-dest": fmt.Sprintf("rsync -a --link-dest=../v1 -e \"%s\" %s/%s/ 127.0.0.1:%s/v2", s.transport, dir, version, dest),
		"tar | zstd -1 | ssh":  fmt.Sprintf("mkdir %s/v2 && tar -C %s/%s -cf - . | zstd -1 -q | %s 'zstd -dq | tar -C %s/v2 -xf -'", dest, dir, version, s.command, dest),
	}, "rsync -a --link-dest", "tar | zstd -1 | ssh")
	for i := range all {
		all[i].Before = func() error {
			if err := os.RemoveAll(filepath.Join(dest, "v2")); err != nil {
				return err
			}
			return onlyOnce(filepath.Join(dest, "v1"), func() error {
				return exec.Command("cp", "-a", filepath.Join(dir, "v1"), filepath.Join(dest, "v1")).Run()
			})
		}
	}
	root := filepath.Join(dest, "turnout")
	own := o.ship(s, filepath.Join(dir, version), root)
	own.Before = func() error {
		return onlyOnce(root, func() error {
			_, err := release.Ship(context.Background(), []machine.Machine{machine.NewLocal("here")}, release.Layout{Root: root}, filepath.Join(dir, "v1"), nil)
			return err
		}, func() error {
			ids, err := filepath.Glob(filepath.Join(root, "releases", "*"))
			for _, id := range ids[min(1, len(ids)):] {
				err = errors.Join(err, os.RemoveAll(id))
			}
			return err
		})
	}
	return append(all, own)
}

// onlyOnce makes what is not there; otherwise it does the rest.
func onlyOnce(path string, first func() error, later ...func() error) error {
	if _, err := os.Stat(path); err != nil {
		return errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), first())
	}
	for _, do := range later {
		if err := do(); err != nil {
			return err
		}
	}
	return nil
}

func shell(commands map[string]string, order ...string) []beside.Contender {
	var all []beside.Contender
	for _, name := range order {
		all = append(all, beside.Contender{Name: name, Args: []string{"/bin/bash", "-o", "pipefail", "-c", commands[name]}})
	}
	return all
}

// ship is this program as a client of the agent.
func (o options) ship(s *sshd, source, root string) beside.Contender {
	own, _ := os.Executable() // an empty name fails with its own message
	return beside.Contender{Name: "turnout", Args: append([]string{own, "ship", source, root}, "/bin/sh", "-c", "exec "+s.command+" "+o.turnout+" agent")}
}

// ship ships a release through an agent that command starts.
func ship(ctx context.Context, source, root string, command []string) error {
	cmd := exec.CommandContext(ctx, command[0], command[1:]...)
	cmd.Stderr = os.Stderr
	in, errIn := cmd.StdinPipe()
	out, errOut := cmd.StdoutPipe()
	if err := errors.Join(errIn, errOut, cmd.Start()); err != nil {
		return err
	}
	m, err := machine.Dial(ctx, "there", out, in)
	if err != nil {
		return err
	}
	_, err = release.Ship(ctx, []machine.Machine{m}, release.Layout{Root: root}, source, nil)
	return errors.Join(err, m.Close(), cmd.Wait())
}
