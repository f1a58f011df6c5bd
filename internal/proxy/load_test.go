package proxy_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/org/deploy-action/internal/value"
)

// load is clients of several kinds that ask until they are stopped.
type load struct {
	requests atomic.Int64
	mu       sync.Mutex
	failures []string
	stop     context.CancelFunc
	done     sync.WaitGroup
}

func startLoad(t *testing.T, base string) *load {
	ctx, stop := context.WithCancel(t.Context())
	l := &load{stop: stop}
	for range 4 {
		l.run(ctx, "keep-alive", post(base+"/", false))
	}
	l.run(ctx, "fresh", post(base+"/", true))
	l.run(ctx, "slow answer", post(base+"/slow", false))
	l.run(ctx, "slow 2 MB POST", slowPost(base+"/"))
	t.Cleanup(func() { l.end(t) })
	return l
}

// run asks again and again. A request under way when the load is stopped is
// waited for: it must end well, too.
func (l *load) run(ctx context.Context, name string, ask func() error) {
	l.done.Go(func() {
		for ctx.Err() == nil {
			l.requests.Add(1)
			if err := ask(); err != nil {
				l.mu.Lock()
				l.failures = append(l.failures, fmt.Sprintf("%s: %v", name, err))
				l.mu.Unlock()
			}
		}
	})
}

func (l *load) end(t *testing.T) {
	l.stop()
	l.done.Wait()
	t.Logf("%d requests, %d failed", l.requests.Load(), len(l.failures))
	for _, failure := range l.failures {
		t.Error(failure)
	}
}

// post asks with a POST without a body on a connection of its own: Go's client
// silently repeats a GET whose connection was closed, and never a POST.
func post(url string, fresh bool) func() error {
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: fresh, MaxIdleConnsPerHost: 1}, Timeout: 10 * time.Second}
	return func() error {
		response, err := client.Post(url, "text/plain", nil)
		return ended(response, err)
	}
}

func slowPost(url string) func() error {
	client := http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 1}, Timeout: 10 * time.Second}
	return func() error {
		response, err := client.Post(url, "application/octet-stream", &dribble{Reader: bytes.NewReader(make([]byte, 2<<20))})
		return ended(response, err)
	}
}

// dribble takes 1 s to give 2 MB.
type dribble struct{ io.Reader }

func (d *dribble) Read(p []byte) (int, error) {
	time.Sleep(15 * time.Millisecond)
	return d.Reader.Read(p[:min(len(p), 32<<10)])
}

func ended(response *http.Response, err error) error {
	if err != nil {
		return err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err == nil && response.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s %.80q", response.Status, body)
	}
	return err
}

func TestSwitchingUnderLoadLosesNothing(t *testing.T) {
	forEachKind(t, func(t *testing.T, w *world) {
		w.install("blue")
		load := startLoad(t, "http://"+string(w.site.Listen.Local()))
		for i := range 10 {
			w.selectSlot([]value.Name{"green", "blue"}[i%2])
		}
		load.stop()
	})
}
