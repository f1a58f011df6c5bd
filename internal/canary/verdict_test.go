package canary_test

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/org/deploy-action/internal/canary"
	"github.com/org/deploy-action/internal/machine"
	"github.com/org/deploy-action/internal/proxy"
	"github.com/org/deploy-action/internal/proxy/proxytest"
	"github.com/org/deploy-action/internal/value"
)

// behaviour is what a release does, and how often clients ask.
type behaviour struct {
	rate   int // requests per second
	errors float64
	slower float64
}

// plan is the usual one at 20 requests a second, and one that is five times as quick at
// 500: it sees more requests in a window all the same.
func (b behaviour) plan() canary.Plan {
	plan := canary.Standard()
	if b.rate == 500 {
		plan.Interval /= 5
		for i := range plan.Steps {
			plan.Steps[i].Hold /= 5
		}
	}
	return plan
}

// trial is a canary on a real proxy.
type trial struct {
	behaviour
	kind    proxy.Kind
	aborted bool
	took    time.Duration
	reason  string
}

const runsOnProxies = 2

// TestSoakVerdicts has canaries climb on nginx and HAProxy under load, with releases
// that fail and dawdle by chance, and the proxy reloaded in the middle of a window of
// every second one. It prints a table of docs/canary.md.
func TestSoakVerdicts(t *testing.T) {
	if os.Getenv("TURNOUT_SOAK") == "" {
		t.Skip("set TURNOUT_SOAK for verdicts on real proxies")
	}
	quiet := []behaviour{{20, 0, 1}, {20, 0.02, 1}, {20, 0.1, 1}, {20, 0, 2}}
	busy := []behaviour{{500, 0, 1}, {500, 0.01, 1}, {500, 0.02, 1}, {500, 0.1, 1}, {500, 0, 2}}
	trials := climbAll(t, quiet, len(quiet)*runsOnProxies*2) // all at once: together they are one busy site
	trials = append(trials, climbAll(t, busy, 2)...)
	fmt.Println("| requests/s | errors | latency | aborted: simulated | nginx | HAProxy |")
	fmt.Println("| --- | --- | --- | --- | --- | --- |")
	for _, b := range append(quiet, busy...) {
		aborted, after := canary.Simulated(b.plan(), b.errors, b.slower, float64(b.rate), 200)
		fmt.Printf("| %d | %g %% | × %g | %s | %s | %s |\n", b.rate, 100*b.errors, b.slower, tell(200, aborted, after),
			told(trials, b, proxy.NGINX), told(trials, b, proxy.HAProxy))
	}
	for _, c := range trials {
		if sound := c.errors == 0 && c.slower == 1; c.aborted && sound || !c.aborted && c.errors == 0.1 {
			t.Errorf("%+v", *c)
		}
	}
}

// tell says how many were aborted, and after how long on average.
func tell(runs, aborted int, after time.Duration) string {
	if aborted == 0 {
		return fmt.Sprintf("0 of %d", runs)
	}
	return fmt.Sprintf("%d of %d, after %.0f s", aborted, runs, after.Seconds())
}

func told(trials []*trial, b behaviour, kind proxy.Kind) string {
	runs, aborted, took := 0, 0, time.Duration(0)
	for _, c := range trials {
		if c.behaviour != b || c.kind != kind {
			continue
		}
		if runs++; c.aborted {
			aborted++
			took += c.took
		}
	}
	return tell(runs, aborted, took/time.Duration(max(1, aborted)))
}

// climbAll has the canaries of all behaviours climb, so many at once.
func climbAll(t *testing.T, all []behaviour, atOnce int) []*trial {
	var trials []*trial
	places := make(chan struct{}, atOnce)
	var running sync.WaitGroup
	for _, b := range all {
		for n := range runsOnProxies {
			for _, kind := range []proxy.Kind{proxy.NGINX, proxy.HAProxy} {
				c := &trial{behaviour: b, kind: kind}
				trials = append(trials, c)
				places <- struct{}{}
				s := newSite(t, c) // here, for it may end the test
				running.Go(func() {
					defer func() { <-places }()
					c.climb(t, s, n%2 == 1)
				})
			}
		}
	}
	running.Wait()
	return trials
}

