package preview

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/org/deploy-action/internal/loadtest"
	"github.com/org/deploy-action/internal/machine"
	"github.com/org/deploy-action/internal/preview/register"
	"github.com/org/deploy-action/internal/proxy"
	"github.com/org/deploy-action/internal/proxy/proxytest"
)

// TestLifeOfAPreview brings one up, updates it, fails to update it, and takes it
// away, twice.
func TestLifeOfAPreview(t *testing.T) {
	forEachKind(t, func(t *testing.T, w *world) {
		m := w.agent()
		listener, err := net.Listen("tcp", fmt.Sprintf(":%d", w.from))
		if err != nil {
			t.Fatal(err)
		}
		first := w.mustBring(m, 7, "one")
		if first.Port != w.from+1 || URL(w.preview, first) != fmt.Sprintf("http://pr-7.preview.example.com:%d", w.Site.Listen.Port) {
			t.Errorf("first = %+v at %s; port %d is somebody else's", first, URL(w.preview, first), w.from)
		}
		w.shows(7, "one")
		w.shows(8, "")
		_ = listener.Close()
		if second := w.mustBring(m, 7, "two"); second.Port != first.Port || second.Release == first.Release {
			t.Errorf("second = %+v, want the port of %+v", second, first)
		}
		w.shows(7, "two")
		_, err = w.bring(m, 7, "sick")
		if err == nil || !strings.Contains(err.Error(), "503") || !strings.Contains(err.Error(), "runs as before") || !strings.Contains(err.Error(), "app: serves sick") {
			t.Errorf("a sick update: %v", err)
		}
		w.shows(7, "two")
		w.holds(m, []int{7})
		if _, err := w.bring(m, 9, "sick"); err == nil || !strings.Contains(err.Error(), "nothing is left") {
			t.Errorf("a sick first release: %v", err)
		}
		w.shows(9, "")
		for _, want := range []bool{true, false} {
			if found, err := Remove(t.Context(), w.request(m, "down"), 7); err != nil || found != want {
				t.Errorf("remove: %v, %v", found, err)
			}
		}
		w.shows(7, "")
		w.holds(m, nil)
	})
}

// TestSyncConverges loses the events of pull requests that closed, interrupts
// removals, updates and first releases, has two syncs run at once, and kills one.
func TestSyncConverges(t *testing.T) {
	forEachKind(t, func(t *testing.T, w *world) {
		count, closed := 10, 4
		if os.Getenv("TURNOUT_SOAK") != "" {
			count, closed = 30, 10
		}
		m := w.agent()
		var open []int
		for n := 1; n <= count; n++ {
			w.mustBring(m, n, fmt.Sprint("text ", n))
			if n > closed {
				open = append(open, n)
			}
		}
		w.spoil(m, open)
		ask := func(context.Context) ([]int, error) { return append([]int{99}, open...), nil }

		// The one that has the lock dies once its first preview is gone.
		doomed, survivor := w.agent(), w.agent()
		victim := w.request(doomed, "victim")
		tell, dies := victim.Tell, sync.Once{}
		reached := make(chan struct{})
		victim.Tell = func(s Step) {
			tell(s)
			if strings.Contains(s.Text, "removed") {
				dies.Do(func() { w.kill(doomed); close(reached) })
			}
		}
		failed := make(chan error, 1)
		go func() { _, err := Sync(t.Context(), victim, ask); failed <- err }()
		select {
		case <-reached:
		case err := <-failed:
			t.Fatalf("the victim removed nothing: %v\n%s", err, strings.Join(w.steps, "\n"))
		}
		synced, err := Sync(t.Context(), w.request(survivor, "survivor"), ask)
		if err != nil {
			t.Fatalf("survivor: %v\n%s", err, strings.Join(w.steps, "\n"))
		}
		if err := <-failed; err == nil {
			t.Error("the victim did not notice that its agent died")
		}
		if fmt.Sprint(synced.Missing) != "[99]" {
			t.Errorf("missing: %v", synced.Missing)
		}
		for n := 1; n <= closed; n++ {
			w.shows(n, "")
		}
		for _, n := range open {
			w.shows(n, fmt.Sprint("text ", n))
		}
		w.holds(m, open)
		again, err := Sync(t.Context(), w.request(m, "again"), ask)
		if err != nil || len(again.Removed)+len(again.Repaired) > 0 || len(again.Kept) != len(open) {
			t.Errorf("a second sync: %+v, %v", again, err)
		}
	})
}

