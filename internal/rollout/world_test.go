package rollout

import (
	"context"
	"fmt"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/org/deploy-action/internal/elb/client"
	"github.com/org/deploy-action/internal/event"
	"github.com/org/deploy-action/internal/machine"
	"github.com/org/deploy-action/internal/proxy"
	"github.com/org/deploy-action/internal/proxy/proxytest"
	"github.com/org/deploy-action/internal/spec"
	"github.com/org/deploy-action/internal/value"
)

// world is a real proxy, and an environment behind it that is not deployed yet.
type world struct {
	t     *testing.T
	proxy *proxytest.Proxy
	env   *spec.Environment

	mu     sync.Mutex
	events []event.Event
	hook   func(event.Event) // sees each event before it is kept
}

func newWorld(t *testing.T, kind proxy.Kind) *world {
	t.Helper()
	w := &world{t: t, proxy: proxytest.Start(t, kind)}
	w.env = testEnvironment(t, w.proxy, proxytest.FreePort(t), proxytest.FreePort(t))
	t.Cleanup(w.stopApps)
	return w
}

// testEnvironment is an environment of the test application behind p.
func testEnvironment(t *testing.T, p *proxytest.Proxy, blue, green value.Port) *spec.Environment {
	server := &spec.Server{Name: "local", Connection: spec.Local, Address: "127.0.0.1"}
	root := value.Path(filepath.Join(p.Dir, "root"))
	env := &spec.Environment{
		Name: "shop", Servers: []*spec.Server{server}, Root: root, StateDir: p.Site.StateDir, KeepReleases: 3,
		Health: spec.Health{
			HTTP: &spec.HTTPCheck{Path: "/healthz"}, Interval: 20 * time.Millisecond, Timeout: 10 * time.Second,
			HealthyAfter: 2, Deadline: time.Minute,
		},
		Proxies: []*spec.Proxy{{
			Kind: spec.ProxyKind(p.Site.Kind), Servers: []*spec.Server{server}, Listen: p.Site.Listen, Config: p.Site.Config,
			Main: p.Site.Main, Socket: p.Site.Socket, ErrorLog: p.Site.ErrorLog, Check: p.Site.Check, Reload: p.Site.Reload,
		}},
		Drain: 3 * time.Second, Watch: 300 * time.Millisecond, Probe: 50, KeepPrevious: spec.Warm,
		LockTimeout: time.Minute, StartTimeout: time.Minute,
	}
	for name, port := range map[value.Name]value.Port{"blue": blue, "green": green} {
		pid := fmt.Sprintf("%s/%s.pid", p.Dir, name)
		// One that is dead and that nobody has waited for yet has no program any more.
		stop := fmt.Sprintf(`if [ -s %[1]s ]; then pid=$(cat %[1]s); kill $pid 2>/dev/null; while [ -e /proc/$pid/exe ]; do sleep 0.01; done; rm -f %[1]s; fi`, pid)
		slot := &spec.Slot{Name: name, Port: port, Stop: stop}
		slot.Start = stop + fmt.Sprintf(`; GORACE=atexit_sleep_ms=0 ROLLOUT_TEST_RELEASE=$(cat "$TURNOUT_PATH/release.json") ROLLOUT_TEST_ROLE=app setsid %s & echo $! >%s`, plain(t), pid)
		env.Slots = append(env.Slots, slot)
	}
	if env.Slots[0].Name != "blue" {
		env.Slots[0], env.Slots[1] = env.Slots[1], env.Slots[0]
	}
	return env
}

func (w *world) stopApps() {
	m := here()
	defer m.Close()
	for _, slot := range w.env.Slots {
		_, _ = machine.Run.On(context.Background(), m, machine.Command{Shell: slot.Stop, Timeout: time.Minute})
	}
}

// request is a deploy of a release, or a rollback without one, in a session of
// its own.
func (w *world) request(release string) Request {
	m := here()
	w.t.Cleanup(func() { _ = m.Close() })
	return Request{
		Environment: w.env, Release: release, Rollback: release == "",
		Run:      Identity{ID: "run-" + filepath.Base(w.t.Name()), Command: "deploy", Actor: "alice"},
		Machines: func(context.Context, *spec.Server) (machine.Machine, error) { return m, nil },
		Emit:     w.emit,
	}
}

func (w *world) emit(e event.Event) {
	if w.hook != nil {
		w.hook(e)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.events = append(w.events, e)
}

// deploy must succeed.
func (w *world) deploy(r testRelease) event.Switch {
	w.t.Helper()
	return w.mustSwitch(w.request(writeRelease(w.t, r)))
}

func (w *world) mustSwitch(request Request) event.Switch {
	w.t.Helper()
	result := Run(context.Background(), request)
	if result.Outcome != event.Succeeded {
		w.t.Fatalf("%s: %s", result.Outcome, result.Reason)
	}
	return result
}

// serves fails the test unless the proxy answers with that version.
func (w *world) serves(version string) {
	w.t.Helper()
	status, body, err := w.proxy.Get("/")
	if err != nil || status != 200 || body != version {
		w.t.Fatalf("the proxy answers %d %q %v, want 200 %q", status, body, err, version)
	}
}

// status must be readable.
func (w *world) status() *Status {
	w.t.Helper()
	status, err := Inspect(context.Background(), w.request(""))
	if err != nil {
		w.t.Fatal(err)
	}
	return status
}

// eachProxy runs a test for nginx and for HAProxy.
func eachProxy(t *testing.T, test func(*testing.T, *world)) {
	t.Parallel()
	for _, kind := range []proxy.Kind{proxy.NGINX, proxy.HAProxy} {
		t.Run(string(kind), func(t *testing.T) {
			t.Parallel()
			test(t, newWorld(t, kind))
		})
	}
}

// here is this machine, as the command line has it: it calls AWS.
func here() *machine.Local {
	m := machine.NewLocal("local")
	proxy.Balancing(m.Session(), client.Connect)
	return m
}
