package cli

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"text/tabwriter"
	"time"

	"github.com/urfave/cli/v3"

	"github.com/org/deploy-action/internal/agent"
	"github.com/org/deploy-action/internal/machine"
	"github.com/org/deploy-action/internal/metrics"
	"github.com/org/deploy-action/internal/spec"
	"github.com/org/deploy-action/internal/ssh"
)

const serversHelp = `Usage: turnout servers COMMAND [options] [TARGET ...]

The servers of the spec. A TARGET is a server, a group or a tag; without one,
every server is meant.

Commands:
  check       log in to servers, and say what is wrong
  metrics     measure CPU, memory and disks of servers
  trust       list the host keys of servers, for known_hosts

"turnout servers COMMAND -h" explains a command.

Example:
  turnout servers trust >> known_hosts && turnout servers check
` + exitCodes

const serversCheckHelp = `Usage: turnout servers check [options] [TARGET ...]

Logs in to servers as a run does, starts the agent there and lists what came of
it. A TARGET is a server, a group or a tag; without one, every server is checked.
On the first contact the agent is uploaded; nothing else is changed.

Options:
  -json            print for programs` + specOptions + `

Example:
  turnout servers check web
` + exitCodes

const serversTrustHelp = `Usage: turnout servers trust [options] TARGET ...

Asks servers for their host keys and prints lines for known_hosts, as ssh-keyscan
does, also through jump hosts. A TARGET is a server, a group or a tag. Nothing is
changed, and the keys prove nothing by themselves: standard error lists their
fingerprints and how to compare them with the server's own.

Options:` + specOptions + `

Example:
  turnout servers trust web >> known_hosts
` + exitCodes

func (a *app) serversCommand() *cli.Command {
	return a.group(&cli.Command{
		Name: "servers", Usage: "check servers, measure them, list their host keys", CustomHelpTemplate: serversHelp,
		Commands: []*cli.Command{a.serversCheckCommand(), a.serversMetricsCommand(), a.serversTrustCommand()},
	})
}

func (a *app) serversCheckCommand() *cli.Command {
	return subcommand(&cli.Command{
		Name: "check", Usage: "log in to servers, and say what is wrong", CustomHelpTemplate: serversCheckHelp,
		Flags: specFlags(&cli.BoolFlag{Name: "json"}),
		Action: func(ctx context.Context, c *cli.Command) error {
			if c.Bool("json") {
				a.spareStdout()
			}
			servers, err := a.targets(c)
			if err != nil {
				return err
			}
			machines := a.newMachines()
			all := ofServers(servers, func(server *spec.Server) checked { return machines.check(ctx, server) })
			if err := errors.Join(machines.Close(), a.writeChecked(all, c.Bool("json"))); err != nil {
				return err
			}
			return unreached(all, func(s checked) bool { return s.Result != reached })
		},
	})
}

func (a *app) serversTrustCommand() *cli.Command {
	return subcommand(&cli.Command{
		Name: "trust", Usage: "list the host keys of servers", CustomHelpTemplate: serversTrustHelp,
		Flags: specFlags(),
		Action: func(ctx context.Context, c *cli.Command) error {
			if !c.Args().Present() {
				return &usageError{errors.New("trust: name the servers, groups or tags whose keys to list")}
			}
			a.spareStdout()
			servers, err := a.targets(c)
			if err != nil {
				return err
			}
			machines := a.newMachines()
			all := ofServers(servers, func(server *spec.Server) shown { return machines.scan(ctx, server) })
			if err := errors.Join(machines.Close(), a.writeShown(all)); err != nil {
				return err
			}
			return unreached(all, func(s shown) bool { return s.err != nil })
		},
	})
}

// ofServers asks all servers side by side; the Dialer bounds how many at once.
func ofServers[T any](servers []*spec.Server, ask func(*spec.Server) T) []T {
	all := make([]T, len(servers))
	var asked sync.WaitGroup
	for i, server := range servers {
		asked.Go(func() { all[i] = ask(server) })
	}
	asked.Wait()
	return all
}

// unreached is the failure of those that failed; what each has was told already.
func unreached[T any](all []T, failed func(T) bool) error {
	count := 0
	for _, one := range all {
		if failed(one) {
			count++
		}
	}
	if count == 0 {
		return nil
	}
	return fmt.Errorf("%d of %d servers failed", count, len(all))
}

// reached is the result of a server whose agent answers; else it is the kind of
// failure.
const reached = "ok"

