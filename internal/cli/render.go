package cli

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"github.com/urfave/cli/v3"

	"github.com/org/deploy-action/internal/machine"
	"github.com/org/deploy-action/internal/proxy"
	"github.com/org/deploy-action/internal/rollout"
)

const renderHelp = `Usage: turnout render [options] -out DIR [ENV]

Writes the proxy configurations of an environment to DIR/<server>/<file>, the
same bytes on every run, for actions/upload-artifact or a review. No machine is
asked. The header with the state is added when a file is put in place. ENV may
be left out when the spec has one environment.

Options:
  -out DIR         where to write (required)` + specOptions + `

Example:
  turnout render -out rendered shop
` + exitCodes

func (a *app) renderCommand() *cli.Command {
	return subcommand(&cli.Command{
		Name: "render", Usage: "write the proxy configurations into a directory", CustomHelpTemplate: renderHelp,
		Flags: specFlags(&cli.StringFlag{Name: "out", TakesFile: true}),
		Action: func(ctx context.Context, c *cli.Command) error {
			if c.String("out") == "" {
				return &usageError{fmt.Errorf("render: say where to write with -out DIR")}
			}
			_, env, err := environment(c, a.load) // canaries in its pipelines make a configuration that splits
			if err != nil {
				return err
			}
			templates, err := a.templates(env)
			if err != nil {
				return err
			}
			sites, err := rollout.Sites(ctx, env, templates)
			if err != nil {
				return err
			}
			return a.renderAll(sites, a.abs(c.String("out")))
		},
	})
}

func (a *app) renderAll(sites []rollout.Site, out string) error {
	for _, s := range sites {
		rendered, err := proxy.Render(s.Site)
		if err != nil {
			return fmt.Errorf("%s: %w", s.Server, err)
		}
		path := filepath.Join(out, s.Server, filepath.Base(string(s.Site.Config)))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return err
		}
		if err := machine.WriteFile(path, []byte(rendered.Body), 0o644); err != nil {
			return err
		}
		fmt.Fprintln(a.stdout, path)
	}
	return nil
}
