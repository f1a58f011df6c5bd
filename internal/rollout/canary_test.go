package rollout

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/org/deploy-action/internal/event"
	"github.com/org/deploy-action/internal/loadtest"
	"github.com/org/deploy-action/internal/proxy"
	"github.com/org/deploy-action/internal/proxy/proxytest"
	"github.com/org/deploy-action/internal/spec"
	"github.com/org/deploy-action/internal/state"
	"github.com/org/deploy-action/internal/value"
)

// quickCanary is a canary for tests: its holds are as short as the clients are
// busy.
func quickCanary(hold time.Duration, weights ...int) *spec.Canary {
	c := spec.DefaultCanary(spec.Pos{})
	c.Sticky, c.Steps, c.Analysis.Interval, c.Analysis.MinRequests = "cookie", nil, 250*time.Millisecond, 20
	for _, weight := range weights {
		c.Steps = append(c.Steps, spec.CanaryStep{Weight: weight, Hold: hold})
	}
	return c
}

// canaryOf is a deploy of a release by canary.
func (w *world) canaryOf(r testRelease, c *spec.Canary) Request {
	w.t.Helper()
	request := w.request(writeRelease(w.t, r))
	request.Canary = c
	return request
}

// splits has every configuration of the environment be one that can split, as a
// canary block in the spec has it.
func (w *world) splits(c *spec.Canary) { w.env.Split = &c.Split }

// audience are visitors that keep their cookies and ask all the time.
type audience struct {
	w      *world
	ctx    context.Context
	stop   context.CancelFunc
	asking sync.WaitGroup

	mu     sync.Mutex
	bad    []string
	n      int
	latest map[int]string // by visitor
}

// Half of so many visitors are at either release, but for once in two thousand
// tests; and each asks so often.
const (
	manyVisitors = 12
	visitPause   = 20 * time.Millisecond
)

func (w *world) audience() *audience {
	a := &audience{w: w, latest: make(map[int]string)}
	a.ctx, a.stop = context.WithCancel(context.Background())
	w.t.Cleanup(a.leave)
	for i := range manyVisitors {
		a.asking.Go(func() { a.visit(i) })
	}
	return a
}

func (a *audience) leave() {
	a.stop()
	a.asking.Wait()
}

func (a *audience) visit(i int) {
	jar, _ := cookiejar.New(nil)
	transport := &http.Transport{DisableKeepAlives: true} // an nginx that reloads closes kept ones
	client := http.Client{Jar: jar, Transport: transport, Timeout: 10 * time.Second}
	for ; a.ctx.Err() == nil; time.Sleep(visitPause) {
		status, body := 0, []byte(nil)
		response, err := client.Get("http://" + string(a.w.proxy.Site.Listen.Local()) + "/")
		if err == nil {
			status = response.StatusCode
			body, err = io.ReadAll(response.Body)
			_ = response.Body.Close()
		}
		a.note(i, status, string(body), err)
	}
}

func (a *audience) note(i, status int, body string, err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.n++
	a.latest[i] = body
	if err != nil || status != http.StatusOK {
		a.bad = append(a.bad, fmt.Sprintf("%d %q %v", status, body, err))
	}
}

// content ends the audience and fails the test if any request of it failed.
func (a *audience) content() {
	a.w.t.Helper()
	a.leave()
	if len(a.bad) > 0 {
		a.w.t.Errorf("%d of %d requests failed, the first: %s", len(a.bad), a.n, a.bad[0])
	}
	a.w.t.Logf("%d requests, %d failed", a.n, len(a.bad))
}

// at waits until every visitor has that version, and has it again.
func (a *audience) at(version string) {
	a.w.t.Helper()
	for range 2 {
		a.mu.Lock()
		clear(a.latest)
		a.mu.Unlock()
		proxytest.Await(a.w.t, func() error {
			a.mu.Lock()
			defer a.mu.Unlock()
			for i, body := range a.latest {
				if body != version {
					return fmt.Errorf("visitor %d is at %s", i, body)
				}
			}
			if len(a.latest) < manyVisitors {
				return errors.New("not all have asked yet")
			}
			return nil
		})
	}
}

func percents(c *event.Canary) []int {
	var all []int
	for _, share := range c.Shares {
		all = append(all, share.Percent)
	}
	return all
}

