package rollout

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/org/deploy-action/internal/event"
	"github.com/org/deploy-action/internal/protocol"
	"github.com/org/deploy-action/internal/proxy"
	"github.com/org/deploy-action/internal/spec"
	"github.com/org/deploy-action/internal/state"
	"github.com/org/deploy-action/internal/value"
)

// TestKilledOnHosts kills a run on two servers and two proxies. What it left is
// settled the same way everywhere: finished on every proxy where any of them knows
// that it was decided, else taken back on every one.
func TestKilledOnHosts(t *testing.T) {
	t.Parallel()
	f := newFarm(t, "web1", "web2")
	f.deploy(testRelease{Version: "v0"})
	f.deploy(testRelease{Version: "v1"})
	end := f.load(fresh, keepAlive)
	serving := "v1"
	for _, test := range []struct {
		name string
		kind event.Kind
		step string
		then func(*leftBehind) // what the run did before it died
		new  bool              // the deploy stands
	}{
		{"before ship", event.StepStarted, "ship", nil, false},
		{"after health", event.StepFinished, "health", nil, false},
		{"after prepare", event.StepFinished, "prepare", nil, false},
		{"in commit, before anything moved", event.StepFinished, "prepare", func(l *leftBehind) { l.append("commit", l.edges...) }, false},
		{"in commit, journalled on one", event.StepFinished, "prepare", func(l *leftBehind) { l.append("commit", l.edges[0]) }, false},
		{"in commit, nginx moved", event.StepFinished, "prepare", func(l *leftBehind) { l.append("commit", l.edges...); l.move(l.edges[0]) }, false},
		{"in commit, HAProxy moved", event.StepFinished, "prepare", func(l *leftBehind) { l.append("commit", l.edges...); l.move(l.edges[1]) }, false},
		{"after watch", event.StepFinished, "watch", nil, false},
		{"in record, decided on one", event.StepFinished, "watch", func(l *leftBehind) { l.append("decided", l.edges[1]) }, false},
		{"in record, decided on both", event.StepFinished, "watch", func(l *leftBehind) { l.append("decided", l.edges...) }, true},
		{"in record, ended on one", event.StepFinished, "watch", func(l *leftBehind) { l.append("decided", l.edges...); l.end(l.edges[0]) }, true},
		{"on the way back, ended on one", event.StepFinished, "watch", func(l *leftBehind) { l.append("back", l.edges...); l.end(l.edges[0]) }, false},
		{"after record", event.StepFinished, "record", nil, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			f.t = t
			version := "for " + test.name
			f.kill(doomed{Environment: f.env, Release: writeRelease(t, testRelease{Version: version}), Kind: test.kind, Step: test.step})
			if test.then != nil {
				test.then(f.left())
			}
			if test.new {
				serving = version
			}
			if _, err := Recover(t.Context(), f.request("")); err != nil {
				t.Fatal(err)
			}
			f.serves(serving)
			if did, err := Recover(t.Context(), f.request("")); err != nil || did != "" {
				t.Errorf("a second recover did %q, %v", did, err)
			}
			f.sound()
		})
	}
	f.t = t
	f.withoutProxy2(serving)
	f.splits(serving)
	f.deploy(testRelease{Version: "last"})
	f.serves("last")
	end()
}

