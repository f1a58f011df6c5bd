package proxy_test

import (
	"errors"
	"fmt"
	"io"
	"math"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/org/deploy-action/internal/loadtest"
	"github.com/org/deploy-action/internal/proxy"
	"github.com/org/deploy-action/internal/proxy/proxytest"
	"github.com/org/deploy-action/internal/value"
)

// canaryWorld is a world whose body can split, with blue serving.
func canaryWorld(t *testing.T, kind proxy.Kind, sticky proxy.Sticky) *world {
	t.Helper()
	w := newWorld(t, kind)
	w.site.Canary = &proxy.Canary{Sticky: sticky, Preview: true}
	w.install("blue")
	return w
}

func forEachCanary(t *testing.T, sticky proxy.Sticky, test func(t *testing.T, w *world)) {
	for _, kind := range []proxy.Kind{proxy.NGINX, proxy.HAProxy} {
		t.Run(string(kind), func(t *testing.T) {
			t.Parallel()
			test(t, canaryWorld(t, kind, sticky))
		})
	}
}

func (w *world) share(slot value.Name, percent int) proxy.Selected {
	w.t.Helper()
	selected, err := proxy.Share.On(w.t.Context(), w.local, proxy.Portion{Site: w.site, Slot: slot, Percent: percent})
	if err != nil {
		w.t.Fatal(err)
	}
	return selected
}

// says fails unless selector and running proxy agree that the slot serves all but
// the share of the other.
func (w *world) says(active value.Name, share int) {
	w.t.Helper()
	live := w.inspect()
	if live.Active != active || live.Share != share || live.Edited {
		w.t.Fatalf("on disk %s serves all but %d %% (edited: %t), want %s and %d", live.Active, live.Share, live.Edited, active, share)
	}
	if live.Running == nil || live.Running.Slot != active || live.Running.Share != share {
		w.t.Fatalf("running: %+v %s, want %s and %d", live.Running, live.Trouble, active, share)
	}
}

// visitor is a client with its own connections that sends what prepare adds.
type visitor struct {
	client  http.Client
	url     string
	prepare func(*http.Request)
}

func (w *world) visitor(prepare func(*http.Request)) *visitor {
	transport := &http.Transport{MaxIdleConnsPerHost: 8}
	w.t.Cleanup(transport.CloseIdleConnections)
	return &visitor{
		client: http.Client{Transport: transport, Timeout: 10 * time.Second},
		url:    "http://" + string(w.site.Listen.Local()) + "/", prepare: prepare,
	}
}

// from is a visitor with an address of its own.
func (w *world) from(ip string) *visitor {
	v := w.visitor(nil)
	dialer := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(ip)}}
	v.client.Transport.(*http.Transport).DialContext = dialer.DialContext
	return v
}

