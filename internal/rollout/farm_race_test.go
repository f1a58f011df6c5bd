package rollout

import (
	"bytes"
	"cmp"
	"fmt"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/org/deploy-action/internal/event"
)

// racer is one of several deploys that are started at once.
type racer struct {
	name     string
	cmd      *exec.Cmd
	output   bytes.Buffer
	from, to int64 // what it did under the lock, in Unix nanoseconds
}

// TestRace starts several deploys of one environment at once, each in a process of its
// own. One at a time has the environment, none fails: each deploys, or finds that a
// later one has and does nothing. In the end the release of the latest serves.
func TestRace(t *testing.T) {
	t.Parallel()
	n := 4
	if soaking() {
		n = 10
	}
	f := newFarm(t, "web1", "web2")
	f.deploy(testRelease{Version: "v0"})
	f.deploy(testRelease{Version: "v1"})
	f.env.LockTimeout = 2 * time.Minute
	end := f.load(fresh, keepAlive)
	began := time.Now()
	var racers []*racer
	for i := range n {
		r := &racer{name: fmt.Sprintf("racer-%d", i)}
		r.cmd = f.doomedProcess(doomed{
			Environment: f.env, Release: writeRelease(t, testRelease{Version: r.name}), ID: r.name, Began: began.Add(time.Duration(i) * time.Second),
		})
		r.cmd.Stdout, r.cmd.Stderr = &r.output, &r.output
		racers = append(racers, r)
	}
	for _, r := range racers {
		if err := r.cmd.Start(); err != nil {
			t.Fatal(err)
		}
	}
	for _, r := range racers {
		_ = r.cmd.Wait() // with 1, as it is not killed
		r.read(t)
	}
	oneAtATime(t, racers)
	f.serves(racers[n-1].name)
	f.neverBack(n)
	end()
	f.waitsInVain()
}

// read takes from a racer's output how it ended and when it had the lock.
func (r *racer) read(t *testing.T) {
	t.Helper()
	for line := range strings.Lines(r.output.String()) {
		var step string
		var at int64
		if i := strings.LastIndex(line, " "); strings.HasPrefix(line, "step ") {
			step = line[len("step "):i]
			_, _ = fmt.Sscan(line[i:], &at)
		}
		if r.to = max(r.to, at); step == "lock" {
			r.from = at
		}
	}
	said := r.output.String()
	if !strings.Contains(said, "not killed: succeeded") && !strings.Contains(said, "not killed: skipped superseded by run racer-") {
		t.Errorf("%s: %s", r.name, said)
	}
}

// oneAtATime wants no two to have had the lock at once.
func oneAtATime(t *testing.T, racers []*racer) {
	t.Helper()
	turns := slices.SortedFunc(slices.Values(racers), func(a, b *racer) int { return cmp.Compare(a.from, b.from) })
	for i, r := range turns[1:] {
		if before := turns[i]; r.from < before.to {
			t.Errorf("%s had the lock while %s did", r.name, before.name)
		}
	}
}

// neverBack wants the history to have deploys of the race in their order.
func (f *farm) neverBack(n int) {
	f.t.Helper()
	last, deployed := "racer-9", 0
	for _, d := range f.sound().History { // newest first
		if !strings.HasPrefix(d.Run, "racer-") {
			continue
		}
		if deployed++; d.Run > last || d.Outcome != string(event.Succeeded) {
			f.t.Errorf("history: %s %s after %s", d.Run, d.Outcome, last)
		}
		last = d.Run
	}
	f.t.Logf("%d of %d deployed, %d were superseded", deployed, n, n-deployed)
}

// waitsInVain has a deploy wait for another one for less time than that takes.
func (f *farm) waitsInVain() {
	f.t.Helper()
	var late event.Switch
	f.hook = func(e event.Event) {
		if e.Kind == event.StepStarted && e.Step.Name == "watch" {
			f.hook = nil
			impatient := *f.env
			impatient.LockTimeout = 10 * time.Millisecond
			request := f.request(writeRelease(f.t, testRelease{Version: "late"}))
			request.Environment = &impatient
			late = f.run(request)
		}
	}
	first := f.deploy(testRelease{Version: "first"})
	if late.Outcome != event.Failed || !strings.Contains(late.Reason, "lock: proxy1: not free after 10ms (lock_timeout); it is held by run run-") ||
		!strings.Contains(late.Reason, "see: turnout lock status shop") {
		f.t.Errorf("%s: %s", late.Outcome, late.Reason)
	}
	f.serves("first")
	f.t.Logf("%s; meanwhile %s", late.Reason, first.Outcome)
}