// withoutProxy2 recovers while a proxy host is away, and again when it is back.
func (f *farm) withoutProxy2(serving string) {
	f.t.Helper()
	recover := func(away, stranded bool, says string) {
		f.t.Helper()
		if f.away["proxy2"] = away; away {
			f.killAgent("proxy2")
		}
		did, err := Recover(f.t.Context(), f.request(""))
		if text := fmt.Sprint(did, err); Stranded(err) != stranded || !strings.Contains(text, says) {
			f.t.Errorf("recover: %s, want %q", text, says)
		}
	}
	f.kill(doomed{Environment: f.env, Release: writeRelease(f.t, testRelease{Version: "not watched"}), Kind: event.StepFinished, Step: "commit"})
	recover(true, true, "where it can be reached, but not everywhere: proxy2: unreachable")
	recover(true, true, "where it can be reached, but not everywhere: proxy2: unreachable")
	recover(false, false, "traffic is back on")
	f.serves(serving)

	f.kill(doomed{Environment: f.env, Release: writeRelease(f.t, testRelease{Version: "decided"}), Kind: event.StepFinished, Step: "watch"})
	l := f.left()
	l.append("decided", l.edges...)
	recover(true, true, "only a host that can't be reached knows whether it was everywhere: proxy2: unreachable")
	recover(false, false, "had been decided")
	f.serves("decided")
	f.sound()

	f.kill(doomed{Environment: f.env, Release: writeRelease(f.t, testRelease{Version: "the healthier"}), Kind: event.StepFinished, Step: "watch"})
	l = f.left()
	for _, e := range l.edges {
		l.move(e) // the agents had gone back
	}
	old := slotNamed(f.env, value.Name(l.last.From))
	f.hosts.Host("web2").Exec(f.t, old.Stop)
	recover(false, true, "is not healthy, so all traffic goes to")
	f.serves("the healthier")
	if status := f.sound(); status.Serving == string(old.Name) {
		f.t.Errorf("status: %+v", status)
	}
	f.deploy(testRelease{Version: serving})
}

// leftBehind is what a killed run has left, to be taken further by hand.
type leftBehind struct {
	*rollout
	edges []*edge
	last  state.Entry
}

func (f *farm) left() *leftBehind {
	f.t.Helper()
	l := &leftBehind{rollout: &rollout{Request: f.request("")}}
	var err error
	if l.fleet, err = open(f.t.Context(), l.Request); err != nil {
		f.t.Fatal(err)
	}
	l.edges = l.fleet.edges
	left, err := l.leftover(f.t.Context())
	if err != nil || left.outcome == protocol.Settled {
		f.t.Fatalf("nothing was left: %v", err)
	}
	l.last = left.last
	return l
}

func (l *leftBehind) append(kind state.Kind, edges ...*edge) {
	entry := l.last
	entry.Kind, entry.Time = kind, time.Now()
	l.must(together(context.Background(), edges, func(ctx context.Context, e *edge) error {
		_, err := state.Append.On(ctx, e.machine, state.Writing{Dir: string(l.Environment.StateDir), Entry: entry})
		return err
	}))
}

func (l *leftBehind) move(e *edge) {
	_, err := proxy.Select.On(context.Background(), e.machine, proxy.Selection{Site: e.site, Slot: value.Name(l.last.To)})
	l.must(err)
}

// end has the run end its journal on one host only.
func (l *leftBehind) end(e *edge) {
	dir := string(l.Environment.StateDir)
	_, recorded := state.Record.On(context.Background(), e.machine, state.Recording{Dir: dir, Deploy: state.Deploy{
		Time: l.last.Time, Run: l.last.Epoch.Run, Outcome: string(event.Succeeded), To: l.last.To, ToRelease: l.last.ToRelease,
	}})
	_, finished := state.Finish.On(context.Background(), e.machine, dir)
	l.must(errors.Join(recorded, finished))
}

func (l *leftBehind) must(err error) {
	if err != nil {
		panic(err)
	}
}

// splits has one proxy moved by hand, with no journal to say why: a deploy moves
// it back before it begins.
func (f *farm) splits(serving string) {
	f.t.Helper()
	l := &leftBehind{rollout: &rollout{Request: f.request("")}}
	var err error
	l.fleet, err = open(f.t.Context(), l.Request)
	l.must(err)
	idle := "blue"
	if f.sound().Serving == "blue" {
		idle = "green"
	}
	l.last.To = idle
	l.move(l.fleet.edges[0])
	status, err := Inspect(f.t.Context(), f.request(""))
	if err != nil || len(status.Drift) != 1 || !strings.Contains(status.Drift[0], "no slot is idle") {
		f.t.Errorf("status: %+v, %v", status, err)
	}
	if view, err := Preview(f.t.Context(), f.request(writeRelease(f.t, testRelease{}))); err != nil || len(view.Problems) != 1 {
		f.t.Errorf("preview: %+v, %v", view, err)
	}
	if did, err := Recover(f.t.Context(), f.request("")); err != nil || !strings.Contains(did, "as the history says") {
		f.t.Errorf("recover: %q, %v", did, err)
	}
	f.serves(serving)
	f.sound()
}