// TestCanaryGoesToTheEnd has a good release climb under load, an administrator
// reload the proxy in the middle of a window, and the next deploys come without a
// reload.
func TestCanaryGoesToTheEnd(t *testing.T) {
	eachProxy(t, func(t *testing.T, w *world) {
		c := quickCanary(time.Second, 10, 50, 90)
		c.Sticky = "none"
		w.splits(c)
		first := w.mustSwitch(w.canaryOf(testRelease{Version: "v1"}, c))
		if first.Canary == nil || first.Canary.Outcome != event.CanarySkipped {
			t.Errorf("the canary of a first deploy: %+v", first.Canary)
		}
		visitors := w.audience()
		looks := 0
		w.hook = func(e event.Event) {
			if e.Kind != event.CanaryLooked {
				return
			}
			if looks++; looks == 1 {
				w.proxy.Reload()
			}
		}
		second := w.mustSwitch(w.canaryOf(testRelease{Version: "v2"}, c))
		w.hook = nil
		visitors.at("v2")
		visitors.content()
		if got := second.Canary; got == nil || got.Outcome != event.CanaryPromoted || !slices.Equal(percents(got), []int{10, 50, 90}) || len(got.Looks) < 3 {
			t.Errorf("canary: %+v", got)
		}
		if second.Reloads != 0 || second.Traffic == nil || second.Traffic.Failed != 0 {
			t.Errorf("%d reloads, traffic %+v", second.Reloads, second.Traffic)
		}
		for _, look := range second.Canary.Looks {
			if look.Verdict == "pass" && (look.New.Requests < 20 || look.New.P95 == 0) {
				t.Errorf("a window that passed: %+v", look)
			}
		}
		if back := w.mustSwitch(w.request("")); back.Reloads != 0 || back.Canary != nil {
			t.Errorf("the rollback: %d reloads, canary %+v", back.Reloads, back.Canary)
		}
		w.serves("v1")
	})
}

// TestCanaryAborts has releases that do worse than the old one. All visitors are
// back at that, those of the new release too.
func TestCanaryAborts(t *testing.T) {
	eachProxy(t, func(t *testing.T, w *world) {
		c := quickCanary(20*time.Second, 50)
		w.splits(c)
		w.deploy(testRelease{Version: "v1"})
		for _, test := range []struct {
			release testRelease
			says    string
		}{
			{testRelease{Version: "faulty", Faulty: 2}, "% errors"},
			{testRelease{Version: "slow", Slow: time.Second}, "p95"},
		} {
			visitors := w.audience()
			w.env.Slots[1].Logs = "echo the journal of $TURNOUT_SLOT"
			result := Run(context.Background(), w.canaryOf(test.release, c))
			visitors.at("v1")
			visitors.leave()
			last := result.Canary.Looks[len(result.Canary.Looks)-1]
			if result.Outcome != event.Failed || !result.PutBack || !strings.Contains(result.Reason, "canary: aborted at 50 %: ") || !strings.Contains(result.Reason, test.says) {
				t.Errorf("%s: %s, put back %v: %s", test.release.Version, result.Outcome, result.PutBack, result.Reason)
			}
			if result.Canary.Outcome != event.CanaryAborted || last.Verdict != "fail" || last.Action != "abort" {
				t.Errorf("%s: %s by %+v", test.release.Version, result.Canary.Outcome, last)
			}
			if !slices.Equal(result.Logs, []string{"the journal of green"}) || result.Drained == nil || result.Drained.Slot != "green" {
				t.Errorf("%s: logs %q, drained %+v", test.release.Version, result.Logs, result.Drained)
			}
			if status := w.status(); status.Serving != "blue" || len(status.Drift) > 0 || status.Unsettled != "" {
				t.Errorf("status: %+v", status)
			}
		}
	})
}

