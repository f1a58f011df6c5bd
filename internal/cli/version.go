package cli

import (
	"context"
	"fmt"
	"runtime"
	"runtime/debug"
	"strings"

	"github.com/urfave/cli/v3"
)

// version is that of the source tree. A release build sets all three
// (.goreleaser.yaml); otherwise the Go toolchain notes commit and date, where it
// built from a repository.
var (
	version = "0.1.0"
	commit  string // revision in hexadecimal
	date    string // of the commit, RFC 3339
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
			_, err := fmt.Fprintf(a.stdout, "turnout %s (%s, %s/%s)\n", version, source(), runtime.GOOS, runtime.GOARCH)
			return err
		},
	})
}

// source says what the binary was built from: "1a2b3c4d5e6f of 2026-11-25".
func source() string {
	revision, at := commit, date
	if info, ok := debug.ReadBuildInfo(); ok && revision == "" {
		for _, setting := range info.Settings {
			switch setting.Key {
			case "vcs.revision":
				revision = setting.Value
			case "vcs.time":
				at = setting.Value
			}
		}
	}
	if revision == "" {
		return "unknown commit"
	}
	day, _, _ := strings.Cut(at, "T")
	return revision[:min(len(revision), 12)] + " of " + day
}
