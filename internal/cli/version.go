package cli

import (
	"context"
	"fmt"

	"github.com/urfave/cli/v3"

	"github.com/org/deploy-action/internal/version"
)

func (a *app) versionCommand() *cli.Command {
	return subcommand(&cli.Command{
		Name:               "version",
		Usage:              "print the version",
		CustomHelpTemplate: "Usage: turnout version\n\nPrints the version, the commit it was built from, the day of that, and the platform.\n",
		Action: func(_ context.Context, c *cli.Command) error {
			if err := atMost(c, 0); err != nil {
				return err
			}
			_, err := fmt.Fprintln(a.stdout, version.Line())
			return err
		},
	})
}
