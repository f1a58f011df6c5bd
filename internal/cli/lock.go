package cli

import (
	"context"
	"fmt"
	"io"
	"text/tabwriter"
	"time"

	"github.com/urfave/cli/v3"

	"github.com/org/deploy-action/internal/rollout"
)

const lockHelp = `Usage: turnout lock COMMAND [options] [ENV]

The lock of an environment. It belongs to a run that lives: it is free once the
run has ended, however it ended, or was not heard from for 20 s. Nothing ever has
to be unlocked.

Commands:
  status      show who holds the lock

"turnout lock COMMAND -h" explains a command.

Example:
  turnout lock status shop
` + exitCodes

const lockStatusHelp = `Usage: turnout lock status [options] [ENV]

Shows who holds the lock of an environment: the run and its URL, since when, on
which servers, and its last sign of life there, which is noted every 5 s. Nothing
is changed. Without ENV: every environment of the spec.

Options:
  -json            print for programs` + specOptions + `

Example:
  turnout lock status shop
` + exitCodes

func (a *app) lockCommand() *cli.Command {
	return a.group(&cli.Command{
		Name: "lock", Usage: "show who deploys now", CustomHelpTemplate: lockHelp, Commands: []*cli.Command{a.lockStatusCommand()},
	})
}

func (a *app) lockStatusCommand() *cli.Command {
	return subcommand(&cli.Command{
		Name: "status", Usage: "show who holds the lock", CustomHelpTemplate: lockStatusHelp, Flags: specFlags(&cli.BoolFlag{Name: "json"}),
		Action: func(ctx context.Context, c *cli.Command) error {
			if c.Bool("json") {
				a.spareStdout()
			}
			environments, err := a.environments(c)
			if err != nil {
				return err
			}
			all, err := ofEach(a, environments, func(request rollout.Request) (rollout.Locked, error) {
				return rollout.Lock(ctx, request)
			})
			if err != nil {
				return err
			}
			if c.Bool("json") {
				return writeIndented(a.stdout, all)
			}
			return writeLocks(a.stdout, all)
		},
	})
}

func writeLocks(out io.Writer, all []rollout.Locked) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	for _, l := range all {
		fmt.Fprintf(w, "%s\t%s\t\n", l.Environment, lockState(l))
		for _, h := range l.Hosts {
			if h.Held {
				fmt.Fprintf(w, "\t%s\theld by run %s, last sign of life %s ago\n", h.Server, or(h.By.Run, "?"), h.Quiet.Round(time.Second))
			}
		}
		for _, lost := range l.Unreached {
			fmt.Fprintf(w, "\tunreached\t%s\n", lost)
		}
	}
	return w.Flush()
}

func lockState(l rollout.Locked) string {
	for _, h := range l.Hosts {
		if h.Held {
			return "held by " + h.By.String()
		}
	}
	return "free"
}
