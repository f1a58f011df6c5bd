package loadtest

import (
	"context"
	"sync"
	"time"

	"github.com/org/deploy-action/internal/value"
)

// Mix is all kinds at once, at a rate that two cores hold easily.
func Mix() []Kind {
	return []Kind{
		KeepAlive(4, 10*time.Millisecond), Naive(4, 25*time.Millisecond), Fresh(2, 10*time.Millisecond),
		Post(2, 25*time.Millisecond), Upload(1), Slow(2), Stream(1),
	}
}

// Request is one request and how it went.
type Request struct {
	Kind    string
	Start   time.Time
	Took    time.Duration
	Status  int       // 0: no answer
	Slot    string    // by SlotHeader
	Release string    // by ReleaseHeader
	Arrived time.Time // at the application, by ArrivedHeader; zero without one
	Error   string    // empty: a whole answer with status 200
}

// Load is clients at work.
type Load struct {
	cancel  context.CancelFunc
	clients sync.WaitGroup

	mu   sync.Mutex
	seen Record
}

// Start sets clients to work on address; host is what they ask for. They go on
// until Stop or the end of ctx.
func Start(ctx context.Context, address value.Address, host string, kinds ...Kind) *Load {
	ctx, cancel := context.WithCancel(ctx)
	l := &Load{cancel: cancel}
	for _, kind := range kinds {
		for range kind.Clients {
			c := &client{kind: kind, address: address, host: host}
			l.clients.Go(func() { c.run(ctx, l.note) })
		}
	}
	return l
}

func (l *Load) note(r Request) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.seen = append(l.seen, r)
}

// Seen is what has been recorded so far.
func (l *Load) Seen() Record {
	l.mu.Lock()
	defer l.mu.Unlock()
	return append(Record(nil), l.seen...)
}

// Stop lets each client finish its request and returns all of them.
func (l *Load) Stop() Record {
	l.cancel()
	l.clients.Wait()
	return l.Seen()
}