// visit is who answers, and the cookies it sets.
func (v *visitor) visit() (string, []*http.Cookie, error) {
	request, err := http.NewRequest(http.MethodGet, v.url, nil)
	if err != nil {
		return "", nil, err
	}
	if v.prepare != nil {
		v.prepare(request)
	}
	response, err := v.client.Do(request)
	if err != nil {
		return "", nil, err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil || response.StatusCode != http.StatusOK {
		return "", nil, fmt.Errorf("%s (%v)", response.Status, err)
	}
	return string(body), response.Cookies(), nil
}

// count asks n times, eight at once, and counts the answers.
func (w *world) count(n int) map[string]int {
	w.t.Helper()
	const clients = 8
	counts, errs := make([]map[string]int, clients), make([]error, clients)
	var all sync.WaitGroup
	for i := range clients {
		counts[i] = make(map[string]int)
		all.Go(func() {
			v := w.visitor(nil)
			for range n / clients {
				slot, _, err := v.visit()
				errs[i] = errors.Join(errs[i], err)
				counts[i][slot]++
			}
		})
	}
	all.Wait()
	if err := errors.Join(errs...); err != nil {
		w.t.Fatal(err)
	}
	sum := make(map[string]int)
	for _, one := range counts {
		for slot, k := range one {
			sum[slot] += k
		}
	}
	return sum
}

// shareOf fails unless, of n requests, about percent go to slot: chance allows
// four standard deviations, which one run of 16,000 exceeds.
func (w *world) shareOf(slot string, n, percent int) {
	w.t.Helper()
	p := float64(percent) / 100
	want, tolerance := float64(n)*p, 4*math.Sqrt(float64(n)*p*(1-p))
	got := w.count(n)[slot]
	w.t.Logf("%d %%: %.2f %% of %d", percent, 100*float64(got)/float64(n), n)
	if math.Abs(float64(got)-want) > tolerance {
		w.t.Errorf("%s got %d of %d requests, want %.0f ± %.0f", slot, got, n, want, tolerance)
	}
}

// soaking reports whether there is time for large numbers.
func soaking() bool { return os.Getenv("TURNOUT_SOAK") != "" }

func heavy(n, soak int) int {
	if soaking() {
		return soak
	}
	return n
}

func TestShares(t *testing.T) {
	forEachCanary(t, proxy.StickyNone, func(t *testing.T, w *world) {
		n, percents := heavy(1000, 10000), []int{10}
		if soaking() {
			percents = []int{1, 5, 10, 25, 50}
		}
		for _, percent := range percents {
			w.share("green", percent)
			w.says("blue", percent)
			w.shareOf("green", n, percent)
			before := w.inspect().Running.ID
			w.reloaded()
			w.says("blue", percent)
			w.shareOf("green", n, percent)
			if w.inspect().Running.ID != before {
				t.Error("a step has changed the body")
			}
		}
		for _, end := range []struct {
			percent int
			slot    value.Name
		}{{0, "blue"}, {100, "green"}, {0, "blue"}} {
			w.share("green", end.percent)
			w.says(end.slot, 0)
			if got := w.count(n)[string(end.slot)]; got != n {
				t.Errorf("%d %%: %d of %d requests went to %s", end.percent, got, n, end.slot)
			}
		}
	})
}

// reloaded has an administrator reload the proxy and waits until nobody of
// before takes connections: a HAProxy that has loaded may have a worker that has
// not yet read that it is to leave, and takes what it counts with it.
func (w *world) reloaded() {
	w.t.Helper()
	ready, left := w.workers()
	w.Reload()
	proxytest.Await(w.t, func() error {
		nowReady, nowLeft := w.workers()
		return unless(nowReady > ready && nowLeft > left, "no new generation yet")
	})
}

// workers counts the generations of workers that the proxy has ever had ready,
// and those that have let go of our listener.
func (w *world) workers() (ready, left int) {
	w.t.Helper()
	log, _ := readIf(w.site.ErrorLog)
	if w.site.Kind == proxy.HAProxy {
		return strings.Count(log, "Loading success."), strings.Count(log, "Proxy shop stopped")
	}
	left = strings.Count(log, "gracefully shutting down") / 4
	return left, left
}

// The second slot may be the one that serves, and the new release in the first.
func TestShareOfTheFirstSlot(t *testing.T) {
	forEachCanary(t, proxy.StickyNone, func(t *testing.T, w *world) {
		w.share("green", 100)
		w.share("blue", 10)
		w.says("green", 10)
		w.shareOf("blue", 500, 10)
		w.share("blue", 0)
		w.says("green", 0)
		w.served("green")
		w.share("blue", 30)
		w.selectSlot("blue")
		w.says("blue", 0)
		w.served("blue")
	})
}

func TestSplitSurvivesAPowerCut(t *testing.T) {
	forEachCanary(t, proxy.StickyNone, func(t *testing.T, w *world) {
		w.share("green", 25)
		w.Kill()
		w.Start()
		w.says("blue", 25)
		w.shareOf("green", 500, 25)
	})
}

// Three servers of the old release and one of the new: shares are per release.
func TestSharesDoNotDependOnTheNumberOfServers(t *testing.T) {
	for _, kind := range []proxy.Kind{proxy.NGINX, proxy.HAProxy} {
		t.Run(string(kind), func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, kind)
			w.site.Canary = &proxy.Canary{Sticky: proxy.StickyNone}
			for range 2 {
				w.site.Pools[0].Addresses = append(w.site.Pools[0].Addresses, proxytest.StartBackend(t, "blue").Address)
			}
			w.install("blue")
			w.share("green", 10)
			w.shareOf("green", heavy(500, 10000), 10)
		})
	}
}

