// Package ssh opens machines on servers: it logs in, starts turnout's agent at
// the other end and speaks to it. Everything that is done on a server is then an
// operation of package machine.
package ssh

import (
	"cmp"
	"context"
	"errors"
	"runtime"
	"sync"

	"golang.org/x/crypto/ssh"

	"github.com/org/deploy-action/internal/agent"
	"github.com/org/deploy-action/internal/machine"
	"github.com/org/deploy-action/internal/spec"
)

// Options are what connections need from the process that makes them.
type Options struct {
	Home     string // of the user, for ~/.ssh; empty where nobody's home is ours to read
	User     string // who logs in where neither the spec nor ~/.ssh/config says
	AuthSock string // socket of an ssh-agent(1); empty: none
	Program  string // path of this turnout's binary; those for other platforms lie beside it
	Platform string // what Program was built for, "linux/amd64"; empty: what this process was
	Version  string // of this turnout
}

// Most handshakes at the same time: to one address, as sshd drops connections at
// random from its MaxStartups of 10 on, and in all, as each costs both ends CPU.
const (
	handshakesEach = 10
	handshakesAll  = 64
)

// Dialer opens machines on servers. Each server has one connection and one agent,
// shared by all who ask.
type Dialer struct {
	options  Options
	config   *userConfig
	known    memo[*hostKeys]
	keys     memo[ssh.Signer]
	agent    keyAgent
	programs memo[agent.Binary]

	links    shared[*link]
	machines shared[*Machine]

	all  chan struct{}
	mu   sync.Mutex
	each map[string]chan struct{} // by address
}

// New returns a Dialer that has opened nothing yet.
func New(o Options) *Dialer {
	o.Platform = cmp.Or(o.Platform, runtime.GOOS+"/"+runtime.GOARCH)
	return &Dialer{
		options: o, config: newUserConfig(o.Home), agent: keyAgent{socket: o.AuthSock},
		all: make(chan struct{}, handshakesAll), each: make(map[string]chan struct{}),
	}
}

// Machine returns the machine that server is, opened when it is first asked for
// and anew when its connection was lost. An error is an *Error, or the cause of
// ctx's end.
func (d *Dialer) Machine(ctx context.Context, server *spec.Server) (machine.Machine, error) {
	m, err := d.machines.get(ctx, string(server.Name), func(ctx context.Context) (*Machine, error) {
		l, err := d.login(server)
		if err != nil {
			return nil, err
		}
		return d.start(ctx, server, l)
	})
	if err != nil {
		return nil, err // and no machine: a nil *Machine would be one
	}
	return m, nil
}

// Close ends every agent and every connection.
func (d *Dialer) Close() error {
	return errors.Join(d.machines.close(), d.links.close(), d.agent.close())
}

// memo remembers what was made of a text, so that 50 servers with one key or one
// list of host keys cost the work of one.
type memo[T any] struct {
	mu  sync.Mutex
	all map[string]func() (T, error)
}

func (m *memo[T]) get(key string, build func() (T, error)) (T, error) {
	m.mu.Lock()
	once := m.all[key]
	if once == nil {
		once = sync.OnceValues(build)
		if m.all == nil {
			m.all = make(map[string]func() (T, error))
		}
		m.all[key] = once
	}
	m.mu.Unlock()
	return once()
}