// TestCanaryWithoutRequests holds what becomes of a release that nobody asks.
func TestCanaryWithoutRequests(t *testing.T) {
	t.Parallel()
	w := newWorld(t, proxy.NGINX)
	c := quickCanary(100*time.Millisecond, 10)
	w.deploy(testRelease{Version: "v1"})
	result := Run(context.Background(), w.canaryOf(testRelease{Version: "v2"}, c))
	if result.Outcome != event.Failed || !strings.Contains(result.Reason, "0 requests to the new release, 20 are needed") {
		t.Errorf("%s: %s", result.Outcome, result.Reason)
	}
	w.serves("v1")
	c.Analysis.OnInsufficient = spec.PromoteUnproven
	w.mustSwitch(w.canaryOf(testRelease{Version: "v2"}, c))
	w.serves("v2")
	c.Steps[0].Hold, c.Deadline = time.Hour, time.Second
	result = Run(context.Background(), w.canaryOf(testRelease{Version: "v3"}, c))
	if result.Outcome != event.Failed || !strings.Contains(result.Reason, "the deadline of 1s has passed") {
		t.Errorf("%s: %s", result.Outcome, result.Reason)
	}
	w.serves("v2")
}

// TestCanaryByCommand has a command say what it thinks of a release that nobody
// asks.
func TestCanaryByCommand(t *testing.T) {
	t.Parallel()
	w := newWorld(t, proxy.NGINX)
	w.deploy(testRelease{Version: "v1"})
	for _, test := range []struct {
		run, reason, serves string
	}{
		{`test "$TURNOUT_SLOT $TURNOUT_PERCENT" = "green 10" && echo sad; exit 1`, "canary: aborted at 10 %: sad", "v1"},
		{`echo 'who knows'; exit 75`, "who knows, after 3 times the hold of 1s", "v1"},
		{`sleep 5`, "could not be read 4 times in a row: \"sleep 5\" took more than the interval", "v1"},
		{`true`, "", "v2"},
	} {
		c := quickCanary(time.Second, 10)
		c.Analysis.Source, c.Analysis.Run, c.Analysis.Interval = "run", test.run, time.Second
		result := Run(context.Background(), w.canaryOf(testRelease{Version: "v2"}, c))
		if !strings.Contains(result.Reason, test.reason) || test.reason == "" && result.Outcome != event.Succeeded {
			t.Errorf("%s: %s: %s", test.run, result.Outcome, result.Reason)
		}
		w.serves(test.serves)
	}
}

// TestCanaryIsTold has somebody promote a canary, abort one, and cancel one.
// Without one there is nobody to tell.
func TestCanaryIsTold(t *testing.T) {
	eachProxy(t, func(t *testing.T, w *world) {
		c := quickCanary(time.Hour, 10, 50)
		c.Deadline = 2 * time.Hour
		w.splits(c)
		w.deploy(testRelease{Version: "v1"})
		tell := func(verb state.Verb) (string, error) {
			return Tell(context.Background(), w.request(""), state.Word{Verb: verb, By: "bob"})
		}
		if _, err := tell(state.Promote); !errors.Is(err, ErrNoCanary) || !strings.Contains(err.Error(), "nobody deploys") {
			t.Errorf("a word to nobody: %v", err)
		}
		for _, test := range []struct {
			verb    state.Verb
			outcome event.Outcome
			said    string
			serves  string
		}{
			{state.Abort, event.Failed, "gives all traffic to blue again", "v1"},
			{state.Promote, event.Succeeded, "gives all traffic to green and watches it", "v2"},
		} {
			said := make(chan string, 1)
			w.hook = func(e event.Event) {
				if e.Kind == event.CanaryShared {
					go func() {
						did, err := tell(test.verb)
						said <- fmt.Sprint(did, err)
					}()
				}
			}
			result := Run(context.Background(), w.canaryOf(testRelease{Version: "v2"}, c))
			if did := <-said; !strings.Contains(did, test.said) && !strings.Contains(did, "has ended") {
				t.Errorf("%s was answered with: %s", test.verb, did)
			}
			if result.Outcome != test.outcome || !strings.Contains(result.Canary.Reason, "by bob") || len(result.Canary.Shares) != 1 {
				t.Errorf("%s: %s, canary %+v", test.verb, result.Outcome, result.Canary)
			}
			w.serves(test.serves)
		}
		ctx, cancel := context.WithCancel(context.Background())
		w.hook = func(e event.Event) {
			if e.Kind == event.CanaryShared {
				cancel()
			}
		}
		result := Run(ctx, w.canaryOf(testRelease{Version: "v3"}, c))
		if result.Outcome != event.Cancelled || !result.PutBack || result.Canary.Outcome != event.CanaryInterrupted {
			t.Errorf("cancelled: %s, canary %+v: %s", result.Outcome, result.Canary, result.Reason)
		}
		w.serves("v2")
	})
}

