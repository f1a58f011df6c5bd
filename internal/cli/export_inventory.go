package cli

import (
	"context"

	"github.com/urfave/cli/v3"

	"github.com/org/deploy-action/internal/inventory"
)

const exportInventoryHelp = `Usage: turnout export ansible-inventory [options]

Prints the servers of the spec as an inventory of Ansible, in YAML: groups, tags
as groups tag_NAME, and how each server is reached. Keys given as text and host
keys are left out. No machine is asked.

Options:
  -out FILE        write to FILE instead of standard output` + specOptions + `

Example:
  turnout export ansible-inventory -out hosts.yml && ansible -i hosts.yml web -m ping
` + exitCodes

func (a *app) exportInventoryCommand() *cli.Command {
	return subcommand(&cli.Command{
		Name: "ansible-inventory", Hidden: true, Usage: "print the servers as an inventory of Ansible", CustomHelpTemplate: exportInventoryHelp,
		Flags: specFlags(&cli.StringFlag{Name: "out", TakesFile: true}),
		Action: func(_ context.Context, c *cli.Command) error {
			if err := atMost(c, 0); err != nil {
				return err
			}
			a.spareStdout()
			s, err := a.loadMachines(c)
			if err != nil {
				return err
			}
			if _, err := pick(s, nil); err != nil {
				return err
			}
			text, err := inventory.Write(s)
			if err != nil {
				return &usageError{err}
			}
			return a.put(text, c.String("out"))
		},
	})
}