// spoil has one preview be in the middle of an update, one dead, and one without
// its site.
func (w *world) spoil(m machine.Machine, open []int) {
	w.t.Helper()
	all, err := List(w.t.Context(), w.request(m, "spoil"))
	if err != nil {
		w.t.Fatal(err)
	}
	for _, r := range all {
		switch r.Number {
		case open[0]:
			r.State = register.Coming
			w.write(r)
		case open[1]:
			p, err := (&work{Request: w.request(m, "")}).at(r)
			if err != nil {
				w.t.Fatal(err)
			}
			sh(w.t, p.dir(), p.instance.Stop)
		case open[2]:
			sh(w.t, w.Dir, "rm -f conf.d/turnout-"+string(r.Name)+".conf; [ ! -e conf.d/shop.cfg ] || sed -i '/use_backend "+string(r.Name)+" /d' conf.d/shop.cfg")
			w.Reload()
		}
	}
}

// TestSyncRemovesWhatIsToGo has, all of open pull requests, a first release whose
// run was killed before it was on record that it is up, a preview that nothing has
// come to for longer than its ttl, and one that something came to in time.
func TestSyncRemovesWhatIsToGo(t *testing.T) {
	forEachKind(t, func(t *testing.T, w *world) {
		m := w.agent()
		old := time.Now().Add(-w.preview.TTL - time.Minute)
		for number, spoil := range map[int]func(*Record){
			1: func(r *Record) { r.State, r.Release = register.Coming, "" },
			2: func(r *Record) { r.Updated = old },
			3: func(r *Record) { r.Updated = old },
		} {
			r := w.mustBring(m, number, "one")
			spoil(&r)
			w.write(r)
		}
		w.mustBring(m, 3, "two")
		synced, err := Sync(t.Context(), w.request(m, "sync"), pulls(1, 2, 3))
		if err != nil || len(synced.Removed) != 2 || len(synced.Missing) != 2 || len(synced.Kept) != 1 {
			t.Errorf("sync: %+v, %v", synced, err)
		}
		w.told("shop-pr-1: removed: it never came up", "shop-pr-2: removed: nothing has come to it for longer than its ttl")
		w.shows(1, "")
		w.shows(2, "")
		w.shows(3, "two")
		w.holds(m, []int{3})
	})
}

// TestTwoRunsAtOnceLeaseTwoPorts brings up two previews side by side.
func TestTwoRunsAtOnceLeaseTwoPorts(t *testing.T) {
	forEachKind(t, func(t *testing.T, w *world) {
		agents := []*machine.Child{w.agent(), w.agent()}
		var runs sync.WaitGroup
		for i, m := range agents {
			runs.Go(func() {
				if _, err := w.bring(m, i+1, fmt.Sprint("text ", i+1)); err != nil {
					t.Error(err)
				}
			})
		}
		runs.Wait()
		w.shows(1, "text 1")
		w.shows(2, "text 2")
		w.holds(agents[0], []int{1, 2})
	})
}

// TestLimits refuses a preview too many, a pull request without a number, and
// prunes what is older than its time to live.
func TestLimits(t *testing.T) {
	t.Parallel()
	w := newWorld(t, proxy.NGINX)
	m := w.agent()
	w.preview.Max = 1
	w.mustBring(m, 1, "one")
	if _, err := w.bring(m, 2, "two"); err == nil || !strings.Contains(err.Error(), "max is 1") {
		t.Errorf("a preview too many: %v", err)
	}
	if _, err := w.bring(m, 0, "zero"); err == nil {
		t.Error("pull request 0 has a preview")
	}
	if _, err := Sync(t.Context(), w.request(m, "blind"), func(context.Context) ([]int, error) { return nil, errors.New("GitHub is down") }); err == nil || !strings.Contains(err.Error(), "nothing was changed") {
		t.Errorf("a sync that can't know: %v", err)
	}
	w.shows(1, "one")
	if s, err := Prune(t.Context(), w.request(m, "prune")); err != nil || len(s.Removed) != 0 {
		t.Errorf("prune: %+v, %v", s, err)
	}
	w.preview.TTL = time.Nanosecond
	if s, err := Prune(t.Context(), w.request(m, "prune")); err != nil || len(s.Removed) != 1 {
		t.Errorf("prune: %+v, %v", s, err)
	}
	w.shows(1, "")
	w.holds(m, nil)
}

// TestMovedIsMadeAnew has the spec give previews other host names, another folder
// and other ports, one after the other.
func TestMovedIsMadeAnew(t *testing.T) {
	t.Parallel()
	w := newWorld(t, proxy.HAProxy)
	m := w.agent()
	w.respec(`"pr-$`, `"old-$`)
	w.mustBring(m, 1, "zero")
	for _, move := range [][2]string{
		{`"old-$`, `"pr-$`},
		{"/srv/$", "/srv/moved-$"},
		{fmt.Sprintf("%d-", w.from), fmt.Sprintf("%d-", w.from+portsEach/2)},
	} {
		w.respec(move[0], move[1])
		w.mustBring(m, 1, move[1])
		w.told("it is made anew")
		w.shows(1, move[1])
		w.holds(m, []int{1})
	}
}

