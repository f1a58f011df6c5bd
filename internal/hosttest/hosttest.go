// Package hosttest starts hosts for tests: real OpenSSH servers in namespaces of
// their own, with their own addresses, files, users and processes, on a network
// that can fail in the ways networks do. Where a loopback will do, sshtest is
// simpler.
//
// A host's clock is this machine's: a time namespace has no time of day of its own,
// and libfaketime does not reach a program that is linked statically, as turnout is.
//
// scripts/hosts.sh starts the same hosts by hand.
package hosttest

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// Fleet is some hosts on one network, which the machine that runs the tests is
// part of.
type Fleet struct {
	Key        string // private key that logs in as deploy everywhere, PEM
	KnownHosts string // a line for every host
	Dir        string // key, known_hosts, and ssh_config for "ssh -F … web1"

	hosts map[string]*Host
	lan   int // process in the namespace of the network's bridge
}

// Start starts hosts that end with the test, or with its process if that is
// killed. Without names they are web1, web2, web3, proxy1, proxy2 and bastion.
// The test is skipped where that is impossible, unless TURNOUT_MUST_RUN has
// "netns".
func Start(t testing.TB, names ...string) *Fleet {
	t.Helper()
	if err := possible(); err != nil {
		if slices.Contains(strings.Split(os.Getenv("TURNOUT_MUST_RUN"), ","), "netns") {
			t.Fatalf("%v, and TURNOUT_MUST_RUN says that hosts must run", err)
		}
		t.Skipf("no hosts: %v", err)
	}
	script := script(t)
	life, end, err := os.Pipe() // no process but this one can write to it
	must(t, err)
	defer life.Close()

	start := exec.Command(script, append([]string{"start", "-attached"}, names...)...)
	start.Stdin = life
	dir, err := output(start)
	if err != nil {
		_ = end.Close()
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = end.Close()
		if _, err := output(exec.Command(script, "stop", filepath.Base(dir))); err != nil {
			t.Error(err)
		}
	})
	return read(t, dir)
}

// possible says why hosts can't be started here.
func possible() error {
	if os.Geteuid() != 0 {
		return errors.New("network namespaces need root")
	}
	for _, program := range []string{"bash", "ip", "unshare", "nsenter", "flock", "ssh-keygen", "/usr/sbin/sshd", "sudo"} {
		if _, err := exec.LookPath(program); err != nil {
			return err
		}
	}
	if out, err := exec.Command("unshare", "--net", "--mount", "--pid", "--fork", "true").CombinedOutput(); err != nil {
		return fmt.Errorf("%w: %s", err, bytes.TrimSpace(out))
	}
	return nil
}

// script is the path of hosts.sh in the project that the test belongs to.
func script(t testing.TB) string {
	t.Helper()
	dir, err := os.Getwd()
	must(t, err)
	for ; dir != "/"; dir = filepath.Dir(dir) {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return filepath.Join(dir, "internal", "hosttest", "hosts.sh")
		}
	}
	t.Fatal("no go.mod above the test's directory")
	return ""
}

// read learns from a fleet's directory what has been started.
func read(t testing.TB, dir string) *Fleet {
	t.Helper()
	f := &Fleet{
		Dir: dir, Key: text(t, dir, "key"), KnownHosts: text(t, dir, "known_hosts"),
		hosts: make(map[string]*Host), lan: number(t, dir, "lan/pid"),
	}
	paths, err := filepath.Glob(filepath.Join(dir, "*", "address"))
	must(t, err)
	for _, path := range paths {
		name := filepath.Base(filepath.Dir(path))
		f.hosts[name] = &Host{
			Name: name, User: "deploy", Address: strings.TrimSpace(text(t, path)),
			fleet: f, pid: number(t, dir, name, "pid"),
		}
	}
	return f
}

// Host returns a host by its name.
func (f *Fleet) Host(name string) *Host {
	h := f.hosts[name]
	if h == nil {
		panic("hosttest: no host " + name)
	}
	return h
}

// output runs a command and returns what it prints, without the last newline. An
// error has what it complained about.
func output(cmd *exec.Cmd) (string, error) {
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err := cmd.Run()
	if err != nil {
		err = fmt.Errorf("%s: %w: %s", strings.Join(cmd.Args, " "), err, bytes.TrimSpace(stderr.Bytes()))
	}
	return strings.TrimSuffix(stdout.String(), "\n"), err
}

func text(t testing.TB, elements ...string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(elements...))
	must(t, err)
	return string(text)
}

func number(t testing.TB, elements ...string) int {
	t.Helper()
	n, err := strconv.Atoi(strings.TrimSpace(text(t, elements...)))
	must(t, err)
	return n
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
