package main

import (
	"context"
	"crypto/rand"
	"fmt"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/org/deploy-action/internal/hosttest"
	"github.com/org/deploy-action/internal/loadtest"
	"github.com/org/deploy-action/internal/proxy/proxytest"
	"github.com/org/deploy-action/internal/value"
)

// serviceScript starts and stops a slot on a host, as systemctl would.
const serviceScript = `#!/bin/sh
pid=/run/shop-$2.pid
if [ -s $pid ]; then
    kill $(cat $pid)
    while [ -e /proc/$(cat $pid)/exe ]; do sleep 0.01; done
    rm $pid
fi
[ $1 = stop ] || { setsid shop & echo $! >$pid; }
`

// fleet is the example of the documents on real hosts: three servers and two
// proxies behind a jump host. The servers can be reached through it only.
type fleet struct {
	*site
	hosts *hosttest.Fleet
}

func newFleet(t *testing.T) *fleet {
	t.Helper()
	proxytest.Need(t, "nginx")
	proxytest.Need(t, "haproxy")
	f := &fleet{site: &site{t: t, dir: t.TempDir()}, hosts: hosttest.Start(t)}
	f.env = []string{
		"TURNOUT_VAR_network=" + strings.TrimSuffix(f.hosts.Host("web1").Address, ".10"),
		"SSH_PRIVATE_KEY=" + f.hosts.Key, "SSH_KNOWN_HOSTS=" + f.hosts.KnownHosts,
	}
	// The agent is on the hosts already: a test binary is large, and its upload is
	// tested elsewhere.
	spec := f.read("../../examples/fleet/deploy.hcl")
	f.write("deploy.hcl", strings.Replace(spec, "become      = true", "agent       = \"/usr/local/bin/turnout\"\n  become      = true", 1))
	binary := f.read(os.Args[0])
	for _, name := range machines {
		f.hosts.Host(name).WriteFile(t, "/usr/local/bin/turnout", binary, 0o755)
	}
	for _, name := range []string{"web1", "web2", "web3"} {
		h := f.hosts.Host(name)
		h.WriteFile(t, "/usr/local/bin/service", serviceScript, 0o755)
		h.Exec(t, "ln /usr/local/bin/turnout /usr/local/bin/shop")
		h.Private(t)
	}
	f.hosts.Host("proxy1").StartNGINX(t)
	f.hosts.Host("proxy2").StartHAProxy(t)
	return f
}

// machines are the hosts of the example that turnout works on.
var machines = []string{"web1", "web2", "web3", "proxy1", "proxy2"}

func (f *fleet) read(path string) string {
	f.t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		f.t.Fatal(err)
	}
	return string(text)
}

// serve fails the test unless both proxies answer with that version, from
// whatever server.
func (f *fleet) serve(version string) {
	f.t.Helper()
	for _, name := range []string{"proxy1", "proxy2"} {
		for range 6 {
			if status, body, err := proxytest.Get("http://" + f.hosts.Host(name).Address + "/"); err != nil || status != 200 || body != version {
				f.t.Fatalf("%s answers %d %q %v, want %q", name, status, body, err, version)
			}
		}
	}
}

// load is clients at work on both proxies until the test says that none may have
// failed.
func (f *fleet) load() (end func()) {
	var all []*loadtest.Load
	for _, name := range []string{"proxy1", "proxy2"} {
		address := value.Address(f.hosts.Host(name).Address + ":80")
		all = append(all, loadtest.Start(context.Background(), address, "shop", loadtest.Fresh(1, 20*time.Millisecond), loadtest.KeepAlive(1, 20*time.Millisecond)))
	}
	return func() {
		f.t.Helper()
		for _, l := range all {
			seen := l.Stop()
			if failed := seen.Failed(); len(failed) > 0 || len(seen) == 0 {
				f.t.Errorf("%d of %d requests failed: %+v", len(failed), len(seen), failed[:min(1, len(failed))])
			}
		}
	}
}

// says fails the test unless output has all of these words.
func (f *fleet) says(output string, words ...string) {
	f.t.Helper()
	for _, word := range words {
		if !strings.Contains(output, word) {
			f.t.Errorf("nothing about %q in:\n%s", word, output)
		}
	}
}

// TestFleetThroughAJumpHost deploys the example to three servers behind two
// proxies, with clients at work from the first release to the last.
func TestFleetThroughAJumpHost(t *testing.T) {
	t.Parallel()
	f := newFleet(t)
	f.run(0, "run", "-var", "release="+f.release("v1"))
	f.serve("v1")
	end := f.load()

	f.says(f.run(0, "plan", "-var", "release="+f.release("v2")),
		"servers  web1, web2, web3", "proxies  nginx on proxy1, haproxy on proxy2", "can't switch in the same instant", "no reload")
	f.says(f.run(0, "run", "-var", "release=v2"), "on 3 servers", "2 proxies moved within")
	f.serve("v2")
	f.run(0, "rollback")
	f.serve("v1")
	f.says(f.run(1, "run", "-var", "release="+f.release("broken")), "green is not healthy", `the body does not match ^v[0-9]+$: "broken"`)
	f.serve("v1")
	f.cutOff()
	f.killed()
	f.run(0, "run", "-var", "release="+f.release("v5"))
	f.serve("v5")
	end()
	f.says(f.run(0, "status"), "proxy        proxy1", "proxy        proxy2", "server       web3")
	f.says(f.run(0, "history"), "interrupted", "succeeded", "failed")
}

// cutOff takes the network from a server in the middle of an upload: nothing is
// switched, and the server is named.
func (f *fleet) cutOff() {
	f.t.Helper()
	web2, bastion := f.hosts.Host("web2"), f.hosts.Host("bastion")
	big := make([]byte, 8<<20)
	_, _ = rand.Read(big)
	f.release("v3")
	f.write("v3/big", string(big))
	cmd := f.turnout("run", "-var", "release=v3")
	said := f.until(cmd, "survey", func() { web2.Exec(f.t, "ip route add blackhole "+bastion.Address) })
	if code := cmd.ProcessState.ExitCode(); code != 1 {
		f.t.Errorf("exit code %d\n%s", code, said)
	}
	f.says(said, "ship", "web2: connection lost", "not moved, blue")
	f.serve("v1")
	web2.Exec(f.t, "ip route del blackhole "+bastion.Address)
}

// killed ends a run with SIGKILL once traffic has moved: nothing of it stays on
// any server, and recover moves it back.
func (f *fleet) killed() {
	f.t.Helper()
	code, _, said := f.signalled("commit", syscall.SIGKILL, "run", "-var", "release="+f.release("v4"))
	if code != -1 {
		f.t.Fatalf("exit code %d\n%s", code, said)
	}
	for _, name := range machines {
		proxytest.Await(f.t, func() error { return f.noAgent(name) })
	}
	f.says(f.run(0, "recover"), "traffic is back on blue")
	f.serve("v1")
}

// noAgent is an error while an agent runs on a host, or anything that it started
// but the application.
func (f *fleet) noAgent(host string) error {
	if f.hosts.Host(host).Runs(f.t, `agent-[0-9a-f]+ agent|service (re)?start`) {
		return fmt.Errorf("something of the killed run is left on %s", host)
	}
	return nil
}
