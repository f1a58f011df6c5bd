package probe

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/org/deploy-action/internal/ask"
)

const (
	// maxAge ends a prober that nobody stops.
	maxAge = 30 * time.Minute

	// maxInFlight bounds the requests under way. One that would be more is not
	// sent and counts as failed: nothing has answered for long by then.
	maxInFlight = 200

	// maxBody is read of each answer, so that one that breaks off is noticed.
	maxBody = 64 << 10
)

// prober is a target being probed.
type prober struct {
	target Target
	began  time.Time
	cancel context.CancelFunc
	mark   string        // of requests that nobody wants to know of; empty: all are kept
	slots  chan struct{} // one per request under way
	done   sync.WaitGroup

	mu      sync.Mutex
	samples []Sample
}

func launch(target Target, mark string, limit time.Duration) *prober {
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	p := &prober{target: target, mark: mark, began: time.Now(), cancel: cancel, slots: make(chan struct{}, maxInFlight)}
	p.done.Go(func() { p.pace(ctx) })
	return p
}

// Close sends no more requests and waits for the answers under way, each of
// which is bounded by the target's timeout. Those that nobody wants to know of are
// broken off.
func (p *prober) Close() error {
	p.cancel()
	p.done.Wait()
	return nil
}

// pace starts a request at each tick.
func (p *prober) pace(ctx context.Context) {
	tick := time.NewTicker(time.Second / time.Duration(p.target.Rate))
	defer tick.Stop()
	for {
		p.send(ctx)
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

func (p *prober) send(ctx context.Context) {
	at := time.Since(p.began)
	select {
	case p.slots <- struct{}{}:
		p.done.Go(func() {
			defer func() { <-p.slots }()
			if p.mark == "" {
				ctx = context.WithoutCancel(ctx)
			}
			p.add(p.ask(ctx, at))
		})
	default:
		p.add(Sample{At: at, Error: fmt.Sprintf("not sent: %d requests without an answer", maxInFlight)})
	}
}

func (p *prober) ask(ctx context.Context, at time.Duration) Sample {
	ctx, cancel := context.WithTimeout(ctx, p.target.Timeout)
	defer cancel()
	began := time.Now()
	answer, err := ask.HTTP(ctx, ask.Question{Address: p.target.Address, Host: p.target.Host, Path: p.target.Path, TLS: p.target.TLS, Mark: p.mark, Limit: maxBody})
	sample := Sample{At: at, Took: time.Since(began), Status: answer.Status}
	switch {
	case err != nil:
		sample.Error = err.Error()
	case !p.target.good(answer.Status):
		sample.Error = fmt.Sprintf("status %d", answer.Status)
	}
	return sample
}

func (t Target) good(status int) bool {
	if len(t.Status) == 0 {
		return status < 500
	}
	return slices.Contains(t.Status, status)
}

func (p *prober) add(s Sample) {
	if p.mark != "" {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.samples = append(p.samples, s)
}
