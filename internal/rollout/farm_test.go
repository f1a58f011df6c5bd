package rollout

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/org/deploy-action/internal/event"
	"github.com/org/deploy-action/internal/hosttest"
	"github.com/org/deploy-action/internal/loadtest"
	"github.com/org/deploy-action/internal/machine"
	"github.com/org/deploy-action/internal/operations"
	"github.com/org/deploy-action/internal/proxy"
	"github.com/org/deploy-action/internal/proxy/proxytest"
	"github.com/org/deploy-action/internal/spec"
	"github.com/org/deploy-action/internal/ssh"
	"github.com/org/deploy-action/internal/state"
	"github.com/org/deploy-action/internal/value"
)

// farm is an environment on hosts of their own: two servers behind an nginx and a
// HAProxy, each reached through an agent on it.
type farm struct {
	t     *testing.T
	hosts *hosttest.Fleet
	env   *spec.Environment

	mu     sync.Mutex
	open   map[string]machine.Machine
	agents map[string]*exec.Cmd
	away   map[string]bool // hosts that no agent can be started on
	dialer *ssh.Dialer     // reaches them over the network; nil: nothing can come between
	crash  *calls          // what is done to the deploys of this process; nil: nothing
	hook   func(event.Event)
	notes  []string
}

// program is where the test binary lies on the hosts: it is agent and application
// there.
const program = "/srv/program"

func newFarm(t *testing.T, servers ...string) *farm {
	t.Helper()
	return newFarmOn(t, func(*farm) {}, servers...)
}

// newFarmOn is newFarm on hosts that something is done to first.
func newFarmOn(t *testing.T, prepare func(*farm), servers ...string) *farm {
	t.Helper()
	proxytest.Need(t, "nginx")
	proxytest.Need(t, "haproxy")
	f := &farm{t: t, open: make(map[string]machine.Machine), agents: make(map[string]*exec.Cmd), away: make(map[string]bool)}
	t.Cleanup(func() {
		for _, m := range f.open {
			_ = m.Close()
		}
	})
	f.hosts = hosttest.Start(t, append(servers, "proxy1", "proxy2")...)
	for _, name := range append(servers, "proxy1", "proxy2") {
		f.install(name)
	}
	prepare(f)
	f.hosts.Host("proxy1").StartNGINX(t)
	f.hosts.Host("proxy2").StartHAProxy(t)
	f.env = f.environment(servers)
	return f
}

func (f *farm) install(host string) {
	f.t.Helper()
	binary, err := os.Open(plain(f.t))
	if err != nil {
		f.t.Fatal(err)
	}
	defer binary.Close()
	cmd := f.hosts.Host(host).Command("sh", "-c", "cat >"+program+" && chmod 755 "+program)
	cmd.Stdin = binary
	if out, err := cmd.CombinedOutput(); err != nil {
		f.t.Fatalf("%v: %s", err, out)
	}
}

func (f *farm) server(name string) *spec.Server {
	h := f.hosts.Host(name)
	return &spec.Server{Name: value.Name(name), Connection: spec.SSH, Host: h.Address, Address: h.Address}
}

func (f *farm) environment(servers []string) *spec.Environment {
	env := &spec.Environment{
		Name: "shop", Root: "/srv/shop", StateDir: "/var/lib/turnout/shop", KeepReleases: 3,
		Health: spec.Health{
			HTTP: &spec.HTTPCheck{Path: "/healthz"}, Interval: 20 * time.Millisecond, Timeout: 10 * time.Second,
			HealthyAfter: 2, Deadline: time.Minute,
		},
		Proxies: []*spec.Proxy{{
			Kind: spec.NGINX, Servers: []*spec.Server{f.server("proxy1")}, Listen: value.Listen{Port: 80},
			Config: "/etc/nginx/conf.d/shop.conf", Main: "/etc/nginx/nginx.conf", ErrorLog: "/var/log/nginx/error.log",
		}, {
			Kind: spec.HAProxy, Servers: []*spec.Server{f.server("proxy2")}, Listen: value.Listen{Port: 80},
			Config: "/etc/haproxy/conf.d/shop.cfg", Main: "/etc/haproxy/haproxy.cfg", Socket: "/run/haproxy/admin.sock",
			Reload: hosttest.HAProxyReload,
		}},
		Drain: 100 * time.Millisecond, Watch: 200 * time.Millisecond, Probe: 50, KeepPrevious: spec.Warm,
		LockTimeout: time.Minute, StartTimeout: time.Minute,
	}
	for _, name := range servers {
		env.Servers = append(env.Servers, f.server(name))
	}
	for i, name := range []value.Name{"blue", "green"} {
		pid := fmt.Sprintf("/run/%s.pid", name)
		stop := fmt.Sprintf(`if [ -s %[1]s ]; then pid=$(cat %[1]s); kill $pid 2>/dev/null; while [ -e /proc/$pid/exe ]; do sleep 0.01; done; rm -f %[1]s; fi`, pid)
		start := stop + fmt.Sprintf(`; GORACE=atexit_sleep_ms=0 ROLLOUT_TEST_RELEASE=$(cat "$TURNOUT_PATH/release.json") ROLLOUT_TEST_ROLE=app setsid %s & echo $! >%s`, program, pid)
		env.Slots = append(env.Slots, &spec.Slot{Name: name, Port: value.Port(8081 + i), Start: start, Stop: stop})
	}
	return env
}

