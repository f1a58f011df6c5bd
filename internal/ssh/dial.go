package ssh

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"time"

	"golang.org/x/crypto/ssh"
)

// A connection that could not be made is tried again this often, after pauses of
// pauseUnit, twice that, and so on, each ±50 %.
const (
	moreTries = 3
	pauseUnit = 300 * time.Millisecond
)

// link returns the connection to a host, which all share.
func (d *Dialer) link(ctx context.Context, l *login) (*link, error) {
	return d.links.get(ctx, l.key, func(ctx context.Context) (*link, error) { return d.connect(ctx, l) })
}

// connect logs in, by way of the jump host when there is one.
func (d *Dialer) connect(ctx context.Context, l *login) (made *link, err error) {
	if err := l.prepare(); err != nil {
		return nil, err
	}
	err = patiently(ctx, func() (err error) {
		made, err = d.tryConnect(ctx, l)
		return err
	})
	return made, err
}

// patiently does what may fail for a moment, several times.
func patiently(ctx context.Context, do func() error) error {
	for try := 0; ; try++ {
		err := do()
		if err == nil || try == moreTries || !transient(err) {
			return err
		}
		select {
		case <-time.After(time.Duration(float64(pauseUnit<<try) * (0.5 + rand.Float64()))):
		case <-ctx.Done():
			return err
		}
	}
}

// tryConnect makes one handshake, or several where the type of the host's key is
// not known.
func (d *Dialer) tryConnect(ctx context.Context, l *login) (*link, error) {
	var err error
	for _, algorithms := range l.host.offers() {
		var made *link
		if made, err = d.handshake(ctx, l, algorithms, l.host.check); err == nil {
			return made, nil
		}
		err = l.refused(ctx, err)
		var e *Error
		if !errors.As(err, &e) || e.Kind != HostKey {
			break
		}
	}
	return nil, err
}

// handshake connects and logs in within the login's timeout, when it is its turn.
func (d *Dialer) handshake(ctx context.Context, l *login, algorithms []string, check ssh.HostKeyCallback) (*link, error) {
	through, err := d.through(ctx, l)
	if err != nil {
		return nil, err
	}
	done, err := d.turn(ctx, l.address)
	if err != nil {
		return nil, err
	}
	defer done()
	limited, cancel := context.WithTimeout(ctx, l.timeout)
	defer cancel()
	return l.handshake(limited, through, algorithms, check)
}

// dialer makes connections: this machine, or a link.
type dialer func(ctx context.Context, address string) (net.Conn, error)

// through is where a connection to a host begins.
func (d *Dialer) through(ctx context.Context, l *login) (dialer, error) {
	if l.via == nil {
		return func(ctx context.Context, address string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "tcp", address)
		}, nil
	}
	jump, err := d.link(ctx, l.via)
	if err != nil {
		return nil, by(l.name, err)
	}
	return jump.dial, nil
}

// turn waits until a handshake may begin.
func (d *Dialer) turn(ctx context.Context, address string) (done func(), err error) {
	d.mu.Lock()
	each := d.each[address]
	if each == nil {
		each = make(chan struct{}, handshakesEach)
		d.each[address] = each
	}
	d.mu.Unlock()
	for i, places := range []chan struct{}{each, d.all} {
		select {
		case places <- struct{}{}:
		case <-ctx.Done():
			if i > 0 {
				<-each
			}
			return nil, context.Cause(ctx)
		}
	}
	return func() { <-d.all; <-each }, nil
}

// handshake makes the connection. ctx bounds all of it: the library's own timeout
// ends with the connection, and waits for a silent server for ever.
func (l *login) handshake(ctx context.Context, through dialer, algorithms []string, check ssh.HostKeyCallback) (*link, error) {
	conn, err := through(ctx, l.address)
	if err != nil {
		return nil, dialError(l.name, l.address, l.timeout, err)
	}
	heard := listenTo(conn)
	stop := context.AfterFunc(ctx, func() { _ = conn.Close() })
	client, channels, requests, err := ssh.NewClientConn(heard, l.address, &ssh.ClientConfig{
		User: l.user, Auth: []ssh.AuthMethod{ssh.PublicKeys(l.signers...)},
		HostKeyCallback: check, HostKeyAlgorithms: algorithms,
	})
	if !stop() {
		err = ctx.Err()
	}
	if err != nil {
		return nil, errors.Join(err, ignoreClosed(conn.Close()))
	}
	return newLink(ssh.NewClient(client, channels, requests), heard), nil
}

func ignoreClosed(err error) error {
	if errors.Is(err, net.ErrClosed) || errors.Is(err, io.EOF) {
		return nil
	}
	return err
}

// refused is a failed connection as an *Error, unless ctx ended it.
func (l *login) refused(ctx context.Context, err error) error {
	var known *Error
	var types *ssh.AlgorithmNegotiationError
	switch {
	case ctx.Err() != nil:
		return fmt.Errorf("%s: %w", l.name, context.Cause(ctx))
	case errors.As(err, &known):
		return known
	case errors.As(err, &types) && types.What == "host key" && l.host.fingerprint == "":
		return l.host.missing(types.RequestedAlgorithms)
	case errors.As(err, &types) && types.What == "host key":
		return &Error{l.name, HostKey, fmt.Errorf("NOT the one pinned: the server has no key with the fingerprint %s. %s", l.host.fingerprint, danger)}
	}
	return handshakeError(l, l.address, err)
}
