package proxy_test

import (
	"fmt"
	"net/http"
	"os"
	"testing"

	"github.com/org/deploy-action/internal/probe"
	"github.com/org/deploy-action/internal/proxy"
	"github.com/org/deploy-action/internal/proxy/proxytest"
	"github.com/org/deploy-action/internal/value"
)

// tally reads the counters, each time from where it stopped.
type tally struct {
	w     *world
	since string
}

func (y *tally) read() proxy.Counted {
	y.w.t.Helper()
	counted, err := proxy.Counters.On(y.w.t.Context(), y.w.local, proxy.Tally{Site: y.w.site, Since: y.since})
	if err != nil {
		y.w.t.Fatal(err)
	}
	y.since = counted.Upto
	return counted
}

// want reads until both slots together have had n requests, and fails unless
// they are shared out like that.
func (y *tally) want(name string, blue, green, errors int, missed bool) {
	y.w.t.Helper()
	sum := make(map[value.Name][2]int)
	lost := false
	proxytest.Await(y.w.t, func() error { // the last lines may be under way
		counted := y.read()
		lost = lost || counted.Missed
		for slot, c := range counted.Slots {
			if c.Latency.Total() > c.Requests {
				y.w.t.Errorf("%s: %d latencies of %d requests", name, c.Latency.Total(), c.Requests)
			}
			sum[slot] = [2]int{sum[slot][0] + c.Requests, sum[slot][1] + c.Errors}
		}
		return unless(sum["blue"][0]+sum["green"][0] >= blue+green, fmt.Sprint(sum))
	})
	if sum["blue"] != [2]int{blue, 0} || sum["green"] != [2]int{green, errors} || lost != missed {
		y.w.t.Errorf("%s: %v missed %t, want %d, and %d with %d errors, missed %t", name, sum, lost, blue, green, errors, missed)
	}
}

// ask sends n requests and counts who answered.
func (w *world) ask(n int, prepare func(*http.Request)) (blue, green int) {
	w.t.Helper()
	v := w.visitor(prepare)
	for range n {
		slot, _, err := v.visit()
		if err != nil {
			w.t.Fatal(err)
		}
		if slot == "blue" {
			blue++
		} else {
			green++
		}
	}
	return blue, green
}

// Requests with the mark of synthetic ones count apart, whatever else they are.
func TestCountersCountSyntheticRequestsApart(t *testing.T) {
	for _, kind := range []proxy.Kind{proxy.NGINX, proxy.HAProxy} {
		for _, preview := range []bool{true, false} {
			t.Run(fmt.Sprintf("%s preview %t", kind, preview), func(t *testing.T) {
				t.Parallel()
				w := newWorld(t, kind)
				w.site.Canary = &proxy.Canary{Sticky: proxy.StickyNone, Preview: preview}
				w.install("blue")
				w.share("green", 40)
				y := &tally{w: w}
				y.read()
				blueOwn, greenOwn := w.ask(40, func(r *http.Request) { r.Header.Set(probe.Mark, "1") })
				w.ask(10, func(r *http.Request) { r.Header.Set(probe.Mark, "1"); r.Header.Set("X-Turnout-Slot", "green") })
				blue, green := w.ask(60, nil)
				marked := 40
				if !preview { // the header chooses nothing then
					marked = 50
				}
				seen, own := make(map[value.Name]int), make(map[value.Name]int)
				proxytest.Await(t, func() error { // the last lines may be under way
					counted := y.read()
					for _, slot := range []value.Name{"blue", "green"} {
						seen[slot] += counted.Slots[slot].Requests
						own[slot] += counted.Synthetic[slot].Requests
					}
					return unless(seen["blue"]+seen["green"] >= 60 && own["blue"]+own["green"] >= marked, fmt.Sprint(seen, own))
				})
				if seen["blue"] != blue || seen["green"] != green {
					t.Errorf("%v of clients, want %d and %d", seen, blue, green)
				}
				if preview && (own["blue"] != blueOwn || own["green"] != greenOwn) || own["blue"]+own["green"] != marked {
					t.Errorf("%v synthetic, want %d, and without the preview header %d and %d", own, marked, blueOwn, greenOwn)
				}
			})
		}
	}
}

