package ssh

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"syscall"
	"time"

	"golang.org/x/crypto/ssh"

	"github.com/org/deploy-action/internal/machine"
)

// Kind is where the way to a server ends.
type Kind string

// The kinds of failures.
const (
	DNS            Kind = "dns"            // its name has no address
	Refused        Kind = "refused"        // nobody listens
	Timeout        Kind = "timeout"        // no answer in time
	Unreachable    Kind = "unreachable"    // no route, or cut off in the handshake
	HostKey        Kind = "host key"       // it is not known, or another than was known
	Authentication Kind = "authentication" // no key of ours is taken
	Agent          Kind = "agent"          // logged in, but no agent speaks to us
	Lost           Kind = "lost"           // the connection ended while it was needed
	Config         Kind = "configuration"  // what the spec or ~/.ssh/config asks for can't be followed
)

// words are how a kind is told. The network's own are one thing to the reader,
// and their cause says the rest.
func (k Kind) words() string {
	switch k {
	case DNS, Refused, Timeout:
		return "unreachable"
	case Lost:
		return "connection lost"
	}
	return string(k)
}

// Error is a server that can't be reached, or no longer: "web02: unreachable:
// connection refused (10.0.1.12:22)". A command that failed on a server never is
// one.
type Error struct {
	Server string // name in the spec
	Kind   Kind
	Err    error
}

func (e *Error) Error() string { return fmt.Sprintf("%s: %s: %v", e.Server, e.Kind.words(), e.Err) }
func (e *Error) Unwrap() error { return e.Err }

// Is makes a lost connection the one that machine knows.
func (e *Error) Is(target error) bool { return target == machine.ErrLost && e.Kind == Lost }

// by is the failure of a server behind the one that err is about.
func by(server string, err error) error {
	var hop *Error
	if !errors.As(err, &hop) {
		return err
	}
	return &Error{server, hop.Kind, fmt.Errorf("by way of %s: %w", hop.Server, hop.Err)}
}

// transient reports whether trying again may help.
func transient(err error) bool {
	var e *Error
	if !errors.As(err, &e) {
		return false
	}
	var name *net.DNSError
	if errors.As(e.Err, &name) {
		return !name.IsNotFound
	}
	return e.Kind == Refused || e.Kind == Unreachable
}

// dialError says why a server's port could not be reached.
func dialError(server, address string, patience time.Duration, err error) error {
	var name *net.DNSError
	var channel *ssh.OpenChannelError
	var number syscall.Errno
	switch {
	case errors.As(err, &name) && name.IsNotFound:
		return &Error{server, DNS, fmt.Errorf("no such host: %s%w", name.Name, hidden{err})}
	case errors.As(err, &name):
		return &Error{server, DNS, fmt.Errorf("%s: %s%w", name.Name, name.Err, hidden{err})}
	case late(err):
		return &Error{server, Timeout, fmt.Errorf("no answer within %s (%s)%w", patience, address, hidden{err})}
	case errors.As(err, &channel):
		return throughError(server, address, channel)
	case errors.Is(err, syscall.ECONNREFUSED):
		return &Error{server, Refused, fmt.Errorf("connection refused (%s)%w", address, hidden{err})}
	case errors.As(err, &number):
		return &Error{server, Unreachable, fmt.Errorf("%s (%s)%w", number.Error(), address, hidden{err})}
	}
	return &Error{server, Unreachable, fmt.Errorf("%w (%s)", err, address)}
}

// throughError says why a jump host could not reach a port. sshd tells the cause
// in words only (RFC 4254, 5.1).
func throughError(server, address string, err *ssh.OpenChannelError) error {
	kind, words := Unreachable, strings.ToLower(err.Message)
	switch {
	case err.Reason == ssh.Prohibited:
		return &Error{server, Unreachable, fmt.Errorf("the jump host forwards no connections to %s: %s; its sshd_config needs AllowTcpForwarding yes", address, words)}
	case strings.Contains(words, "refused"):
		kind = Refused
	case strings.Contains(words, "timed out"):
		kind = Timeout
	case strings.Contains(words, "not known"), strings.Contains(words, "resolution"):
		kind = DNS
	}
	return &Error{server, kind, fmt.Errorf("the jump host says: %s (%s)", words, address)}
}

// hidden is a cause whose text has been told already.
type hidden struct{ error }

func (hidden) Error() string   { return "" }
func (h hidden) Unwrap() error { return h.error }

func late(err error) bool {
	var timeout net.Error
	return errors.Is(err, context.DeadlineExceeded) || errors.Is(err, os.ErrDeadlineExceeded) || errors.As(err, &timeout) && timeout.Timeout()
}

// handshakeError says why a handshake failed that no host key stopped.
func handshakeError(l *login, address string, err error) error {
	var number syscall.Errno
	text := err.Error()
	switch {
	case late(err):
		return &Error{l.name, Timeout, fmt.Errorf("connected, but no handshake within %s (%s)%w", l.timeout, address, hidden{err})}
	case strings.Contains(text, "unable to authenticate"), strings.Contains(text, "Too many authentication failures"):
		return &Error{l.name, Authentication, fmt.Errorf("%s at %s takes none of the keys it was offered: %s. Is the public key in ~%s/.ssh/authorized_keys there?%w",
			l.user, address, strings.Join(l.tried, ", "), l.user, hidden{err})}
	case errors.Is(err, io.EOF), errors.As(err, &number):
		return &Error{l.name, Unreachable, fmt.Errorf("the connection was closed in the handshake: sshd's MaxStartups, a firewall, or no SSH server at all (%s)%w", address, hidden{err})}
	}
	return &Error{l.name, Unreachable, fmt.Errorf("%s (%s)%w", strings.TrimPrefix(text, "ssh: handshake failed: "), address, hidden{err})}
}
