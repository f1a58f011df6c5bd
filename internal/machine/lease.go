package machine

import (
	"context"
	"io"
	"time"
)

// A client that was killed closes its connection. One that sleeps, or is behind a
// network that was cut without a word, does not: an agent that has heard nothing
// for its lease counts it as gone. Clients say that they live four times a lease.

// DefaultLease is the lease of an agent that is told no other.
const DefaultLease = 20 * time.Second

// beats is how often clients say in a lease that they live.
const beats = 4

// afterLease is how long the calls of a client that has gone may take to end, and
// to be answered. One that writes to it may never.
const afterLease = 10 * time.Second

// silentError is a client that was not heard for the lease.
type silentError struct{ lease time.Duration }

func (e *silentError) Error() string {
	return "agent: no word from the client for " + e.lease.String()
}

// startLease returns a context that ends once renew was not called for the lease.
func startLease(ctx context.Context, lease time.Duration) (leased context.Context, renew func(), stop context.CancelFunc) {
	leased, cancel := context.WithCancelCause(ctx)
	timer := time.AfterFunc(lease, func() { cancel(&silentError{lease}) })
	return leased, func() { timer.Reset(lease) }, func() {
		timer.Stop()
		cancel(nil)
	}
}

// renewing renews a lease by everything that is read: a large message on a slow
// network takes longer than the lease.
type renewing struct {
	from  io.Reader
	renew func()
}

func (r *renewing) Read(p []byte) (int, error) {
	n, err := r.from.Read(p)
	if n > 0 {
		r.renew()
	}
	return n, err
}

// beat tells the agent that the client lives, until it says no more.
func (r *Remote) beat(lease time.Duration) {
	ticker := time.NewTicker(lease / beats)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
			_ = r.out.write(frame{Kind: framePing}) // a connection that is lost is noticed by listen
		case <-r.done:
			return
		}
	}
}
