package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"sync"

	"github.com/org/deploy-action/internal/elb/client"
	"github.com/org/deploy-action/internal/github"
	"github.com/org/deploy-action/internal/machine"
	"github.com/org/deploy-action/internal/metrics"
	"github.com/org/deploy-action/internal/plan"
	"github.com/org/deploy-action/internal/proxy"
	"github.com/org/deploy-action/internal/rollout"
	"github.com/org/deploy-action/internal/spec"
	"github.com/org/deploy-action/internal/ssh"
	"github.com/org/deploy-action/internal/version"
)

// machines are the machines of one command, one session each.
type machines struct {
	local   *machine.Local
	remote  *ssh.Dialer
	measure machine.Op[metrics.Request, metrics.Sample]
	agent   func() *exec.Cmd

	mu    sync.Mutex
	used  []*spec.Server // those that Get was asked for and that were reached
	child *machine.Child // nil until it is needed
}

func (a *app) newMachines() *machines {
	o := ssh.Options{AuthSock: a.env.Getenv("SSH_AUTH_SOCK"), Version: version.Number}
	o.Program, _ = os.Executable() // without it, the first upload says what is missing
	if me, err := user.Current(); err == nil {
		o.User = me.Username
	}
	if !github.IsEntrypoint(a.env.Args[0]) { // a container action's home is nobody's
		o.Home = a.env.Getenv("HOME")
	}
	local := machine.NewLocal("local")
	proxy.Balancing(local.Session(), client.Connect)
	return &machines{local: local, remote: ssh.New(o), measure: metrics.New(), agent: a.agentHere}
}

// Get returns the session with a server's machine, opened when it is first asked
// for and anew when its connection was lost.
func (m *machines) Get(ctx context.Context, server *spec.Server) (machine.Machine, error) {
	if server.Connection == spec.Local {
		m.note(server)
		return m.local, nil
	}
	at, err := m.remote.Machine(ctx, server)
	if err == nil {
		m.note(server)
	}
	return at, err
}

func (m *machines) note(server *spec.Server) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if !slices.Contains(m.used, server) {
		m.used = append(m.used, server)
		allow(serverMemory)
	}
}

// touched are the servers that were used so far, by name.
func (m *machines) touched() []*spec.Server {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.SortedFunc(slices.Values(m.used), func(x, y *spec.Server) int { return cmp.Compare(x.Name, y.Name) })
}

// ForSwitch is Get for what moves traffic. On this machine, too, that is done by an
// agent in a process of its own, so that something is left to put traffic back
// when this process is killed or stopped.
func (m *machines) ForSwitch(ctx context.Context, server *spec.Server) (machine.Machine, error) {
	if server.Connection != spec.Local {
		return m.Get(ctx, server)
	}
	m.note(server)
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.child != nil && !m.child.Lost() {
		return m.child, nil
	}
	if m.child != nil {
		_ = m.child.Close() // it has ended, however it did
	}
	child, err := machine.StartChild(ctx, m.local.Name(), m.agent())
	if err != nil {
		m.child = nil
		return nil, err
	}
	m.child = child
	return child, nil
}

// agentHere is an agent for this machine.
func (a *app) agentHere() *exec.Cmd {
	cmd := exec.Command("/proc/self/exe") // also where the file was replaced since
	cmd.Args, cmd.Env, cmd.Stderr = []string{"turnout", "agent"}, a.env.Environ, a.env.Stderr
	return cmd
}

// Close ends every session.
func (m *machines) Close() error {
	errs := []error{m.local.Close(), m.remote.Close()}
	if m.child != nil {
		errs = append(errs, m.child.Close())
	}
	return errors.Join(errs...)
}

// request is what rollout needs for a deploy of a plan.
func (a *app) request(d *plan.Deploy, machines *machines) (rollout.Request, error) {
	templates, err := a.templates(d.Environment)
	if err != nil {
		return rollout.Request{}, err
	}
	r := rollout.Request{
		Environment: d.Environment, Rollback: d.Rollback, To: d.To, Canary: d.Canary, Hurried: d.Hurried, Planned: d.Planned, Pos: d.Pos,
		Machines: machines.Get, Templates: templates, Workspace: a.dir, Mask: a.masker.String,
	}
	if !d.Rollback {
		r.Release = a.abs(d.Release)
	}
	return r, nil
}

// templates reads the users' own templates, by the path the spec gives.
func (a *app) templates(env *spec.Environment) (map[string]string, error) {
	texts := make(map[string]string)
	for _, p := range env.Proxies {
		if p.Template == "" {
			continue
		}
		text, err := os.ReadFile(a.abs(p.Template))
		if err != nil {
			var cause *os.PathError
			if errors.As(err, &cause) {
				err = cause.Err
			}
			return nil, &usageError{fmt.Errorf("%s:%d: template %s: %w", p.Pos.File, p.Pos.Line, p.Template, err)}
		}
		texts[p.Template] = string(text)
	}
	return texts, nil
}

// abs is path, taken from the working directory where it is relative.
func (a *app) abs(path string) string {
	if filepath.IsAbs(path) {
		return path
	}
	return filepath.Join(a.dir, path)
}