// person is a sticky client that keeps its cookies, or has an address of its own.
type person struct {
	w      *world
	cookie *http.Cookie
	v      *visitor
}

func (w *world) person() *person {
	p := &person{w: w}
	p.v = w.visitor(func(r *http.Request) {
		if p.cookie != nil {
			r.AddCookie(p.cookie)
		}
	})
	return p
}

func (p *person) visit() string {
	slot, cookies, err := p.v.visit()
	if err != nil {
		p.w.t.Error(err)
	}
	for _, cookie := range cookies {
		if p.cookie != nil {
			p.w.t.Errorf("a second cookie %s after %s", cookie, p.cookie)
		}
		p.cookie = cookie
	}
	return slot
}

func TestWhoHasSeenTheNewReleaseStays(t *testing.T) {
	forEachCanary(t, proxy.StickyCookie, func(t *testing.T, w *world) {
		people := make([]*person, heavy(100, 2000))
		shared := w.visitor(nil)
		for i := range people {
			people[i] = w.person()
			people[i].v.client = shared.client // connections are not what is remembered
		}
		there := make(map[*person]bool)
		for _, percent := range []int{5, 25, 50, 100} {
			w.share("green", percent)
			now := 0
			for _, p := range people {
				slot := p.visit()
				if slot == "green" {
					now++
				}
				if there[p] && slot != "green" {
					t.Fatalf("%d %%: a client of the new release went back", percent)
				}
				there[p] = slot == "green"
			}
			t.Logf("%d %%: %d of %d clients", percent, now, len(people))
			want := float64(len(people)) * float64(percent) / 100
			if math.Abs(float64(now)-want) > 4*math.Sqrt(want*(1-float64(percent)/100)) {
				t.Errorf("%d %%: %d of %d clients", percent, now, len(people))
			}
		}
		w.share("green", 0)
		for _, p := range people {
			if p.visit() != "blue" {
				t.Fatal("a client stayed at the release that was taken back")
			}
		}
	})
}

func TestStickyClientAddress(t *testing.T) {
	forEachCanary(t, proxy.StickyClientIP, func(t *testing.T, w *world) {
		w.share("green", 50)
		seen := make(map[string]int)
		for i := range 100 {
			client := w.from(fmt.Sprintf("127.0.1.%d", i+1))
			slot, _, err := client.visit()
			again, _, errAgain := client.visit()
			if err != nil || errAgain != nil || slot != again {
				t.Fatalf("client %d: %q, then %q (%v, %v)", i, slot, again, err, errAgain)
			}
			seen[slot]++
		}
		if seen["green"] < 30 || seen["green"] > 70 {
			t.Errorf("50 %%: %v", seen)
		}
	})
}

func TestPreviewHeader(t *testing.T) {
	forEachCanary(t, proxy.StickyNone, func(t *testing.T, w *world) {
		for _, want := range []string{"green", "blue", "nonsense", "green blue"} {
			slot, _, err := w.visitor(func(r *http.Request) { r.Header.Set("X-Turnout-Slot", want) }).visit()
			if want != "green" {
				want = "blue"
			}
			if slot != want || err != nil {
				t.Errorf("%q (%v), want %q", slot, err, want)
			}
		}
	})
}

