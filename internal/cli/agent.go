package cli

import (
	"context"
	"os"

	"github.com/urfave/cli/v3"

	"github.com/org/deploy-action/internal/machine"
	"github.com/org/deploy-action/internal/metrics"
	"github.com/org/deploy-action/internal/rollout"
	"github.com/org/deploy-action/internal/ssh"
)

const agentHelp = `Usage: turnout agent

Performs operations on this machine for a turnout at the other end of standard
input and output. It ends, with everything it runs, when standard input closes
or nothing was heard for 20 s.
`

func (a *app) agentCommand() *cli.Command {
	return subcommand(&cli.Command{
		Name: "agent", Hidden: true, CustomHelpTemplate: agentHelp,
		Flags: []cli.Flag{&cli.StringFlag{Name: "install", Hidden: true}},
		Action: func(ctx context.Context, c *cli.Command) error {
			if err := atMost(c, 0); err != nil {
				return err
			}
			self, err := os.Executable()
			if err != nil {
				return err
			}
			if hash := c.String("install"); hash != "" {
				return ssh.Install(self, hash)
			}
			ssh.Used(self)
			return machine.Serve(ctx, a.env.Stdin, a.env.Stdout, operations()...)
		},
	})
}

// operations are all that an agent performs.
func operations() []machine.Handler {
	return append(rollout.Operations(),
		machine.Handle(ssh.Describe(version)), machine.Handle(metrics.New()),
		machine.Handle(machine.Run), machine.Handle(machine.ReadFile), machine.Handle(machine.Find),
		machine.Handle(machine.Write), machine.Handle(machine.Remove), machine.Handle(machine.Symlink), machine.Handle(machine.MakeDir),
	)
}
