package ssh

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/org/deploy-action/internal/agent"
	"github.com/org/deploy-action/internal/machine"
	"github.com/org/deploy-action/internal/spec"
)

// Machine is a server's, through the agent that runs there.
type Machine struct {
	*machine.Remote
	link    *link
	process *process
	agent   string        // path of the agent on the server
	ended   chan struct{} // closed when the agent's session is
}

// How long a server may take once a call was cancelled or the machine closed, when
// nothing is heard of it. Together with what a command is given to end itself, a
// cancelled run is over in 7 s.
const (
	cancelPatience = 4 * time.Second
	closePatience  = 5 * time.Second
)

// start starts the agent on a server. A connection that was there before may turn
// out to be lost, and is made anew.
func (d *Dialer) start(ctx context.Context, server *spec.Server, l *login) (*Machine, error) {
	m, err := d.tryStart(ctx, server, l)
	if errors.Is(err, machine.ErrLost) {
		return d.tryStart(ctx, server, l)
	}
	return m, err
}

func (d *Dialer) tryStart(ctx context.Context, server *spec.Server, l *login) (*Machine, error) {
	connection, err := d.link(ctx, l)
	if err != nil {
		return nil, err
	}
	a := &starting{dialer: d, server: server, login: l, link: connection}
	m, err := a.start(ctx)
	switch {
	case err == nil:
		return m, nil
	case ctx.Err() != nil:
		return nil, fmt.Errorf("%s: %w", l.name, context.Cause(ctx))
	case connection.broken():
		return nil, &Error{l.name, Lost, fmt.Errorf("%w, while the agent was started", connection.cause)}
	}
	var known *Error
	if errors.As(err, &known) {
		return nil, err
	}
	return nil, &Error{l.name, Agent, err}
}

// starting is an agent on its way up.
type starting struct {
	dialer *Dialer
	server *spec.Server
	login  *login
	link   *link
}

func (a *starting) start(ctx context.Context) (*Machine, error) {
	if a.server.SSH.Agent != "" {
		m, _, err := a.try(ctx, "", installedScript(a.server.SSH.Agent, a.sudo()))
		if err != nil || m != nil {
			return m, err
		}
		return nil, fmt.Errorf("%s is not there, or this user may not execute it; the spec says it is the agent", a.server.SSH.Agent)
	}
	platform, uploaded := a.dialer.guess(), false
	for range 3 { // another platform than was guessed, then one upload
		p, err := a.program(platform)
		if err != nil {
			return nil, err
		}
		m, other, err := a.try(ctx, p.Path, startScript(platform, p.Build, a.sudo()))
		switch {
		case err != nil || m != nil:
			return m, err
		case other != platform:
			platform = other
			continue
		case uploaded:
			return nil, errors.New("the agent was put there and is not there now")
		}
		if err := a.link.upload(ctx, p); err != nil {
			return nil, err
		}
		uploaded = true
	}
	return nil, errors.New("the server says to be another platform each time")
}

// program is the agent for a platform; for an unknown one there is none, and the
// server says what it is.
func (a *starting) program(platform string) (agent.Binary, error) {
	if platform == "" {
		return agent.Binary{}, nil
	}
	return a.dialer.program(platform, a.server.CallsAWS)
}

func (a *starting) sudo() string {
	if a.server.SSH.Become {
		return "sudo -n -- "
	}
	return ""
}

// try runs a script and greets the agent that it starts: the binary that lies at from
// here, or one that the server has itself. Without one, it returns what the script said
// instead.
func (a *starting) try(ctx context.Context, from, script string) (m *Machine, need string, err error) {
	limited, cancel := context.WithTimeoutCause(ctx, a.login.timeout, fmt.Errorf("no answer within %s", a.login.timeout))
	defer cancel()
	p, err := a.link.run(script)
	if err != nil {
		return nil, "", err
	}
	word, err := p.says(limited)
	if err != nil {
		return nil, "", err
	}
	verb, rest, _ := strings.Cut(word, " ")
	if verb != "start" {
		_, err := p.end()
		return nil, rest, err
	}
	remote, err := machine.Dial(limited, a.login.name, p.out, p.in)
	if err != nil {
		return nil, "", a.refused(limited, p, rest, err)
	}
	m = &Machine{Remote: remote, link: a.link, process: p, agent: rest, ended: make(chan struct{})}
	go m.wait()
	if err := a.sameVersion(m, from); err != nil {
		return nil, "", errors.Join(err, m.Close())
	}
	return m, "", nil
}

