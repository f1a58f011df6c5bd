package rollout

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/org/deploy-action/internal/event"
	"github.com/org/deploy-action/internal/machine"
	"github.com/org/deploy-action/internal/protocol"
	"github.com/org/deploy-action/internal/proxy/proxytest"
	"github.com/org/deploy-action/internal/state"
)

// point is a moment of a deploy at which something dies.
type point struct {
	Call string // that changes something, such as "proxy.select commit on proxy1"
	When moment
}

type moment string

const (
	before    moment = "before"
	announced moment = "announced" // its entry is in the journal, and nothing else was done
	after     moment = "after"     // it was done, and nobody was told
)

// calls watches all that changes something, and strikes at one point.
type calls struct {
	at     point
	strike func(machine.Machine)

	mu    sync.Mutex
	seen  []string        // calls, in their order
	entry map[string]bool // those with an entry for the journal
	same  map[machine.Machine]*watched
	hit   bool
}

func watching(at point, strike func(machine.Machine)) *calls {
	return &calls{at: at, strike: strike, entry: make(map[string]bool), same: make(map[machine.Machine]*watched)}
}

// of is a machine whose calls are watched, the same one each time.
func (c *calls) of(m machine.Machine) machine.Machine {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.same[m] == nil {
		c.same[m] = &watched{m, c}
	}
	return c.same[m]
}

type watched struct {
	machine.Machine
	calls *calls
}

func (w *watched) Call(ctx context.Context, op string, request []byte, in io.Reader, out io.Writer) ([]byte, error) {
	name, guarded := strings.CutPrefix(op, "guarded ")
	if !guarded || !w.calls.reached(w.describe(name, request), request) {
		return w.Machine.Call(ctx, op, request, in, out)
	}
	switch w.calls.at.When {
	case announced:
		var o state.Order[state.Writing]
		must(json.Unmarshal(request, &o))
		o.Request, o.Entry = state.Writing{Dir: o.Dir, Entry: *o.Entry}, nil
		_, err := state.Guarded(state.Append).On(ctx, w.Machine, o)
		must(err)
	case after:
		if _, err := w.Machine.Call(ctx, op, request, in, out); err != nil {
			return nil, err
		}
		w.calls.strike(w.Machine)
		_, err := state.LockStatus.On(ctx, w.Machine, "/nowhere")
		return nil, err
	}
	w.calls.strike(w.Machine)
	return w.Machine.Call(ctx, op, request, in, out)
}

// describe names what a call does.
func (w *watched) describe(name string, request []byte) string {
	var o struct {
		Entry   *state.Entry
		Request json.RawMessage
	}
	var written struct{ Entry state.Entry }
	must(json.Unmarshal(request, &o))
	if o.Entry == nil && name == state.Append.Name {
		must(json.Unmarshal(o.Request, &written))
		o.Entry = &written.Entry
	}
	if o.Entry != nil {
		name += " " + string(o.Entry.Kind)
	}
	return name + " on " + w.Name()
}

// reached notes a call and reports whether it is the one to strike at. Of those that
// are alike, as a stop and a start are, the second is named so.
func (c *calls) reached(call string, request []byte) bool {
	var o struct{ Entry *state.Entry }
	must(json.Unmarshal(request, &o))
	c.mu.Lock()
	defer c.mu.Unlock()
	name := call
	for n := 2; slices.Contains(c.seen, call); n++ {
		call = fmt.Sprintf("%s, no. %d", name, n)
	}
	c.seen = append(c.seen, call)
	c.entry[call] = o.Entry != nil
	if c.hit || call != c.at.Call {
		return false
	}
	c.hit = true
	return true
}

func must(err error) {
	if err != nil {
		panic(err)
	}
}

// points are all there are in a deploy, found by looking at one.
func (f *farm) points() []point {
	f.t.Helper()
	c := f.watched(func() { f.deploy(testRelease{Version: "counted"}) })
	var all []point
	for _, call := range slices.Sorted(slices.Values(c.seen)) {
		all = append(all, point{call, before})
		if c.entry[call] {
			all = append(all, point{call, announced})
		}
		all = append(all, point{call, after})
	}
	return all
}

// watched looks at all that something changes.
func (f *farm) watched(do func()) *calls {
	c := watching(point{}, nil)
	f.crash = c
	do()
	f.crash = nil
	return c
}

// soaking is whether the long proofs are wanted.
func soaking() bool { return os.Getenv("TURNOUT_SOAK") != "" }

// sample leaves out all but some points, unless this is a soak.
func sample[P any](points []P, keep int) []P {
	if soaking() {
		return points
	}
	var kept []P
	for i := range keep {
		kept = append(kept, points[(2*i+1)*len(points)/(2*keep)])
	}
	return kept
}

