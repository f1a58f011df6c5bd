package cli

import (
	"context"
	"fmt"
	"runtime"
	"runtime/debug"

	"github.com/urfave/cli/v3"
)

// version is that of the source tree; a release build sets its own (Dockerfile).
var version = "0.1.0"

func (a *app) versionCommand() *cli.Command {
	return subcommand(&cli.Command{
		Name:               "version",
		Usage:              "print the version",
		CustomHelpTemplate: "Usage: turnout version\n\nPrints the version, the commit it was built from and the platform.\n",
		Action: func(_ context.Context, c *cli.Command) error {
			if err := atMost(c, 0); err != nil {
				return err
			}
			_, err := fmt.Fprintf(a.stdout, "turnout %s (%s, %s/%s)\n", version, commit(), runtime.GOOS, runtime.GOARCH)
			return err
		},
	})
}

// commit is the revision the binary was built from, as the Go toolchain notes it.
func commit() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown commit"
	}
	for _, setting := range info.Settings {
		if setting.Key == "vcs.revision" {
			return setting.Value[:min(len(setting.Value), 12)]
		}
	}
	return "unknown commit"
}
