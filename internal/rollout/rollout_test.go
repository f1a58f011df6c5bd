package rollout

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/org/deploy-action/internal/deadman"
	"github.com/org/deploy-action/internal/event"
	"github.com/org/deploy-action/internal/machine"
	"github.com/org/deploy-action/internal/proxy"
	"github.com/org/deploy-action/internal/proxy/proxytest"
	"github.com/org/deploy-action/internal/spec"
	"github.com/org/deploy-action/internal/state"
	"github.com/org/deploy-action/internal/value"
)

func TestDeployAndRollBack(t *testing.T) {
	eachProxy(t, func(t *testing.T, w *world) {
		first := w.deploy(testRelease{Version: "v1"})
		w.serves("v1")
		if first.From.Slot != "" || first.Serving.Slot != "blue" || first.Reloads != 1 {
			t.Errorf("first deploy: %+v", first)
		}
		second := w.deploy(testRelease{Version: "v2"})
		w.serves("v2")
		if second.From.Slot != "blue" || second.Serving.Slot != "green" || second.Reloads != 0 || second.Diff != "" {
			t.Errorf("second deploy: from %v to %v, %d reloads, diff %q", second.From, second.Serving, second.Reloads, second.Diff)
		}
		if tr := second.Traffic; tr == nil || tr.Requests < 10 || tr.Failed != 0 {
			t.Errorf("traffic of the second deploy: %+v", tr)
		}
		back := w.mustSwitch(w.request(""))
		w.serves("v1")
		if back.Serving != first.Serving || back.Reloads != 0 {
			t.Errorf("rollback serves %v after %d reloads, want %v and none", back.Serving, back.Reloads, first.Serving)
		}
		wantWarm(t, back)
		status := w.status()
		if status.Serving != "blue" || !status.Healthy["green"] || len(status.Drift) != 0 || len(status.History) != 3 {
			t.Errorf("status: %+v", status)
		}
	})
}

func TestUnhealthyReleaseLeavesTrafficAlone(t *testing.T) {
	eachProxy(t, func(t *testing.T, w *world) {
		w.deploy(testRelease{Version: "v1"})
		second := w.deploy(testRelease{Version: "v2"})
		w.env.Health.Deadline = 5 * time.Second
		result := Run(context.Background(), w.request(writeRelease(t, testRelease{Version: "v3", Unhealthy: true})))
		w.serves("v2")
		if result.Outcome != event.Failed || !strings.Contains(result.Reason, "blue is not healthy") || result.Serving != second.Serving {
			t.Errorf("%s, serving %v: %s", result.Outcome, result.Serving, result.Reason)
		}
		if len(result.Logs) == 0 || !strings.Contains(strings.Join(result.Logs, " "), "serving v3") {
			t.Errorf("logs of the slot that failed: %q", result.Logs)
		}
		// The slot has its former release back and runs it, so a rollback is as quick as before.
		proxytest.Await(t, func() error {
			if !w.status().Healthy["blue"] {
				return errors.New("blue does not run its former release yet")
			}
			return nil
		})
		wantWarm(t, w.mustSwitch(w.request("")))
		w.serves("v1")
	})
}

// wantWarm wants a rollback to a slot that was running already.
func wantWarm(t *testing.T, back event.Switch) {
	t.Helper()
	for _, item := range back.Timeline {
		if item.Name == "start" || item.Name == "health" {
			t.Errorf("the rollback to a warm slot did %s: %s", item.Name, item.Text)
		}
	}
}

// TestDrainWaitsForRequestsInFlight has a request under way in the old slot
// while it is replaced and stopped.
func TestDrainWaitsForRequestsInFlight(t *testing.T) {
	eachProxy(t, func(t *testing.T, w *world) {
		w.env.KeepPrevious, w.env.Watch, w.env.Drain = spec.StopDrained, 50*time.Millisecond, time.Minute
		w.deploy(testRelease{Version: "v1"})
		answer := make(chan string, 1)
		w.hook = func(e event.Event) {
			if e.Kind == event.StepStarted && e.Step.Name == "commit" {
				go func() {
					status, body, err := w.proxy.Get("/slow")
					answer <- fmt.Sprint(status, body, err)
				}()
				proxytest.Await(t, func() error { return w.inFlight("blue") })
			}
			if e.Kind == event.StepStarted && e.Step.Name == "drain" {
				time.AfterFunc(time.Second, func() { // what an application does for so long is not the test's
					_, _, _ = proxytest.Get(fmt.Sprintf("http://127.0.0.1:%d/finish", w.env.Slots[0].Port))
				})
			}
		}
		result := w.deploy(testRelease{Version: "v2"})
		if got := <-answer; got != "200v1<nil>" {
			t.Errorf("the request in flight ended with %s", got)
		}
		if d := result.Drained; d == nil || d.Slot != "blue" || d.Before < 1 || d.After != 0 || d.Took < 500*time.Millisecond {
			t.Errorf("drained: %+v", d)
		}
	})
}

