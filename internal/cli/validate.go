package cli

import (
	"context"
	"fmt"
	"strings"

	"github.com/urfave/cli/v3"

	"github.com/org/deploy-action/internal/spec"
)

const validateHelp = `Usage: turnout validate [options]

Reads the spec and tells every mistake in it, each with its place. Nothing is
run and no machine is asked.

Options:` + specOptions + `

Example:
  turnout validate -f deploy.hcl -var release=dist
` + exitCodes

func (a *app) validateCommand() *cli.Command {
	return subcommand(&cli.Command{
		Name: "validate", Usage: "find every mistake of a spec", CustomHelpTemplate: validateHelp, Flags: specFlags(),
		Action: func(_ context.Context, c *cli.Command) error {
			if err := atMost(c, 0); err != nil {
				return err
			}
			s, err := a.load(c)
			if err != nil {
				return err
			}
			_, err = fmt.Fprintf(a.stdout, "%s is valid: %s.\n", s.File, contents(s))
			return err
		},
	})
}

// contents counts what a spec has: "2 environments, 1 pipeline with 10 stages".
func contents(s *spec.Spec) string {
	var parts []string
	add := func(n int, one, many string) {
		switch n {
		case 0:
		case 1:
			parts = append(parts, "1 "+one)
		default:
			parts = append(parts, fmt.Sprintf("%d %s", n, many))
		}
	}
	stages := 0
	for _, pipeline := range s.Pipelines {
		stages += len(pipeline.Stages)
	}
	add(len(s.Environments), "environment", "environments")
	add(len(s.Pipelines), "pipeline", "pipelines")
	add(stages, "stage", "stages")
	add(len(s.Tasks), "task", "tasks")
	add(len(s.Previews), "preview", "previews")
	if len(parts) == 0 {
		return "it has nothing to run"
	}
	return strings.Join(parts, ", ")
}