// TestKilledInACanary kills runs at a share where no agent is left to act. The next
// one finds the share, and settles it before it touches the slot that has it.
func TestKilledInACanary(t *testing.T) {
	eachProxy(t, func(t *testing.T, w *world) {
		c := quickCanary(time.Hour, 40)
		c.Sticky = "none"
		w.splits(c)
		w.deploy(testRelease{Version: "v1"})
		w.deploy(testRelease{Version: "v2"})
		doomedAt := doomed{Environment: w.env, Release: writeRelease(t, testRelease{Version: "v3"}), Canary: c, Kind: event.CanaryShared, Step: "canary"}
		w.runDoomed(doomedAt)
		if status := w.status(); status.Serving != "green" || status.Unsettled == "" || status.Share != 40 {
			t.Errorf("status: %+v", status)
		}
		w.recoverTo("v2")
		if status := w.status(); status.Share != 0 || len(status.Drift) > 0 {
			t.Errorf("status: %+v", status)
		}
		w.runDoomed(doomedAt)
		clients := w.startClients()
		clients.begin()
		w.deploy(testRelease{Version: "v4"})
		clients.end()
		w.serves("v4")
	})
}

// TestCanaryOfAFleet has a canary climb, abort and be killed behind two proxies:
// their requests are added up, and the agents put the share back by themselves.
func TestCanaryOfAFleet(t *testing.T) {
	t.Parallel()
	f := newFarm(t, "web1", "web2")
	c := quickCanary(2*time.Second, 10, 50)
	c.Sticky, c.Synthetic = "none", 20
	f.env.Split = &c.Split
	f.deploy(testRelease{Version: "v1"})
	end := f.load(fresh, keepAlive)
	request := f.request(writeRelease(t, testRelease{Version: "v2"}))
	request.Canary = c
	result := f.must(f.run(request))
	if result.Canary == nil || !slices.Equal(percents(result.Canary), []int{10, 50}) {
		t.Errorf("canary: %+v", result.Canary)
	}
	if last := result.Canary.Looks[len(result.Canary.Looks)-1]; last.SyntheticNew == nil || last.New.Requests == 0 {
		t.Errorf("the agents have sent nothing: %+v", last)
	}
	wantBoth(t, result)
	f.serves("v2")
	end()

	stop := f.loadThatMayFail(fresh, keepAlive)
	c.Steps[0].Hold = 30 * time.Second
	request = f.request(writeRelease(t, testRelease{Version: "v3", Faulty: 4}))
	request.Canary = c
	result = f.run(request)
	stop()
	if result.Outcome != event.Failed || !result.PutBack || !strings.Contains(result.Reason, "% errors") {
		t.Errorf("%s, put back %v: %s", result.Outcome, result.PutBack, result.Reason)
	}
	f.serves("v2")
	f.sound()

	end = f.load(fresh, keepAlive)
	f.kill(doomed{Environment: f.env, Release: writeRelease(t, testRelease{Version: "v4"}), Canary: c, Kind: event.CanaryShared, Step: "canary"})
	proxytest.Await(t, func() error {
		status, err := Inspect(t.Context(), f.request(""))
		if err == nil && (status.Share != 0 || status.Holder != nil) {
			err = fmt.Errorf("the other slot still has %d %%, held by %v", status.Share, status.Holder)
		}
		return err
	})
	f.serves("v2")
	if did, err := Recover(t.Context(), f.request("")); err != nil || !strings.Contains(did, "the agent on proxy1, proxy2 did so") {
		t.Errorf("recover: %q, %v", did, err)
	}
	f.sound()
	end()
}

// loadThatMayFail is load of which some requests are meant to fail.
func (f *farm) loadThatMayFail(kinds ...loadtest.Kind) (stop func()) {
	var all []*loadtest.Load
	for _, p := range f.env.Proxies {
		all = append(all, loadtest.Start(context.Background(), value.Address(p.Servers[0].Address+":80"), "shop", kinds...))
	}
	return func() {
		for _, l := range all {
			l.Stop()
		}
	}
}