// checked is what came of logging in to a server.
type checked struct {
	Server  string   `json:"server"`
	Address string   `json:"address,omitempty"` // host:port
	User    string   `json:"user,omitempty"`
	Via     []string `json:"via,omitempty"` // jump hosts
	Result  string   `json:"result"`        // "ok", or the kind of failure
	Error   string   `json:"error,omitempty"`
	Millis  int64    `json:"took_ms"`
	Version string   `json:"version,omitempty"` // of the agent
	System  string   `json:"system,omitempty"`  // "linux/amd64"
	Skew    int64    `json:"skew_ms,omitempty"` // how far its clock is ahead of ours, at least
	Warning string   `json:"warning,omitempty"`
}

// check logs in to a server and asks its agent what it is.
func (m *machines) check(ctx context.Context, server *spec.Server) checked {
	began := time.Now()
	c := checked{Server: string(server.Name), Address: string(spec.Local), Result: reached}
	about, err := m.describe(ctx, server, &c)
	c.Millis = time.Since(began).Milliseconds()
	var failure *ssh.Error
	switch {
	case errors.As(err, &failure):
		c.Result, c.Error = string(failure.Kind), failure.Error()
	case err != nil:
		c.Result, c.Error = "failed", err.Error()
	default:
		c.Version, c.System = about.Version, about.OS+"/"+about.Arch
		c.compare(began, about.Clock)
	}
	return c
}

// compare warns of a clock that is off, which was read since a moment.
func (c *checked) compare(asked, clock time.Time) {
	skew := metrics.Skew(asked, time.Now(), clock)
	c.Skew = skew.Milliseconds()
	if advice := metrics.ClockAdvice(skew); advice != "" {
		c.Warning = c.Server + ": " + advice
	}
}

func (m *machines) describe(ctx context.Context, server *spec.Server, c *checked) (agent.About, error) {
	if server.Connection != spec.Local {
		to, err := m.remote.Destination(server)
		if err != nil {
			return agent.About{}, err
		}
		c.Address, c.User, c.Via = to.Address, to.User, to.Via
	}
	at, err := m.Get(ctx, server)
	if err != nil {
		return agent.About{}, err
	}
	return agent.Describe.On(ctx, at, machine.None{})
}

func (a *app) writeChecked(all []checked, asJSON bool) error {
	if asJSON {
		return writeIndented(a.stdout, all)
	}
	w := tabwriter.NewWriter(a.stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "SERVER\tADDRESS\tUSER\tRESULT\tTIME\tAGENT")
	for _, c := range all {
		address := strings.Join(append([]string{c.Address}, c.Via...), " via ")
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%d ms\t%s\n", c.Server, or(address, "–"), or(c.User, "–"), c.Result, c.Millis, or(strings.TrimSpace(c.Version+" "+c.System), "–"))
	}
	if err := w.Flush(); err != nil {
		return err
	}
	for _, c := range all {
		if text := or(c.Error, c.Warning); text != "" {
			fmt.Fprintf(a.stderr, "\n%s\n", text)
		}
	}
	return nil
}

// shown is the keys that a server shows.
type shown struct {
	server *spec.Server
	keys   []ssh.ShownKey
	err    error
}

func (m *machines) scan(ctx context.Context, server *spec.Server) shown {
	if server.Connection == spec.Local {
		return shown{server: server} // nobody logs in to it
	}
	keys, err := m.remote.Scan(ctx, server)
	return shown{server, keys, err}
}

const howToCompare = `
Compare them with what each server says of itself, on its console or where it was
installed:
    for f in /etc/ssh/ssh_host_*_key.pub; do ssh-keygen -lf $f; done
Then commit the lines as known_hosts.
`

// writeShown prints the lines to standard output and what is said about them to
// standard error.
func (a *app) writeShown(all []shown) error {
	some := false
	w := tabwriter.NewWriter(a.stderr, 0, 0, 2, ' ', 0)
	for _, s := range all {
		for _, key := range s.keys {
			fmt.Fprintln(a.stdout, key.Line)
			fmt.Fprintf(w, "%s\t%s\t%s\n", s.server.Name, key.Type, key.Fingerprint)
			some = true
		}
	}
	if err := w.Flush(); err != nil {
		return err
	}
	if some {
		fmt.Fprint(a.stderr, howToCompare)
	}
	for _, s := range all {
		if s.err != nil {
			fmt.Fprintf(a.stderr, "\n%s\n", s.err)
		}
	}
	return nil
}