// site is a proxy that can split, and both releases behind it.
type site struct {
	proxy *proxytest.Proxy
	site  proxy.Site
	local machine.Machine
	since string
}

func newSite(t *testing.T, c *trial) *site {
	s := &site{proxy: proxytest.Start(t, c.kind), local: machine.NewLocal("edge")}
	t.Cleanup(func() { _ = s.local.Close() })
	s.site = s.proxy.Site
	s.site.Canary = &proxy.Canary{Sticky: proxy.StickyNone}
	s.site.Pools = []proxy.Pool{{Slot: "blue", Addresses: serve(t, 0, 1)}, {Slot: "green", Addresses: serve(t, c.errors, c.slower)}}
	rendered, err := proxy.Render(s.site)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := proxy.Put.On(t.Context(), s.local, proxy.Install{Site: s.site, Rendered: rendered, Active: "blue"}); err != nil {
		t.Fatal(err)
	}
	if _, err := proxy.Ready.On(t.Context(), s.local, proxy.Selection{Site: s.site, Slot: "green"}); err != nil {
		t.Fatal(err)
	}
	return s
}

// serve is a release with latencies as the simulation has them.
func serve(t *testing.T, errors, slower float64) []value.Address {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		time.Sleep(time.Duration(slower * 50 * math.Exp(0.5*rand.NormFloat64()) * float64(time.Millisecond))) // what an application does
		if rand.Float64() < errors {
			w.WriteHeader(http.StatusInternalServerError)
		}
	}))
	t.Cleanup(server.Close)
	return []value.Address{value.Address(strings.TrimPrefix(server.URL, "http://"))}
}

// climb goes from share to share by what the proxy has counted.
func (c *trial) climb(t *testing.T, s *site, reloads bool) {
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	go load(ctx, "http://"+string(s.site.Listen.Local())+"/", c.rate)
	s.window(t)
	began := time.Now()
	climb, action := canary.Start(c.plan(), began)
	for looks := 0; action.Kind != canary.KindPromote && action.Kind != canary.KindAbort; looks++ {
		if action.Kind == canary.KindStep {
			if _, err := proxy.Share.On(ctx, s.local, proxy.Portion{Site: s.site, Slot: "green", Percent: action.Percent}); err != nil {
				t.Errorf("%s: %v", c.kind, err)
				return
			}
		}
		half := time.Until(action.Next) / 2
		time.Sleep(half)
		if reloads && looks%4 == 1 {
			s.proxy.Reload()
		}
		time.Sleep(time.Until(action.Next)) // the window ends by the clock
		action = climb.Observe(time.Now(), canary.Reading{Window: s.window(t)})
	}
	c.aborted, c.took, c.reason = action.Kind == canary.KindAbort, time.Since(began), action.Reason
	t.Logf("%d/s, %g %% errors, × %g on %s, reloads %t: %s after %s %s", c.rate, 100*c.errors, c.slower, c.kind, reloads, action.Kind, c.took.Round(time.Second), c.reason)
}

func (s *site) window(t *testing.T) canary.Window {
	counted, err := proxy.Counters.On(t.Context(), s.local, proxy.Tally{Site: s.site, Since: s.since})
	if err != nil {
		t.Error(err)
	}
	s.since = cmp.Or(counted.Upto, s.since)
	return canary.Window{New: counted.Slots["green"], Old: counted.Slots["blue"]}
}

// load asks so often, however long answers take.
func load(ctx context.Context, url string, rate int) {
	client := http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 200}, Timeout: 10 * time.Second}
	defer client.CloseIdleConnections()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	began, sent := time.Now(), 0
	for ctx.Err() == nil {
		for due := int(time.Since(began).Seconds() * float64(rate)); sent < due; sent++ {
			go func() {
				if answer, err := client.Get(url); err == nil {
					_, _ = io.Copy(io.Discard, answer.Body)
					_ = answer.Body.Close()
				}
			}()
		}
		select {
		case <-ctx.Done():
		case <-tick.C:
		}
	}
}