// entry is how a process is started on a host, in words that another process can
// be told.
func (f *farm) entry(host string) []string { return f.hosts.Host(host).Command("env").Args }

// get opens the session with a server, and anew when its agent has gone.
func (f *farm) get(ctx context.Context, server *spec.Server) (machine.Machine, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	name := string(server.Name)
	if f.away[name] {
		return nil, fmt.Errorf("%s: unreachable: no route to host", name)
	}
	if f.dialer != nil {
		m, err := f.dialer.Machine(ctx, server)
		if err == nil && f.crash != nil {
			m = f.crash.of(m)
		}
		return m, err
	}
	m := f.open[name]
	if m == nil || f.agents[name].ProcessState != nil {
		var cmd *exec.Cmd
		var err error
		if m, cmd, err = dialAgent(ctx, name, f.entry(name)); err != nil {
			return nil, err
		}
		f.open[name], f.agents[name] = m, cmd
	}
	if f.crash != nil {
		return f.crash.of(m), nil
	}
	return m, nil
}

// dialAgent starts an agent on a host.
func dialAgent(ctx context.Context, name string, entry []string) (machine.Machine, *exec.Cmd, error) {
	cmd := exec.Command(entry[0], append(entry[1:], "ROLLOUT_TEST_ROLE=agent", "GORACE=atexit_sleep_ms=0", program)...)
	cmd.Stderr = os.Stderr
	in, errIn := cmd.StdinPipe()
	out, errOut := cmd.StdoutPipe()
	if err := errors.Join(errIn, errOut, cmd.Start()); err != nil {
		return nil, nil, err
	}
	m, err := machine.Dial(ctx, name, out, in)
	return m, cmd, err
}

// killAgent ends the agent on a host with SIGKILL and waits until it is gone.
func (f *farm) killAgent(host string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	_, err := machine.Run.On(f.t.Context(), f.open[host], machine.Command{Shell: "kill -KILL $PPID"})
	if !errors.Is(err, machine.ErrLost) {
		f.t.Errorf("the agent on %s outlived its end: %v", host, err)
	}
	_ = f.agents[host].Wait()
}

// byHand are what a test does to a host without asking for the lock.
var byHand = []machine.Handler{
	machine.Handle(proxy.Select), machine.Handle(state.Append), machine.Handle(state.Record), machine.Handle(state.Finish),
}

