package cli

import (
	"context"
	"fmt"
	"os"
	"time"

	"github.com/urfave/cli/v3"

	"github.com/org/deploy-action/internal/agent"
	"github.com/org/deploy-action/internal/elb/client"
	"github.com/org/deploy-action/internal/machine"
	"github.com/org/deploy-action/internal/operations"
	"github.com/org/deploy-action/internal/proxy"
)

const agentHelp = `Usage: turnout agent [options]

Performs operations on this machine for a turnout at the other end of standard
input and output. It ends, with everything it runs, when standard input closes
or nothing was heard for the lease. In the middle of a switch it first sends
traffic back to the slot that served before.

Options:
  -lease TIME      how long the other end may be silent (default 20s)
`

func (a *app) agentCommand() *cli.Command {
	return subcommand(&cli.Command{
		Name: "agent", Hidden: true, CustomHelpTemplate: agentHelp,
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "install", Hidden: true},
			&cli.DurationFlag{Name: "lease", Value: machine.DefaultLease},
		},
		Action: func(ctx context.Context, c *cli.Command) error {
			if err := atMost(c, 0); err != nil {
				return err
			}
			self, err := os.Executable()
			if err != nil {
				return err
			}
			if hash := c.String("install"); hash != "" {
				return agent.Install(self, hash)
			}
			if c.Duration("lease") <= 0 {
				return &usageError{fmt.Errorf("-lease %s: must be more than nothing", c.Duration("lease"))}
			}
			return a.agent(ctx, self, c.Duration("lease"))
		},
	})
}

// isPlainAgent reports whether the arguments are those by which servers start
// their agent. It is started without a look at all other commands: what a run
// takes beyond logging in is mostly the start of agents.
func isPlainAgent(args []string) bool { return len(args) == 2 && args[1] == "agent" }

func (a *app) plainAgent(ctx context.Context) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	return a.agent(ctx, self, machine.DefaultLease)
}

func (a *app) agent(ctx context.Context, self string, lease time.Duration) error {
	if a.env.System != "linux" {
		return fmt.Errorf("agent: this is %s, and only a server with Linux can have one", a.env.System)
	}
	session := machine.NewSession()
	proxy.Balancing(session, client.Connect)
	return operations.Agent(self, lease, session).Serve(ctx, a.env.Stdin, a.env.Stdout)
}
