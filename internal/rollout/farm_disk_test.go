package rollout

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/org/deploy-action/internal/event"
	"github.com/org/deploy-action/internal/hosttest"
	"github.com/org/deploy-action/internal/machine"
	"github.com/org/deploy-action/internal/proxy/proxytest"
)

// disks are the file systems that a switch writes to, by host.
var disks = map[string][]string{
	"web1":   {"/srv/shop"},
	"web2":   {"/srv/shop"},
	"proxy1": {"/var/lib/turnout/shop", "/etc/nginx/conf.d"},
	"proxy2": {"/var/lib/turnout/shop", "/etc/haproxy/conf.d"},
}

// withDisks has each of them be a file system of its own, and small.
func withDisks(f *farm) {
	for host, paths := range disks {
		for _, path := range paths {
			f.hosts.Host(host).SmallDisk(f.t, path, 1<<20)
		}
	}
}

// illness is what a file system may come down with.
type illness struct {
	name       string
	begin, end func(h *hosttest.Host, t testing.TB, path string)
	says       string
}

var illnesses = []illness{
	{"full", (*hosttest.Host).FillDisk, (*hosttest.Host).FreeDisk, "no space left on device"},
	{"read-only", (*hosttest.Host).Freeze, (*hosttest.Host).Thaw, "read-only file system"},
}

// sick is a file system that falls ill before a call of a run.
type sick struct {
	illness
	call, host, path string
}

func (s sick) String() string { return fmt.Sprintf("%s %s before %s", s.path, s.name, s.call) }

// sicknesses are all there are: each file system of the host that a call is for.
func sicknesses(calls []string) []sick {
	var all []sick
	for _, call := range calls {
		_, host, _ := strings.Cut(call, " on ")
		host, _, _ = strings.Cut(host, ",")
		for _, path := range disks[host] {
			for _, what := range illnesses {
				all = append(all, sick{what, call, host, path})
			}
		}
	}
	return all
}

// spell is a sickness while something is done, and what came of it.
type spell struct {
	sick
	old, new string // versions
	outcome  event.Outcome
	reason   string
}

// TestSickDisks has a file system be full, or read-only, before each thing that is
// changed by a deploy, by the way back of one that fails, and by a recovery. No
// request fails; both proxies serve the old release or the new one; what went wrong
// is told with its host; the lock is free; once it is mended, recover makes all of one
// mind, and the next deploy succeeds.
func TestSickDisks(t *testing.T) {
	t.Parallel()
	f := newFarmOn(t, withDisks, "web1", "web2")
	f.deploy(testRelease{Version: "v0"})
	f.deploy(testRelease{Version: "v1"})
	f.deploy(testRelease{Version: "old"})
	end := f.load(fresh, keepAlive)
	ends := make(map[string]int)
	for _, during := range []struct {
		name string
		do   func(f *farm, version string) (event.Outcome, string)
		from string // the call that its own changes begin with
		keep int
	}{
		{"deploy", (*farm).tryGood, "", 3},
		{"way back", (*farm).tryIll, "state.append back on proxy", 2},
		{"recovery", (*farm).tryRecovery, "state.append back on proxy", 1},
	} {
		f.t = t
		seen := f.watched(func() { during.do(f, "counted") }).seen
		first := slices.IndexFunc(seen, func(call string) bool { return strings.HasPrefix(call, during.from) })
		f.deploy(testRelease{Version: "old"})
		for i, s := range sample(sicknesses(slices.Sorted(slices.Values(seen[first:]))), during.keep) {
			t.Run(during.name+": "+s.String(), func(t *testing.T) {
				f.t = t
				p := spell{sick: s, old: "old", new: fmt.Sprintf("new-%d", i)}
				f.crash = watching(point{s.call, before}, func(machine.Machine) { s.begin(f.hosts.Host(s.host), t, s.path) })
				p.outcome, p.reason = during.do(f, p.new)
				if !f.crash.hit {
					t.Fatalf("never came to that point: %s: %s", p.outcome, p.reason)
				}
				f.crash = nil
				came := f.gets(p)
				ends[fmt.Sprintf("%s: %s: run %s, new release %v", during.name, s.name, p.outcome, came == p.new)]++
				f.deploy(testRelease{Version: "old"})
				f.serves("old")
			})
		}
	}
	f.t = t
	end()
	for _, text := range slices.Sorted(maps.Keys(ends)) {
		t.Logf("%3d %s", ends[text], text)
	}
}

func (f *farm) tryGood(version string) (event.Outcome, string) {
	result := f.run(f.request(writeRelease(f.t, testRelease{Version: version})))
	return result.Outcome, result.Reason // empty where it succeeded
}

// tryIll deploys a release that fails in the watch, though it answers. Whatever the
// disks do, the HAProxy goes back: it can be told without one.
func (f *farm) tryIll(version string) (event.Outcome, string) {
	f.hook = func(e event.Event) {
		if e.Kind == event.StepStarted && e.Step.Name == "watch" {
			f.env.Health.HTTP.Status = []int{299}
		}
	}
	result := f.run(f.request(writeRelease(f.t, testRelease{Version: version})))
	f.hook, f.env.Health.HTTP.Status = nil, nil
	if _, body, err := proxytest.Get("http://" + f.env.Proxies[1].Servers[0].Address + "/"); err != nil || body == version {
		f.t.Errorf("proxy2 serves %q, %v: %s", body, err, result.Reason)
	}
	if result.Outcome == event.Failed {
		return event.Failed, "" // of what it was to fail of
	}
	return result.Outcome, result.Reason
}

// tryRecovery recovers from a run that was killed after its commit.
func (f *farm) tryRecovery(version string) (event.Outcome, string) {
	f.kill(doomed{Environment: f.env, Release: writeRelease(f.t, testRelease{Version: version}), Kind: event.StepFinished, Step: "commit"})
	if _, err := Recover(f.t.Context(), f.request("")); err != nil {
		return event.Failed, err.Error()
	}
	return event.Succeeded, ""
}

// gets looks at a host that is sick, tries to recover there, mends it, and returns
// what serves once all is settled.
func (f *farm) gets(p spell) string {
	f.t.Helper()
	f.serveEither(p.old, p.new)
	if p.reason != "" {
		f.tells(p, p.reason)
	}
	free(f)
	if _, err := Recover(f.t.Context(), f.request("")); err != nil {
		f.tells(p, err.Error())
	}
	f.serveEither(p.old, p.new)
	free(f)
	p.end(f.hosts.Host(p.host), f.t, p.path)
	return f.settles(p.old, p.new)
}

// tells wants a message to name the host and its trouble.
func (f *farm) tells(p spell, message string) {
	f.t.Helper()
	if !strings.Contains(message, p.host+": ") || !strings.Contains(message, p.says) {
		f.t.Errorf("%s: this does not say %q of %s: %s", p.outcome, p.says, p.host, message)
	}
}
