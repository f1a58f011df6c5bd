package ssh

import (
	"context"
	"errors"
	"net"

	"golang.org/x/crypto/ssh"

	"github.com/org/deploy-action/internal/spec"
)

// ShownKey is a key that a server shows, which proves nothing yet.
type ShownKey struct {
	Type        string
	Fingerprint string // "SHA256:…", as ssh-keygen -l prints it
	Line        string // for known_hosts
}

// errSeen ends a handshake once the server has shown its key.
var errSeen = errors.New("seen")

// Scan asks a server for all of its keys, as ssh-keyscan(1) does, without logging
// in to it. Jump hosts before it have to be trusted already.
func (d *Dialer) Scan(ctx context.Context, server *spec.Server) ([]ShownKey, error) {
	l, err := d.login(server)
	if err != nil {
		return nil, err
	}
	var all []ShownKey
	for _, algorithms := range plainAlgorithms {
		key, err := d.scan(ctx, l, algorithms)
		if err != nil {
			return nil, err
		}
		if key != nil {
			all = append(all, ShownKey{key.Type(), ssh.FingerprintSHA256(key), KnownHostsLine(l.host.address, key)})
		}
	}
	return all, nil
}

// scan asks for the key of a type, nil where there is none.
func (d *Dialer) scan(ctx context.Context, l *login, algorithms []string) (key ssh.PublicKey, err error) {
	see := func(_ string, _ net.Addr, shown ssh.PublicKey) error {
		key = shown
		return errSeen
	}
	err = patiently(ctx, func() error {
		_, err := d.handshake(ctx, l, algorithms, see)
		var types *ssh.AlgorithmNegotiationError
		if key != nil || errors.As(err, &types) && types.What == "host key" {
			return nil
		}
		return l.refused(ctx, err)
	})
	return key, err
}

// Destination is how a server is logged in to.
type Destination struct {
	User    string
	Address string   // host:port
	Via     []string // jump hosts, the first hop first
}

// Destination works out how a server is logged in to by the spec and
// ~/.ssh/config. Nothing is connected to.
func (d *Dialer) Destination(server *spec.Server) (Destination, error) {
	l, err := d.login(server)
	if err != nil {
		return Destination{}, err
	}
	to := Destination{User: l.user, Address: l.address}
	for hop := l.via; hop != nil; hop = hop.via {
		to.Via = append([]string{hop.name}, to.Via...)
	}
	return to, nil
}