// refused says why an agent that was started does not greet.
func (a *starting) refused(ctx context.Context, p *process, path string, err error) error {
	stop := context.AfterFunc(ctx, func() { _ = p.session.Close() })
	defer stop()
	said, ended := p.end()
	switch {
	case ctx.Err() != nil:
		return fmt.Errorf("%s was started and does not greet: %w", path, context.Cause(ctx))
	case a.server.SSH.Become && strings.Contains(said, "sudo:"):
		return a.sudoRefused(said)
	case said != "":
		return fmt.Errorf("%s could not be started (%s): %s", path, outcome(ended), head(said))
	}
	text := strings.TrimPrefix(err.Error(), a.login.name+": agent: ")
	if version := a.installedVersion(ctx); version != "" {
		return fmt.Errorf("%s is %s and this is turnout %s: %s", path, version, a.dialer.options.Version, text)
	}
	return fmt.Errorf("%s: %s (%s)", path, text, outcome(ended))
}

// sudoRefused tells how sudo can be made to allow the agent. A rule for one that
// was uploaded would let the user become root by any file of that name.
func (a *starting) sudoRefused(said string) error {
	path := a.server.SSH.Agent
	install := ""
	if path == "" {
		path = "/usr/local/bin/turnout"
		install = fmt.Sprintf("install turnout there as %s, owned by root, name it in the spec (agent = %q), and ", path, path)
	}
	return fmt.Errorf("sudo refuses: %s. To allow this and nothing else: %sput this line into /etc/sudoers.d/turnout on the server\n    %s ALL=(root) NOPASSWD: %s agent",
		head(said), install, a.login.user, path)
}

// installedVersion asks the agent that the spec names for its version, empty where
// it does not say.
func (a *starting) installedVersion(ctx context.Context) string {
	if a.server.SSH.Agent == "" {
		return ""
	}
	p, err := a.link.run(says("$(" + a.server.SSH.Agent + " version)"))
	if err != nil {
		return ""
	}
	word, err := p.says(ctx)
	if err != nil {
		return ""
	}
	return head(word)
}

// sameVersion refuses an agent of another version: what operations ask and answer may
// have changed between the two.
func (a *starting) sameVersion(m *Machine, from string) error {
	ours := a.dialer.options.Version
	switch {
	case m.Turnout() == ours:
		return nil
	case from != "":
		return fmt.Errorf("%s is of turnout %s and this is turnout %s: put the one of the same release there, or remove it", from, m.Turnout(), ours)
	}
	return fmt.Errorf("%s on the server is turnout %s, this is turnout %s: install the same version on both", m.agent, m.Turnout(), ours)
}

// wait notices the end of the agent's session.
func (m *Machine) wait() {
	defer close(m.ended)
	_ = m.process.session.Wait()
}

// Call has the agent perform an operation; see machine.Machine. When the
// connection is lost, the error is an *Error.
func (m *Machine) Call(ctx context.Context, op string, request []byte, in io.Reader, out io.Writer) ([]byte, error) {
	over := make(chan struct{})
	defer close(over)
	stop := context.AfterFunc(ctx, func() { m.cancelled(over) })
	defer stop()
	answer, err := m.Remote.Call(ctx, op, request, in, out)
	if m.Remote.LostIn(err) {
		return nil, m.lost(ctx, op)
	}
	return answer, err
}

// cancelled gives up a server that is silent after a cancelled call, which would
// wait for its end.
func (m *Machine) cancelled(over <-chan struct{}) {
	silent := make(chan struct{})
	go func() {
		if !m.link.answers(cancelPatience) {
			close(silent)
		}
	}()
	select {
	case <-silent:
		m.link.end(errors.New("no answer after the run was cancelled"))
	case <-over:
	}
}

// lost is the failure of a call that was not answered. Whether the operation was
// done is not known; what it ran is ended by the agent.
func (m *Machine) lost(ctx context.Context, op string) error {
	cause := "the agent has ended"
	select {
	case <-m.link.ended:
		cause = fmt.Sprint(m.link.cause)
	case <-m.ended:
	}
	if said := strings.TrimSpace(m.process.errors.String()); said != "" {
		cause += ": " + head(said)
	}
	err := fmt.Errorf("%s in %s; whether it was done is not known", cause, op)
	if ctx.Err() != nil {
		err = fmt.Errorf("%w%w", err, hidden{context.Cause(ctx)})
	}
	return &Error{m.Name(), Lost, err}
}

// Lost reports whether the agent can't be asked any more.
func (m *Machine) Lost() bool {
	select {
	case <-m.ended:
		return true
	default:
		return m.link.Lost()
	}
}

// Close ends the agent's session, and the connection if the server does not let
// the session go.
func (m *Machine) Close() error {
	stop := time.AfterFunc(closePatience, func() { m.link.end(errors.New("the agent did not end")) })
	defer stop.Stop()
	if m.Lost() {
		return nil
	}
	err := ignoreEOF(m.Remote.Close())
	<-m.ended
	return err
}
