package ssh

import (
	"cmp"
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
	"time"

	"golang.org/x/crypto/ssh"

	"github.com/org/deploy-action/internal/spec"
	"github.com/org/deploy-action/internal/value"
)

// login is all that a connection to one host takes.
type login struct {
	name    string // for messages: the server's in the spec, or the host that ProxyJump names
	key     string // what connections are shared by
	address string // host:port, as the one before connects to it
	user    string
	timeout time.Duration // for the connection and its handshake
	via     *login        // nil: from here

	// what prepare fills in: not who lists a host's keys needs them
	prepare func() error
	host    hostIdentity
	signers []ssh.Signer
	tried   []string // where the keys are from
}

// The defaults of spec, over which ~/.ssh/config has its say.
const (
	defaultPort    = 22
	defaultTimeout = 10 * time.Second
)

// login works out how a server is logged in to.
func (d *Dialer) login(server *spec.Server) (*login, error) {
	l, err := d.resolve(string(server.Name), server.Host, server.SSH, maxHops)
	if err != nil {
		var e *Error
		if errors.As(err, &e) {
			return nil, err
		}
		return nil, &Error{string(server.Name), Config, err}
	}
	l.key = "server " + l.name
	return l, nil
}

// maxHops bounds the jump hosts of ~/.ssh/config, which may name each other.
const maxHops = 8

// resolve puts together what the spec says, else ~/.ssh/config, else ssh's
// defaults. host is what one would call ssh with; hops are how many jump hosts
// may lie before it.
func (d *Dialer) resolve(name, host string, o spec.SSHOptions, hops int) (*login, error) {
	about, err := d.config.about(host)
	if err != nil {
		return nil, err
	}
	port := int(o.Port)
	if (port == 0 || port == defaultPort) && about.port != 0 {
		port = about.port
	}
	port = cmp.Or(port, defaultPort)
	l := &login{
		name: name, address: net.JoinHostPort(about.host, strconv.Itoa(port)),
		user: cmp.Or(o.User, about.user, d.options.User), timeout: cmp.Or(o.ConnectTimeout, defaultTimeout),
	}
	if fromUser := about.timeout(); fromUser != 0 && l.timeout == defaultTimeout {
		l.timeout = fromUser
	}
	if l.user == "" {
		return nil, errors.New("no user to log in as: set user")
	}
	l.host = identity(o, about, l)
	l.prepare = func() (err error) {
		if l.host.known, err = d.hostKeys(o, about, l.user, port); err != nil {
			return &Error{name, HostKey, fmt.Errorf("%w; the lines for it: turnout servers trust %s", err, name)}
		}
		if l.signers, l.tried, err = d.signers(o, about, l.user, port); err != nil {
			return &Error{name, Authentication, err}
		}
		return nil
	}
	l.via, err = d.hop(o, about, hops)
	return l, err
}

// hop is the jump host before a host: the spec's, else the last of ProxyJump.
func (d *Dialer) hop(o spec.SSHOptions, about *about, hops int) (*login, error) {
	if o.Via != nil {
		return d.login(o.Via)
	}
	var last *login
	for _, jump := range about.jumps() {
		if hops--; hops < 0 {
			return nil, fmt.Errorf("~/.ssh/config: host %s: more than %d jump hosts by ProxyJump", about.alias, maxHops)
		}
		user, host, port, err := parseJump(jump)
		if err != nil {
			return nil, fmt.Errorf("~/.ssh/config: host %s: %w", about.alias, err)
		}
		o.User, o.Port, o.Fingerprint = user, value.Port(port), "" // the spec's keys and host keys open the way as well
		l, err := d.resolve(host, host, o, hops)
		if err != nil {
			return nil, err
		}
		if last != nil {
			l.via = last
		}
		l.key = fmt.Sprintf("jump %s@%s", l.user, l.address)
		if l.via != nil {
			l.key += " " + l.via.key
		}
		last = l
	}
	return last, nil
}

// parseJump reads a host of ProxyJump: "[user@]host[:port]", also as a URI
// (ssh_config(5)). A port that is not given is 0.
func parseJump(s string) (user, host string, port int, err error) {
	rest := strings.TrimSuffix(strings.TrimPrefix(strings.TrimSpace(s), "ssh://"), "/")
	if at := strings.LastIndex(rest, "@"); at >= 0 {
		user, rest = rest[:at], rest[at+1:]
	}
	host = strings.TrimSuffix(strings.TrimPrefix(rest, "["), "]")
	if name, number, split := net.SplitHostPort(rest); split == nil {
		host = name
		if port, err = strconv.Atoi(number); err != nil {
			return "", "", 0, fmt.Errorf("ProxyJump %s: %s is no port", s, number)
		}
	}
	if host == "" {
		return "", "", 0, fmt.Errorf("ProxyJump %s: names no host", s)
	}
	return user, host, port, nil
}