// inFlight is an error until the proxy has a connection to the slot that is busy
// with /slow.
func (w *world) inFlight(slot value.Name) error {
	data, err := os.ReadFile(filepath.Join(string(w.env.Root), string(slot)+".log"))
	if err == nil && !strings.Contains(string(data), "slow request") {
		err = errors.New("the request has not arrived")
	}
	return err
}

// TestCrashedReleaseIsNoStrand has an application that dies by itself, so that
// there is nothing to stop.
func TestCrashedReleaseIsNoStrand(t *testing.T) {
	t.Parallel()
	w := newWorld(t, proxy.NGINX)
	w.deploy(testRelease{Version: "v1"})
	green := w.env.Slots[1]
	green.Start, green.Stop = "true", "kill 999999999"
	w.env.Health.Deadline = 200 * time.Millisecond
	w.refused("green is not healthy")
	if !w.told("stop green") {
		t.Error("nobody was told that green could not be stopped")
	}
	w.serves("v1")
}

func TestBadTrafficIsPutBack(t *testing.T) {
	eachProxy(t, func(t *testing.T, w *world) {
		w.deploy(testRelease{Version: "v1"})
		result := Run(context.Background(), w.request(writeRelease(t, testRelease{Version: "v2", Moody: true})))
		w.serves("v1")
		if result.Outcome != event.Failed || !result.PutBack || result.Serving.Slot != "blue" {
			t.Errorf("%s, put back %v, serving %v: %s", result.Outcome, result.PutBack, result.Serving, result.Reason)
		}
		if status := w.status(); status.Serving != "blue" || len(status.Drift) != 0 || status.Unsettled != "" {
			t.Errorf("status: %+v", status)
		}
	})
}

func TestFailedFirstDeployLeavesNoSite(t *testing.T) {
	eachProxy(t, func(t *testing.T, w *world) {
		result := Run(context.Background(), w.request(writeRelease(t, testRelease{Version: "v1", Moody: true})))
		if result.Outcome != event.Failed || result.Serving.Slot != "" {
			t.Errorf("%s, serving %v: %s", result.Outcome, result.Serving, result.Reason)
		}
		if status := w.status(); status.Serving != "" {
			t.Errorf("status: %+v", status)
		}
		w.deploy(testRelease{Version: "v2"})
		w.serves("v2")
	})
}

func TestFailureBeforeTheSwitchMovesNothing(t *testing.T) {
	eachProxy(t, func(t *testing.T, w *world) {
		w.deploy(testRelease{Version: "v1"})
		result := Run(context.Background(), w.request(t.TempDir()))
		if result.Outcome != event.Failed || result.PutBack || result.Serving.Slot != "blue" {
			t.Errorf("%s, put back %v, serving %v: %s", result.Outcome, result.PutBack, result.Serving, result.Reason)
		}
		w.serves("v1")
	})
}

func TestCancelPutsTrafficBack(t *testing.T) {
	eachProxy(t, func(t *testing.T, w *world) {
		w.env.Watch = time.Hour
		ctx, cancel := context.WithCancel(context.Background())
		defer cancel()
		w.deployUnwatched("v1")
		var at time.Time
		w.hook = func(e event.Event) {
			if e.Kind == event.StepStarted && e.Step.Name == "watch" {
				at = time.Now()
				cancel()
			}
		}
		result := Run(ctx, w.request(writeRelease(t, testRelease{Version: "v2"})))
		if took := time.Since(at); took > time.Minute {
			t.Errorf("the run ended %s after the cancel", took)
		}
		if result.Outcome != event.Cancelled || !result.PutBack {
			t.Errorf("%s, put back %v: %s", result.Outcome, result.PutBack, result.Reason)
		}
		w.hook = nil
		w.serves("v1")
	})
}

// deployUnwatched deploys with a short watch.
func (w *world) deployUnwatched(version string) {
	w.t.Helper()
	former := w.env.Watch
	w.env.Watch = 50 * time.Millisecond
	w.deploy(testRelease{Version: version})
	w.env.Watch = former
}

func TestRollbackRefusesAnUnhealthySlot(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "nginx")
	w.deploy(testRelease{Version: "v1"})
	w.deploy(testRelease{Version: "v2"})
	w.env.Slots[0].Start = "true" // blue can no longer be started
	w.command(w.env.Slots[0].Stop)
	w.env.Health.Deadline = 200 * time.Millisecond
	result := Run(context.Background(), w.request(""))
	w.serves("v2")
	if result.Outcome != event.Stranded || !strings.Contains(result.Reason, "blue is not healthy") {
		t.Errorf("%s: %s", result.Outcome, result.Reason)
	}
}

func (w *world) command(shell string) {
	w.t.Helper()
	m := here()
	defer m.Close()
	if _, err := machine.Run.On(context.Background(), m, machine.Command{Shell: shell}); err != nil {
		w.t.Fatal(err)
	}
}

func TestRollbackWithNothingToGoBackTo(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "nginx")
	result := Run(context.Background(), w.request(""))
	if result.Outcome != event.Failed || !strings.Contains(result.Reason, "nothing serves yet") {
		t.Errorf("before the first deploy: %s: %s", result.Outcome, result.Reason)
	}
	w.deploy(testRelease{Version: "v1"})
	result = Run(context.Background(), w.request(""))
	if result.Outcome != event.Failed || !strings.Contains(result.Reason, "holds no release to go back to") {
		t.Errorf("after the first deploy: %s: %s", result.Outcome, result.Reason)
	}
	w.serves("v1")
}

