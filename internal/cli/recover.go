package cli

import (
	"context"
	"fmt"

	"github.com/urfave/cli/v3"

	"github.com/org/deploy-action/internal/event"
	"github.com/org/deploy-action/internal/rollout"
)

const recoverHelp = `Usage: turnout recover [options] [ENV]

Settles what an interrupted run left: traffic that had moved but was not yet
watched goes back, a configuration that was not proven is proven. The next run
does the same by itself; the action does it in its post step. May be repeated.
Without ENV: every environment of the spec.

Options:` + specOptions + `

Example:
  turnout recover shop
` + exitCodes

func (a *app) recoverCommand() *cli.Command {
	return subcommand(&cli.Command{
		Name: "recover", Usage: "settle what an interrupted run left", CustomHelpTemplate: recoverHelp, Flags: specFlags(),
		Action: func(ctx context.Context, c *cli.Command) error {
			environments, err := a.environments(c)
			if err != nil {
				return err
			}
			machines := a.newMachines()
			defer machines.Close()
			_, err = ofEach(a, environments, func(request rollout.Request) (string, error) {
				request.Run = rollout.Identity{ID: "recover", Command: "recover"}
				request.Emit, request.Machines = func(event.Event) {}, machines.ForSwitch
				did, err := rollout.Recover(ctx, request)
				if err != nil {
					return "", err
				}
				if did == "" {
					did = "nothing to settle"
				}
				fmt.Fprintf(a.stdout, "%s: %s\n", request.Environment.Name, did)
				return did, nil
			})
			return err
		},
	})
}
