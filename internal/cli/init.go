package cli

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/urfave/cli/v3"

	"github.com/org/deploy-action/internal/machine"
)

const initHelp = `Usage: turnout init [options]

Writes a working deploy.hcl and .github/workflows/deploy.yml to begin with. A
file that exists is left alone, and nothing is written at all then.

Options:
  -chdir DIR       write there

Example:
  turnout init && turnout validate
` + exitCodes

//go:embed starter
var starter embed.FS

// starterFiles says where the files of starter go.
var starterFiles = []struct{ from, to string }{
	{"starter/deploy.hcl", "deploy.hcl"},
	{"starter/workflow.yml", ".github/workflows/deploy.yml"},
}

func (a *app) initCommand() *cli.Command {
	return subcommand(&cli.Command{
		Name: "init", Usage: "write a working deploy.hcl and a workflow", CustomHelpTemplate: initHelp,
		Action: func(_ context.Context, c *cli.Command) error {
			if err := atMost(c, 0); err != nil {
				return err
			}
			for _, file := range starterFiles {
				if _, err := os.Lstat(a.abs(file.to)); !errors.Is(err, fs.ErrNotExist) {
					return &usageError{fmt.Errorf("%s is there already; nothing was written", file.to)}
				}
			}
			return a.writeStarter()
		},
	})
}

func (a *app) writeStarter() error {
	for _, file := range starterFiles {
		text, err := starter.ReadFile(file.from)
		if err != nil {
			panic("cli: embedded file: " + err.Error())
		}
		path := a.abs(file.to)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return err
		}
		if err := machine.WriteFile(path, text, 0o644); err != nil {
			return err
		}
		fmt.Fprintf(a.stdout, "wrote %s\n", file.to)
	}
	fmt.Fprintln(a.stdout, "Next: put your own paths and commands into deploy.hcl, then: turnout validate && turnout plan")
	return nil
}
