package machine

import (
	"context"
	"errors"
	"io"
	"time"
)

// A client that was killed closes its connection. One that sleeps, or is behind a
// network that was cut without a word, does not: an agent that has heard nothing
// for the lease counts it as gone. Clients say that they live every heartbeat.
const (
	heartbeat = 5 * time.Second
	lease     = 20 * time.Second
)

// afterLease is how long the calls of a client that has gone may take to end, and
// to be answered. One that writes to it may never.
const afterLease = 10 * time.Second

var errSilent = errors.New("agent: no word from the client for " + lease.String())

// startLease returns a context that ends once renew was not called for the lease.
func startLease(ctx context.Context) (leased context.Context, renew func(), stop context.CancelFunc) {
	leased, cancel := context.WithCancelCause(ctx)
	timer := time.AfterFunc(lease, func() { cancel(errSilent) })
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
func (r *Remote) beat() {
	ticker := time.NewTicker(heartbeat)
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