func TestCountersCountEveryRequestOnce(t *testing.T) {
	forEachCanary(t, proxy.StickyNone, func(t *testing.T, w *world) {
		w.share("green", 40)
		y := &tally{w: w}
		w.ask(20, nil)
		if first := y.read(); first.Slots["blue"].Requests+first.Slots["green"].Requests != 0 {
			t.Errorf("the first reading counts %+v", first.Slots)
		}
		y.want("nothing happened", 0, 0, 0, false)
		blue, green := w.ask(200, nil)
		y.want("200 requests", blue, green, 0, false)
		w.ask(30, func(r *http.Request) { r.Header.Set("X-Turnout-Slot", "green") })
		blue, green = w.ask(50, nil)
		y.want("chosen requests do not count", blue, green, 0, false)
		w.reloaded()
		blue, green = w.ask(50, nil)
		y.want("after a reload", blue, green, 0, w.site.Kind == proxy.HAProxy)
		blue, green = w.ask(50, nil)
		y.want("and on", blue, green, 0, false)
		w.share("green", 0)
		w.ask(10, nil)
		if w.site.Kind == proxy.NGINX {
			y.want("nothing is logged without a split", 0, 0, 0, false)
		}
	})
}

// A slot that refuses connections fails where its clients see it.
func TestCountersSeeADeadSlot(t *testing.T) {
	forEachCanary(t, proxy.StickyNone, func(t *testing.T, w *world) {
		w.share("green", 50)
		y := &tally{w: w}
		if counted := y.read(); len(counted.Down) != 0 {
			t.Errorf("down: %v", counted.Down)
		}
		w.green.Stop()
		failed := 0
		for range 40 {
			if status, _, err := w.Get("/"); err != nil || status >= 500 {
				failed++
			}
		}
		y.want("dead", 40-failed, failed, failed, false)
		if failed < 8 {
			t.Errorf("%d of 40 failed at a share of 50 %%", failed)
		}
		proxytest.Await(t, func() error {
			down := y.read().Down
			return unless(len(down["green"]) == 1 && len(down["blue"]) == 0, fmt.Sprint(down))
		})
	})
}

func TestRequestLogIsRotatedAndBounded(t *testing.T) {
	w := canaryWorld(t, proxy.NGINX, proxy.StickyNone)
	w.share("green", 40)
	log := string(w.site.StateDir) + "/live/requests.log"
	y := &tally{w: w}
	y.read()

	blue, green := w.ask(30, nil)
	must(t, os.Rename(log, log+".1"))
	w.reloaded() // it opens its logs anew
	b, g := w.ask(30, nil)
	y.want("rotated", blue+b, green+g, 0, false)

	must(t, os.Truncate(log, 0))
	blue, green = w.ask(5, nil)
	y.want("emptied by somebody", blue, green, 0, true)

	must(t, os.Truncate(log, 20<<20))
	y.since = ""
	y.read()
	blue, green = w.ask(30, nil)
	y.want("over its size", blue, green, 0, false)
	info, err := os.Stat(log)
	must(t, err)
	if info.Size() > 1<<20 {
		t.Errorf("the log has %d bytes", info.Size())
	}
	blue, green = w.ask(30, nil)
	y.want("and on", blue, green, 0, false)
}

func TestCountersNeedACanary(t *testing.T) {
	w := newWorld(t, proxy.NGINX)
	w.install("blue")
	if _, err := proxy.Counters.On(t.Context(), w.local, proxy.Tally{Site: w.site}); err == nil {
		t.Error("a plain body counts")
	}
}