// TestServersComeAndGo has servers and a proxy join an environment and leave it,
// with clients at work all the time.
func TestServersComeAndGo(t *testing.T) {
	t.Parallel()
	f := newFarm(t, "web1", "web2")
	whole := f.env
	small := *whole
	small.Servers, small.Proxies = whole.Servers[:1], whole.Proxies[:1]
	f.env = &small
	first := f.deploy(testRelease{Version: "v1"})
	f.deploy(testRelease{Version: "v2"})
	end := f.load(fresh)

	f.env = whole
	view, err := Preview(t.Context(), f.request(writeRelease(t, testRelease{})))
	if err != nil || len(view.Problems) > 0 || !strings.Contains(strings.Join(view.Changes, "; "), "web2 is new") || len(view.Servers) != 2 {
		t.Errorf("preview: %+v, %v", view, err)
	}
	if result := f.run(f.request("")); result.Outcome != event.Failed || !strings.Contains(result.Reason, first.Serving.Release+" is not on web2") {
		t.Errorf("a rollback to what web2 lacks: %s: %s", result.Outcome, result.Reason)
	}
	f.deploy(testRelease{Version: "v3"})
	if !f.told("web2 is new: it gets requests once blue serves") {
		t.Error("nobody was told that web2 is new")
	}
	f.serves("v3")
	f.sound()
	if result := f.run(f.request("")); result.Outcome != event.Failed || !strings.Contains(result.Reason, "is not on web2") {
		t.Errorf("a rollback to what web2 lacks: %s: %s", result.Outcome, result.Reason)
	}
	f.deploy(testRelease{Version: "v4"})
	f.must(f.run(f.request("")))
	f.serves("v3")

	gone := *whole
	gone.Servers = whole.Servers[1:]
	f.env = &gone
	f.told("")
	f.deploy(testRelease{Version: "v5"})
	if !f.told(whole.Servers[0].Address + " is no longer a server of shop") {
		t.Error("nobody was told that web1 has left")
	}
	f.serves("v5")
	f.sound()
	end()
}

// TestRollbackToWhatAllServersHave has one server whose idle slot was pointed
// elsewhere: the rollback goes to the newest good release that is on every server.
func TestRollbackToWhatAllServersHave(t *testing.T) {
	t.Parallel()
	var servers []*app
	for _, name := range []value.Name{"web1", "web2"} {
		servers = append(servers, &app{host: &host{server: &spec.Server{Name: name}}, held: map[string]string{"blue": "r1", "green": "r3"}})
	}
	r := &rollout{fleet: &fleet{apps: servers}, to: &spec.Slot{Name: "blue"}}
	if !r.inSlot("r1") || r.fleet.holds(r.to) != "r1" {
		t.Error("both hold r1")
	}
	servers[1].held["blue"] = "r2"
	if r.inSlot("r1") {
		t.Error("web2 holds another release")
	}
	history := []state.Deploy{
		{ToRelease: "r3", FromRelease: "r1", Outcome: "succeeded"}, {ToRelease: "r2", Outcome: "failed"}, {ToRelease: "r1", Outcome: "failed"},
	}
	for id, want := range map[string]bool{"r1": false, "r2": true, "r3": false, "r0": false} {
		if got := failed(history, id); got != want {
			t.Errorf("%s failed: %v", id, got)
		}
	}
}