func TestLockIsWaitedForAndNamed(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "nginx")
	other := here()
	defer other.Close()
	claim := state.Claim{Dir: string(w.env.StateDir), Holder: state.Holder{Run: "run-77", Actor: "bob", Since: time.Now()}}
	if grant, err := deadman.Acquire.On(context.Background(), other, claim); err != nil || !grant.Held {
		t.Fatalf("%+v, %v", grant, err)
	}
	w.env.LockTimeout = 100 * time.Millisecond
	result := Run(context.Background(), w.request(writeRelease(t, testRelease{Version: "v1"})))
	if result.Outcome != event.Failed || !strings.Contains(result.Reason, "run-77") || !strings.Contains(result.Reason, "bob") {
		t.Errorf("%s: %s", result.Outcome, result.Reason)
	}
	if status := w.status(); status.Holder == nil || status.Holder.Actor != "bob" {
		t.Errorf("status: %+v", status)
	}
	if locked, err := Lock(context.Background(), w.request("")); err != nil || len(locked.Hosts) != 1 || !locked.Hosts[0].Held || locked.Hosts[0].By.Run != "run-77" {
		t.Errorf("lock status: %+v, %v", locked, err)
	}
	if err := other.Close(); err != nil {
		t.Fatal(err)
	}
	w.deploy(testRelease{Version: "v1"})
	w.serves("v1")
	if locked, err := Lock(context.Background(), w.request("")); err != nil || locked.Hosts[0].Held || locked.Hosts[0].Epoch.Number != 1 {
		t.Errorf("lock status: %+v, %v", locked, err)
	}
}

// TestSuperseded has deploys wait for the lock while another run deploys. One that
// began before that run does nothing; one that began later, and a rollback, go on.
// TestAPlanIsHeldAgainstWhatIsLive has something move between the last look and
// the lock.
func TestAPlanIsHeldAgainstWhatIsLive(t *testing.T) {
	w := newWorld(t, "nginx")
	w.deployUnwatched("v1")
	request := w.request(writeRelease(t, testRelease{Version: "v2"}))
	view, err := Preview(t.Context(), request)
	if err != nil {
		t.Fatal(err)
	}
	w.deployUnwatched("v3")
	request.Planned = view.Live
	result := Run(t.Context(), request)
	if result.Outcome != event.Failed || !strings.Contains(result.Reason, "serves: was blue, is green") {
		t.Errorf("%s: %s; want a refusal that says what moved", result.Outcome, result.Reason)
	}
	w.serves("v3")
}

func TestSuperseded(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "nginx")
	began := time.Now()
	holds := make(chan bool)
	waits := func(request Request) event.Switch {
		other := here()
		grant, err := deadman.Acquire.On(t.Context(), other, state.Claim{Dir: string(w.env.StateDir), Holder: state.Holder{Run: "another"}})
		if err != nil || !grant.Held {
			t.Fatalf("%+v, %v", grant, err)
		}
		request.Emit = func(e event.Event) {
			w.emit(e)
			if e.Note != nil && strings.HasPrefix(e.Note.Text, "waiting for run another") {
				_ = other.Close()
				close(holds)
			}
		}
		holds = make(chan bool)
		result := Run(t.Context(), request)
		<-holds
		return result
	}
	deploy := func(version string, began time.Time) Request {
		request := w.request(writeRelease(t, testRelease{Version: version}))
		request.Run.Began = began
		return request
	}
	w.deploy(testRelease{Version: "v1"})
	newer := deploy("v2", began.Add(time.Minute))
	newer.Run.Commit = "1234abc"
	w.mustSwitch(newer)
	late := waits(deploy("too late", began))
	if late.Outcome != event.Skipped || !strings.Contains(late.Reason, "superseded by run run-TestSuperseded (commit 1234abc), which began later") || late.Serving.Slot != "green" {
		t.Errorf("%s: %s", late.Outcome, late.Reason)
	}
	w.serves("v2")
	if result := waits(deploy("v3", began.Add(time.Hour))); result.Outcome != event.Succeeded {
		t.Errorf("%s: %s", result.Outcome, result.Reason)
	}
	w.serves("v3")
	back := w.request("")
	back.Run.Began = began
	if result := waits(back); result.Outcome != event.Succeeded {
		t.Errorf("%s: %s", result.Outcome, result.Reason)
	}
	w.serves("v2")
}

func TestOldSlotIsStoppedWhenAsked(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "nginx")
	w.env.KeepPrevious = "stop"
	w.deploy(testRelease{Version: "v1"})
	w.deploy(testRelease{Version: "v2"})
	status := w.status()
	if status.Healthy["blue"] || !status.Healthy["green"] {
		t.Errorf("healthy: %v", status.Healthy)
	}
	back := w.mustSwitch(w.request("")) // starts it again
	w.serves("v1")
	if back.Serving.Slot != "blue" {
		t.Errorf("serving %v", back.Serving)
	}
}
