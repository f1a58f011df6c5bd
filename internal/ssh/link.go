package ssh

import (
	"context"
	"errors"
	"fmt"
	"net"
	"time"

	"golang.org/x/crypto/ssh"
)

// link is an SSH connection that somebody has logged in with. Sessions on the
// server and connections by way of it share it.
type link struct {
	client *ssh.Client
	conn   *heard
	ended  chan struct{} // closed when the connection is
	cause  error         // why; set before ended is closed
	cut    chan error    // asks for an end, with the cause
}

func newLink(client *ssh.Client, conn *heard) *link {
	l := &link{client: client, conn: conn, ended: make(chan struct{}), cut: make(chan error, 1)}
	gone := make(chan error, 1)
	go func() { gone <- client.Wait() }()
	go l.live(gone)
	return l
}

// live keeps the connection up and notices when it is no longer.
func (l *link) live(gone <-chan error) {
	defer close(l.ended)
	ask := time.NewTicker(keepaliveEvery)
	defer ask.Stop()
	look := time.NewTicker(lookEvery)
	defer look.Stop()
	for {
		select {
		case l.cause = <-gone:
			return
		case l.cause = <-l.cut:
			_ = l.conn.Close()
			<-gone
			return
		case <-ask.C:
			go l.ask()
		case <-look.C:
			if quiet := l.conn.quiet(); quiet > silence {
				l.end(fmt.Errorf("nothing heard for %s", quiet.Round(time.Second)))
			}
		}
	}
}

// ask has the server say something. OpenSSH refuses the request: an answer too.
func (l *link) ask() { _, _, _ = l.client.SendRequest("keepalive@openssh.com", true, nil) }

// end closes the connection for a reason. The first one counts.
func (l *link) end(cause error) {
	select {
	case l.cut <- cause:
	default:
	}
}

// answers reports whether the server says anything within patience.
func (l *link) answers(patience time.Duration) bool {
	asked := time.Now().UnixNano()
	go l.ask()
	deadline := time.NewTimer(patience)
	defer deadline.Stop()
	look := time.NewTicker(50 * time.Millisecond)
	defer look.Stop()
	for l.conn.last.Load() < asked {
		select {
		case <-l.ended:
			return true // nobody waits for it any more
		case <-deadline.C:
			return false
		case <-look.C:
		}
	}
	return true
}

// broken makes sure of a connection on which something failed.
func (l *link) broken() bool {
	_, _, err := l.client.SendRequest("keepalive@openssh.com", true, nil)
	if err == nil {
		return false
	}
	l.end(err)
	<-l.ended
	return true
}

// Lost reports whether the connection has ended.
func (l *link) Lost() bool {
	select {
	case <-l.ended:
		return true
	default:
		return false
	}
}

var errClosed = errors.New("closed by this run")

// Close ends the connection.
func (l *link) Close() error {
	l.end(errClosed)
	<-l.ended
	return nil
}

// dial connects to an address as seen from the server.
func (l *link) dial(ctx context.Context, address string) (net.Conn, error) {
	conn, err := l.client.DialContext(ctx, "tcp", address)
	if err != nil && l.Lost() {
		return nil, fmt.Errorf("connection to the jump host lost: %w", l.cause)
	}
	return conn, err
}
