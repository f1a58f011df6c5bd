package cli

import (
	"context"
	"fmt"

	"github.com/urfave/cli/v3"

	"github.com/org/deploy-action/internal/machine"
	"github.com/org/deploy-action/internal/spec"
)

const exportHelp = `Usage: turnout export [options]
       turnout export workflow [options] [PIPELINE]
       turnout export ansible-inventory [options]

Prints the spec in normal form: every default filled in, references resolved,
values in place, in one order. Secrets and what comes from outside the spec stay
expressions. Nothing is run and no machine is asked.

"turnout export workflow -h" explains how a pipeline becomes a workflow of
GitHub Actions, "turnout export ansible-inventory -h" how servers become an
inventory of Ansible.

Options:
  -format FORMAT   hcl, a spec again (default), or json, for programs
  -out FILE        write to FILE instead of standard output` + specOptions + `

Example:
  turnout export -format json -out deploy.json
` + exitCodes

func (a *app) exportCommand() *cli.Command {
	return subcommand(&cli.Command{
		Name: "export", Usage: "print the spec with everything filled in", CustomHelpTemplate: exportHelp,
		Flags:    specFlags(&cli.StringFlag{Name: "format", Value: "hcl"}, &cli.StringFlag{Name: "out", TakesFile: true}),
		Commands: []*cli.Command{a.exportWorkflowCommand(), a.exportInventoryCommand()},
		Action: func(_ context.Context, c *cli.Command) error {
			if err := atMost(c, 0); err != nil {
				return err
			}
			write, known := exportFormats[c.String("format")]
			if !known {
				return &usageError{fmt.Errorf("export: there is no format %q: write -format hcl or -format json", c.String("format"))}
			}
			a.spareStdout()
			s, err := a.load(c)
			if err != nil {
				return err
			}
			return a.export(s, write, c.String("out"))
		},
	})
}

// exportFormats are the values of -format.
var exportFormats = map[string]func(*spec.Spec) ([]byte, spec.Problems){
	"hcl":  (*spec.Spec).HCL,
	"json": (*spec.Spec).JSON,
}

// export writes s to the file called out or, without one, to standard output.
func (a *app) export(s *spec.Spec, write func(*spec.Spec) ([]byte, spec.Problems), out string) error {
	text, problems := write(s)
	if err := a.tell(problems); err != nil {
		return err
	}
	return a.put(text, out)
}

// put writes text to the file called out or, without one, to standard output.
func (a *app) put(text []byte, out string) error {
	if out != "" {
		return machine.WriteFile(a.abs(out), text, 0o644)
	}
	_, err := a.stdout.Write(text)
	return err
}