// TestCrashes has the run, an agent, or the connection between them die before
// and after each thing that a deploy changes. Whatever dies: every proxy serves
// the old release or the new one, all the same one once it was settled, settling
// twice is settling once, the next deploy succeeds, and no request has failed.
func TestCrashes(t *testing.T) {
	t.Parallel()
	f := newFarm(t, "web1", "web2")
	f.deploy(testRelease{Version: "v0"})
	f.deploy(testRelease{Version: "v1"})
	points := f.points()
	t.Logf("%d points in a deploy", len(points))
	end := f.load(fresh, keepAlive)
	ends := make(map[string]int)
	old := "counted"
	for _, victim := range []struct {
		name string
		dies func(f *farm, at point, version string) event.Outcome
		keep int
	}{
		{"run", (*farm).killRun, 4},
		{"agent", (*farm).killAgentAt, 3},
		{"connection", (*farm).cutAt, 2},
	} {
		for i, at := range sample(points, victim.keep) {
			t.Run(fmt.Sprintf("%s %s %s", victim.name, at.When, at.Call), func(t *testing.T) {
				f.t = t
				version := fmt.Sprintf("%s-%d", victim.name, i)
				outcome := victim.dies(f, at, version)
				free(f)
				f.serveEither(old, version)
				came := f.settles(old, version)
				if outcome == event.Succeeded && came != version {
					t.Errorf("the run had reported %s as done, and now %s serves", version, came)
				}
				ends[fmt.Sprintf("%s: run %s, new release %v", victim.name, outcome, came == version)]++
				old = came
			})
		}
	}
	f.t = t
	f.deploy(testRelease{Version: "last"})
	f.serves("last")
	end()
	for _, text := range slices.Sorted(maps.Keys(ends)) {
		t.Logf("%3d %s", ends[text], text)
	}
}

// killRun has the run die in a process of its own. Its agents have ended when it
// returns.
func (f *farm) killRun(at point, version string) event.Outcome {
	f.t.Helper()
	f.kill(doomed{Environment: f.env, Release: writeRelease(f.t, testRelease{Version: version}), At: at})
	return "killed"
}

// killAgentAt has the agent die that the call is for.
func (f *farm) killAgentAt(at point, version string) event.Outcome {
	return f.struck(at, version, func(m machine.Machine) { f.killAgent(m.Name()) })
}

// cutAt has the connection to that agent close.
func (f *farm) cutAt(at point, version string) event.Outcome {
	return f.struck(at, version, func(m machine.Machine) {
		_ = m.Close()
		f.mu.Lock()
		defer f.mu.Unlock()
		_ = f.agents[m.Name()].Wait()
	})
}

func (f *farm) struck(at point, version string, strike func(machine.Machine)) event.Outcome {
	f.t.Helper()
	f.crash = watching(at, strike)
	result := f.run(f.request(writeRelease(f.t, testRelease{Version: version})))
	if !f.crash.hit {
		f.t.Errorf("the deploy never came to that point: %s: %s", result.Outcome, result.Reason)
	}
	f.crash = nil
	return result.Outcome
}

// free waits until nobody holds the lock: agents that are alone act before.
func free(f *farm) {
	f.t.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		locked, err := Lock(f.t.Context(), f.request(""))
		if err != nil {
			f.t.Fatal(err)
		}
		if !slices.ContainsFunc(locked.Hosts, func(h HostLocked) bool { return h.Held }) {
			return
		}
		<-tick.C
	}
}

// serveEither fails the test unless each proxy answers with one of the versions.
func (f *farm) serveEither(versions ...string) {
	f.t.Helper()
	for _, p := range f.env.Proxies {
		status, body, err := proxytest.Get("http://" + p.Servers[0].Address + "/")
		if err != nil || status != 200 || !slices.Contains(versions, body) {
			f.t.Errorf("%s answers %d %q %v, want one of %q", p.Servers[0].Name, status, body, err, versions)
		}
	}
}

// settles recovers twice and returns which version serves then.
func (f *farm) settles(versions ...string) string {
	f.t.Helper()
	if _, err := Recover(f.t.Context(), f.request("")); err != nil {
		f.t.Fatal(err)
	}
	_, came, _ := proxytest.Get("http://" + f.env.Proxies[0].Servers[0].Address + "/")
	if !slices.Contains(versions, came) {
		f.t.Errorf("%q serves, want one of %q", came, versions)
	}
	f.serves(came)
	if did, err := Recover(f.t.Context(), f.request("")); err != nil || did != "" {
		f.t.Errorf("a second recover did %q, %v", did, err)
	}
	f.sound()
	locked, err := Lock(f.t.Context(), f.request(""))
	if err != nil || len(locked.Hosts) != 4 || locked.Hosts[0].Server != "proxy1" {
		f.t.Fatalf("lock status: %+v, %v", locked, err)
	}
	for _, h := range locked.Hosts {
		if h.Held || h.Epoch != locked.Hosts[0].Epoch {
			f.t.Errorf("lock status: %+v", locked)
		}
	}
	return came
}