func TestShareNeedsABodyThatSplits(t *testing.T) {
	forEachKind(t, func(t *testing.T, w *world) {
		w.install("blue")
		_, err := proxy.Share.On(t.Context(), w.local, proxy.Portion{Site: w.site, Slot: "green", Percent: 10})
		if err == nil || !strings.Contains(err.Error(), "not written for a canary") {
			t.Errorf("error %v", err)
		}
		w.says("blue", 0)
		w.site.Canary = &proxy.Canary{Sticky: proxy.StickyNone}
		w.install("blue")
		w.share("green", 10)
		w.says("blue", 10)
		w.site.Canary = nil // the next deploy is a plain one
		w.install("blue")
		w.says("blue", 0)
		w.served("blue")
		w.selectSlot("green")
		w.served("green")
	})
}

func TestShareRefuses(t *testing.T) {
	w := canaryWorld(t, proxy.NGINX, proxy.StickyNone)
	for want, p := range map[string]proxy.Portion{
		"101 % is no share": {Site: w.site, Slot: "green", Percent: 101},
		"-1 % is no share":  {Site: w.site, Slot: "green", Percent: -1},
		"not a slot of":     {Site: w.site, Slot: "red", Percent: 10},
	} {
		if _, err := proxy.Share.On(t.Context(), w.local, p); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want %q in it", err, want)
		}
	}
	w.green.Stop()
	if _, err := proxy.Share.On(t.Context(), w.local, proxy.Portion{Site: w.site, Slot: "green", Percent: 10}); err == nil {
		t.Error("a dead slot got a share")
	}
	w.says("blue", 0)
}

// A share that falls needs nobody but the old slot: an abort works when the new
// one is dead.
func TestDeadSlotIsLeft(t *testing.T) {
	forEachCanary(t, proxy.StickyNone, func(t *testing.T, w *world) {
		w.share("green", 50)
		w.green.Stop()
		w.share("green", 0)
		w.served("blue")
	})
}

func TestShareChangesUnderLoadLoseNothing(t *testing.T) {
	forEachCanary(t, proxy.StickyCookie, func(t *testing.T, w *world) {
		load := loadtest.Start(t.Context(), w.site.Listen.Local(), "shop",
			loadtest.KeepAlive(4, time.Millisecond), loadtest.Naive(2, 2*time.Millisecond), loadtest.Fresh(2, 2*time.Millisecond))
		changes := heavy(5, 100)
		for i := range changes {
			w.share("green", (i*37+1)%101)
		}
		record := load.Stop()
		t.Logf("%d changes, %d requests, %d failed", changes, len(record), len(record.Failed()))
		for _, q := range record.Failed()[:min(10, len(record.Failed()))] {
			t.Errorf("%s: %s", q.Kind, q.Error)
		}
	})
}

// Two canaries in one nginx define the same variables, and split on their own.
// Another administrator's cache of open files, and his distrust of links, must
// not keep nginx from seeing what is there now.
func TestTwoCanariesInOneNGINX(t *testing.T) {
	w := newWorld(t, proxy.NGINX)
	must(t, os.WriteFile(w.Dir+"/conf.d/0.conf", []byte("open_file_cache max=100 inactive=1h; open_file_cache_valid 1h; open_file_cache_errors on; disable_symlinks on;\n"), 0o644))
	w.site.Canary = &proxy.Canary{Sticky: proxy.StickyCookie}
	w.install("blue")
	first := w.site
	w.site.Env, w.site.Config, w.site.StateDir = "shop-2", value.Path(w.Dir+"/conf.d/shop-2.conf"), value.Path(w.Dir+"/state-2")
	w.site.Listen.Port = proxytest.FreePort(t)
	w.site.Canary = &proxy.Canary{Sticky: proxy.StickyNone, Preview: true}
	w.install("blue")
	w.share("green", 50)
	w.says("blue", 50)
	second := w.site
	w.site = first
	w.says("blue", 0)
	w.share("green", 10)
	w.says("blue", 10)
	w.site = second
	w.says("blue", 50)
}