// serveAgent is the process of an agent.
func serveAgent() {
	lease, err := time.ParseDuration(or(os.Getenv("ROLLOUT_TEST_LEASE"), machine.DefaultLease.String()))
	if err == nil {
		err = machine.Agent{Version: "test", Lease: lease, Handlers: append(operations.All(), byHand...), Session: here().Session()}.Serve(context.Background(), os.Stdin, os.Stdout)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// request is a deploy of a release, or a rollback without one.
func (f *farm) request(release string) Request {
	return Request{
		Environment: f.env, Release: release, Rollback: release == "",
		Run: Identity{ID: fmt.Sprintf("run-%d", time.Now().UnixNano()), Command: "deploy"}, Machines: f.get, Emit: f.emit,
	}
}

func (f *farm) emit(e event.Event) {
	if f.hook != nil {
		f.hook(e)
	}
	if e.Note != nil {
		f.mu.Lock()
		f.notes = append(f.notes, e.Note.Text)
		f.mu.Unlock()
	}
}

// told reports whether anyone was told something, and forgets it.
func (f *farm) told(text string) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	said := strings.Contains(strings.Join(f.notes, "\n"), text)
	f.notes = nil
	return said
}

func (f *farm) run(request Request) event.Switch { return Run(f.t.Context(), request) }

func (f *farm) deploy(r testRelease) event.Switch {
	f.t.Helper()
	return f.must(f.run(f.request(writeRelease(f.t, r))))
}

func (f *farm) must(result event.Switch) event.Switch {
	f.t.Helper()
	if result.Outcome != event.Succeeded {
		f.t.Fatalf("%s: %s", result.Outcome, result.Reason)
	}
	return result
}

// serves fails the test unless every proxy answers with that version, from every
// server.
func (f *farm) serves(version string) {
	f.t.Helper()
	for _, p := range f.env.Proxies {
		for range 2 * len(f.env.Servers) {
			status, body, err := proxytest.Get("http://" + p.Servers[0].Address + "/")
			if err != nil || status != 200 || body != version {
				f.t.Fatalf("%s answers %d %q %v, want 200 %q", p.Servers[0].Name, status, body, err, version)
			}
		}
	}
}

// sound is the status, which must be readable and find nothing wrong.
func (f *farm) sound() *Status {
	f.t.Helper()
	status, err := Inspect(f.t.Context(), f.request(""))
	if err != nil {
		f.t.Fatal(err)
	}
	if len(status.Drift) > 0 || status.Unsettled != "" || len(status.Unreached) > 0 || status.Holder != nil {
		f.t.Errorf("status: %+v", status)
	}
	return status
}

// load is clients at work on every proxy. Where configurations change, clients
// must not keep connections: nginx closes them when it reloads.
func (f *farm) load(kinds ...loadtest.Kind) (stop func()) { return f.loadOn(f.env.Proxies, kinds...) }

func (f *farm) loadOn(proxies []*spec.Proxy, kinds ...loadtest.Kind) (stop func()) {
	var all []*loadtest.Load
	for _, p := range proxies {
		address := value.Address(p.Servers[0].Address + ":80")
		all = append(all, loadtest.Start(context.Background(), address, "shop", kinds...))
	}
	stopAll := func() loadtest.Record {
		var seen loadtest.Record
		for _, l := range all {
			seen = append(seen, l.Stop()...)
		}
		return seen
	}
	f.t.Cleanup(func() { stopAll() })
	return func() {
		f.t.Helper()
		seen := stopAll()
		if len(seen) == 0 {
			f.t.Error("nobody has asked anything")
		}
		if failed := seen.Failed(); len(failed) > 0 {
			f.t.Errorf("%d of %d requests failed, the first: %+v", len(failed), len(seen), failed[0])
		}
		f.t.Logf("%d requests, %d failed", len(seen), len(seen.Failed()))
	}
}

var (
	fresh     = loadtest.Fresh(1, pause())
	keepAlive = loadtest.KeepAlive(1, pause())
)

// pause is between two requests of a client. The shorter it is, the more of the tests'
// CPU is the clients': in a soak they have it.
func pause() time.Duration {
	if soaking() {
		return 10 * time.Millisecond
	}
	return 25 * time.Millisecond
}

// doomedOnHosts is a run in a process of its own, with agents on hosts.
type doomedOnHosts struct {
	doomed
	Entries map[string][]string
}

// runAndDieOnHosts is the process of a doomed run.
func runAndDieOnHosts() {
	var d doomedOnHosts
	data, err := io.ReadAll(os.Stdin)
	if err == nil {
		err = json.Unmarshal(data, &d)
	}
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	struck := watching(d.At, func(machine.Machine) { d.strike() })
	var mu sync.Mutex
	open := make(map[string]machine.Machine)
	d.run(func(ctx context.Context, server *spec.Server) (machine.Machine, error) {
		mu.Lock()
		defer mu.Unlock()
		name := string(server.Name)
		if m, _ := open[name].(*machine.Remote); m != nil && !m.Lost() {
			return struck.of(m), nil
		}
		m, _, err := dialAgent(ctx, name, d.Entries[name])
		if err != nil {
			return nil, err
		}
		open[name] = m
		return struck.of(m), nil
	})
}

// strike kills this process, or stops it and returns when it is woken.
func (d doomed) strike() {
	if !d.Sleeps {
		must(syscall.Kill(os.Getpid(), syscall.SIGKILL))
		select {}
	}
	woken := make(chan os.Signal, 1)
	signal.Notify(woken, syscall.SIGCONT)
	must(syscall.Kill(os.Getpid(), syscall.SIGSTOP))
	<-woken
}

// kill runs a deploy that is killed at a point.
func (f *farm) kill(d doomed) {
	f.t.Helper()
	mustBeKilled(f.t, f.doomedProcess(d), d)
}

// doomedProcess is a run in a process of its own.
func (f *farm) doomedProcess(d doomed) *exec.Cmd {
	f.t.Helper()
	on := doomedOnHosts{doomed: d, Entries: make(map[string][]string)}
	for _, server := range append(append([]*spec.Server(nil), f.env.Servers...), f.env.Proxies[0].Servers[0], f.env.Proxies[1].Servers[0]) {
		entry := f.entry(string(server.Name))
		if d.Sleeps {
			entry = append(entry, "ROLLOUT_TEST_LEASE=5s")
		}
		on.Entries[string(server.Name)] = entry
	}
	text, err := json.Marshal(on)
	if err != nil {
		f.t.Fatal(err)
	}
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), "ROLLOUT_TEST_ROLE=run on hosts", "GORACE=atexit_sleep_ms=0")
	cmd.Stdin = bytes.NewReader(text)
	return cmd
}