// TestSleepers stops a run past its lease, has another one deploy, and wakes the
// first: nothing that it writes is let in.
func TestSleepers(t *testing.T) {
	t.Parallel()
	f := newFarm(t, "web1", "web2")
	f.deploy(testRelease{Version: "v0"})
	f.deploy(testRelease{Version: "v1"})
	points := f.points()
	end := f.load(fresh, keepAlive)
	for i, at := range sample(points, 2) {
		t.Run(fmt.Sprintf("%s %s", at.When, at.Call), func(t *testing.T) {
			f.t = t
			asleep := f.sleeps(at, fmt.Sprintf("asleep-%d", i))
			free(f)
			f.deploy(testRelease{Version: fmt.Sprintf("another-%d", i)})
			said := asleep.wake()
			t.Log(said)
			if !strings.Contains(said, "has taken over in epoch") && !strings.Contains(said, "not killed: succeeded") {
				t.Error("nobody was told which run has taken over")
			}
			f.serves(fmt.Sprintf("another-%d", i))
			f.settles(fmt.Sprintf("another-%d", i))
		})
	}
	f.t = t
	f.cancelledWhileDeciding()
	f.overtaken()
	end()
}

// cancelledWhileDeciding cancels a run once it has begun to decide: it waits for
// the answers and follows them.
func (f *farm) cancelledWhileDeciding() {
	f.t.Helper()
	ctx, cancel := context.WithCancel(f.t.Context())
	defer cancel()
	f.hook = func(e event.Event) {
		if e.Kind == event.StepStarted && e.Step.Name == "record" {
			cancel()
		}
	}
	result := Run(ctx, f.request(writeRelease(f.t, testRelease{Version: "decided"})))
	f.hook = nil
	if result.Outcome != event.Succeeded || result.PutBack {
		f.t.Errorf("%s, put back %v: %s", result.Outcome, result.PutBack, result.Reason)
	}
	f.serves("decided")
	f.sound()
}

// overtaken has a run of an earlier epoch come back in new sessions: it is told who
// has taken over, and gets no lock.
func (f *farm) overtaken() {
	f.t.Helper()
	r := &rollout{Request: f.request(""), epoch: protocol.Epoch{Number: 1, Run: "asleep"}}
	var err error
	if r.fleet, err = open(f.t.Context(), r.Request); err != nil {
		f.t.Fatal(err)
	}
	for _, h := range r.fleet.hosts() {
		if err := r.relock(f.t.Context(), h, h.machine); h.overtaken == nil || !strings.Contains(fmt.Sprint(err), "has taken over in epoch") {
			f.t.Errorf("%s: %v", h.Name(), err)
		}
	}
	if text := r.whereabouts(); !strings.Contains(text, "proxy1 is in the hands of the other run") {
		f.t.Error(text)
	}
	if _, err := r.unwind(f.t.Context(), false, nil); err == nil {
		f.t.Error("an overtaken run takes something back")
	}
	free(f)
}

// sleeper is a run that was stopped.
type sleeper struct {
	t      *testing.T
	cmd    *exec.Cmd
	output *bytes.Buffer
}

// sleeps has a run stop at a point.
func (f *farm) sleeps(at point, version string) *sleeper {
	f.t.Helper()
	s := &sleeper{t: f.t, output: &bytes.Buffer{}}
	s.cmd = f.doomedProcess(doomed{Environment: f.env, Release: writeRelease(f.t, testRelease{Version: version}), At: at, Sleeps: true})
	s.cmd.Stdout, s.cmd.Stderr = s.output, s.output
	if err := s.cmd.Start(); err != nil {
		f.t.Fatal(err)
	}
	var status syscall.WaitStatus
	if _, err := syscall.Wait4(s.cmd.Process.Pid, &status, syscall.WUNTRACED, nil); err != nil || !status.Stopped() {
		f.t.Fatalf("the run was not stopped at %v: %v, %v", at, status, err)
	}
	return s
}

// wake lets the run go on, to its end, and returns what it said.
func (s *sleeper) wake() string {
	s.t.Helper()
	if err := s.cmd.Process.Signal(syscall.SIGCONT); err != nil {
		s.t.Fatal(err)
	}
	_ = s.cmd.Wait() // it exits with 1, as it is not killed
	return s.output.String()
}