// TestTLS has previews at https:// addresses alone, and plain HTTP lead there.
func TestTLS(t *testing.T) {
	forEachKind(t, func(t *testing.T, w *world) {
		redirect := proxytest.FreePort(t)
		w.respec("listen =", fmt.Sprintf("tls {\n certificate = %q\n redirect = %d\n }\n listen =", w.certificate(), redirect))
		m := w.agent()
		r := w.mustBring(m, 1, "one")
		w.shows(1, "one")
		w.shows(2, "")
		request, err := http.NewRequest(http.MethodGet, fmt.Sprintf("http://127.0.0.1:%d/a", redirect), nil)
		if err != nil {
			t.Fatal(err)
		}
		request.Host = string(r.Hostname)
		response, err := http.DefaultTransport.RoundTrip(request)
		if err != nil {
			t.Fatal(err)
		}
		_ = response.Body.Close()
		if got, want := response.Header.Get("Location"), URL(w.preview, r)+"/a"; got != want || !strings.HasPrefix(want, "https://") {
			t.Errorf("plain HTTP leads to %q, want %q", got, want)
		}
	})
}

// TestOverlappingRanges has the block of another repository lease out of the same
// ports, with its leases in another directory. A port that a killed run has leased
// and the other one has taken since stays the other one's.
func TestOverlappingRanges(t *testing.T) {
	t.Parallel()
	w := newWorld(t, proxy.NGINX)
	m := w.agent()
	mine := w.mustBring(m, 1, "mine")
	w.respec(`preview "shop"`, `preview "blog"`, "/previews", "/others", "preview.example", "blog.example")
	others := w.mustBring(m, 1, "others")
	if mine.Port == others.Port {
		t.Errorf("both were given port %d", mine.Port)
	}
	if _, err := Remove(t.Context(), w.request(m, "down"), 1); err != nil {
		t.Error(err)
	}
	lost := Record{Name: "blog-pr-2", Number: 2, Port: mine.Port, State: register.Coming}
	w.write(lost)
	if _, err := w.bring(m, 2, "two"); !errors.Is(err, errTaken) || Stranded(err) {
		t.Errorf("at a port that is taken: %v", err)
	}
	if two := w.mustBring(m, 2, "two"); two.Port == mine.Port {
		t.Errorf("both have port %d", mine.Port)
	}
	w.shows(1, "mine")
}

// TestOthersLoseNothing has clients of one preview ask while another one comes,
// fails to, and goes. An nginx of before 1.27.4 may close an idle connection then.
func TestOthersLoseNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t, proxy.HAProxy)
	m := w.agent()
	w.mustBring(m, 1, "one")
	load := loadtest.Start(context.Background(), w.Site.Listen.Local(), "pr-1.preview.example.com",
		loadtest.Naive(2, time.Millisecond), loadtest.Post(1, time.Millisecond), loadtest.Fresh(1, time.Millisecond))
	w.mustBring(m, 2, "two")
	if _, err := w.bring(m, 3, "sick"); err == nil {
		t.Error("a sick release came up")
	}
	if _, err := Remove(t.Context(), w.request(m, "down"), 2); err != nil {
		t.Error(err)
	}
	seen := load.Stop()
	if failed := seen.Failed(); len(seen) == 0 || len(failed) > 0 {
		t.Errorf("%d of %d requests failed: %+v", len(failed), len(seen), failed[:min(3, len(failed))])
	}
	w.holds(m, []int{1})
}

// TestHAProxyThatIsDown can't be led to a new preview, and takes none down.
func TestHAProxyThatIsDown(t *testing.T) {
	t.Parallel()
	w := newWorld(t, proxy.HAProxy)
	m := w.agent()
	w.mustBring(m, 1, "one")
	w.Kill()
	if _, err := w.bring(m, 2, "two"); err == nil || Stranded(err) || !strings.Contains(err.Error(), "nothing is left of it") {
		t.Errorf("up: %v", err)
	}
	if _, err := Remove(t.Context(), w.request(m, "down"), 1); err == nil || !strings.Contains(err.Error(), "HAProxy is not running") {
		t.Errorf("down: %v", err)
	}
	w.Start()
	w.shows(1, "one")
	if s, err := Prune(t.Context(), w.request(m, "prune")); err != nil || len(s.Removed) != 1 {
		t.Errorf("prune: %+v, %v", s, err)
	}
	w.shows(1, "")
	w.holds(m, nil)
}
