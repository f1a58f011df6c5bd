package rollout

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/org/deploy-action/internal/event"
	"github.com/org/deploy-action/internal/hosttest"
	"github.com/org/deploy-action/internal/machine"
	"github.com/org/deploy-action/internal/proxy"
	"github.com/org/deploy-action/internal/proxy/proxytest"
	"github.com/org/deploy-action/internal/spec"
	"github.com/org/deploy-action/internal/ssh"
	"github.com/org/deploy-action/internal/state"
)

// cutLease is that of agents behind sshd here.
const cutLease = 3 * time.Second

// backAfter is how long after the cut a proxy may serve what nobody decided for: two
// seconds after the lease, which a machine that is busy with other tests can't promise.
func backAfter() time.Duration {
	if os.Getenv("TURNOUT_SOAK") == "" {
		return cutLease + 20*time.Second
	}
	return cutLease + 2*time.Second
}

// overSSH has the runs of this process reach the hosts through their sshds.
func (f *farm) overSSH() {
	for _, server := range f.env.Servers {
		f.throughSSHD(server)
	}
	for _, p := range f.env.Proxies {
		f.throughSSHD(p.Servers[0])
	}
	f.dialer = ssh.New(ssh.Options{Version: "test"})
	f.t.Cleanup(func() { _ = f.dialer.Close() })
}

func (f *farm) throughSSHD(server *spec.Server) {
	h := f.hosts.Host(string(server.Name))
	h.WriteFile(f.t, "/srv/agent", fmt.Sprintf("#!/bin/sh\nROLLOUT_TEST_ROLE=agent ROLLOUT_TEST_LEASE=%s GORACE=atexit_sleep_ms=0 exec %s\n", cutLease, program), 0o755)
	server.SSH = h.Spec().SSH
	server.SSH.Agent, server.SSH.Become, server.SSH.ConnectTimeout = "/srv/agent", true, 5*time.Second
}

// cut is what comes between a run and one of its hosts.
type cut struct {
	name        string
	happen, end func(*hosttest.Host, testing.TB)
	at          point
	stays       bool // the host had been told to stay with the new release
}

func killSSHD(h *hosttest.Host, t testing.TB) {
	h.Exec(t, "pkill -KILL '^sshd' && rm /run/sshd.pid")
}

// cuts are those of a proxy's host.
func cuts(host string) []cut {
	down, up := (*hosttest.Host).LinkDown, (*hosttest.Host).LinkUp
	commit, decided := "proxy.select commit on "+host, "state.append decided on "+host
	all := []cut{
		{"sshd killed after commit", killSSHD, (*hosttest.Host).StartSSHD, point{commit, after}, false},
		{"link down before commit", down, up, point{commit, before}, false},
		{"link down after commit", down, up, point{commit, after}, false},
		{"link down, decided lost", down, up, point{decided, before}, false},
		{"link down, its answer lost", down, up, point{decided, after}, true},
	}
	if os.Getenv("TURNOUT_SOAK") == "" {
		return all[:1]
	}
	return all
}

// TestCutOff cuts a proxy's host off in the middle of a deploy, from the run and, where
// the link goes down, from everybody. Its agent puts it back by itself; clients of the
// other proxy see nothing; once it is reached again, recover and a deploy do what they do.
func TestCutOff(t *testing.T) {
	t.Parallel()
	f := newFarm(t, "web1", "web2")
	f.overSSH()
	f.deploy(testRelease{Version: "v0"})
	f.deploy(testRelease{Version: "old"})
	ends := make(map[string]int)
	for i, host := range []string{"proxy1", "proxy2"} {
		for _, c := range cuts(host) {
			t.Run(host+" "+c.name, func(t *testing.T) {
				f.t = t
				end := f.loadOn(f.env.Proxies[1-i:2-i], fresh, keepAlive)
				result, came := f.isCut(c, host)
				end()
				ends[fmt.Sprintf("%s, %s: run %s, %s serves", host, c.name, result.Outcome, came)]++
				f.deploy(testRelease{Version: "old"})
			})
		}
	}
	f.t = t
	for _, text := range slices.Sorted(maps.Keys(ends)) {
		t.Logf("%d %s", ends[text], text)
	}
}

// isCut deploys while a host is cut off, and settles once it is not any more.
func (f *farm) isCut(c cut, host string) (event.Switch, string) {
	f.t.Helper()
	watch := f.beside(host)
	from := f.sound().Serving
	looked := make(chan error, 1)
	f.crash = watching(c.at, func(machine.Machine) {
		c.happen(f.hosts.Host(host), f.t)
		cutAt := time.Now()
		go func() { looked <- watch.settlesAlone(from, c.stays, cutAt) }()
	})
	result := f.run(f.request(writeRelease(f.t, testRelease{Version: "new"})))
	f.crash = nil
	f.otherIsBack(result, host)
	if result.Outcome == event.Succeeded || !strings.Contains(result.Reason, host+": connection lost") {
		f.t.Errorf("%s: this does not say that the connection to %s was lost: %s", result.Outcome, host, result.Reason)
	}
	if err := <-looked; err != nil {
		f.t.Error(err)
	}
	c.end(f.hosts.Host(host), f.t)
	for _, p := range f.env.Proxies { // a HAProxy looks for its servers once a second
		proxytest.Await(f.t, func() error {
			status, _, err := proxytest.Get("http://" + p.Servers[0].Address + "/")
			if err == nil && status != 200 {
				err = fmt.Errorf("status %d", status)
			}
			return err
		})
	}
	f.serveEither("old", "new")
	return result, f.settles("old", "new")
}

// otherIsBack wants the proxy that was not cut off to be back.
func (f *farm) otherIsBack(result event.Switch, host string) {
	for _, p := range f.env.Proxies {
		if string(p.Servers[0].Name) == host {
			continue
		}
		if _, body, err := proxytest.Get("http://" + p.Servers[0].Address + "/"); err != nil || body != "old" {
			f.t.Errorf("%s serves %q, %v: %s", p.Servers[0].Name, body, err, result.Reason)
		}
	}
}

// witness looks at a host without its network.
type witness struct {
	f       *farm
	machine machine.Machine
	site    proxy.Site
}

func (f *farm) beside(host string) *witness {
	f.t.Helper()
	m, cmd, err := dialAgent(f.t.Context(), host, f.entry(host))
	if err != nil {
		f.t.Fatal(err)
	}
	f.t.Cleanup(func() { _ = m.Close(); _ = cmd.Wait() })
	fleet, err := open(f.t.Context(), f.request(""))
	if err != nil {
		f.t.Fatal(err)
	}
	for _, e := range fleet.edges {
		if e.Name() == host {
			return &witness{f, m, e.site}
		}
	}
	panic(host + " has no proxy")
}

// settlesAlone waits until the lock is free and the proxy serves what it should.
func (w *witness) settlesAlone(from string, stays bool, cutAt time.Time) error {
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		grant, err := state.LockStatus.On(w.f.t.Context(), w.machine, string(w.site.StateDir))
		live, errLive := proxy.Inspect.On(w.f.t.Context(), w.machine, w.site)
		if err := errors.Join(err, errLive); err != nil {
			return err
		}
		right := live.Running != nil && (string(live.Running.Slot) == from) != stays
		if right && !grant.Held {
			return nil
		}
		if took := time.Since(cutAt); took > backAfter() {
			return fmt.Errorf("%s after the cut: held %v, it serves %+v", took, grant.Held, live.Running)
		}
		<-tick.C
	}
}
