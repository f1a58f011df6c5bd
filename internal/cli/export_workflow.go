package cli

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/aymanbagabas/go-udiff"
	"github.com/urfave/cli/v3"

	"github.com/org/deploy-action/internal/machine"
	"github.com/org/deploy-action/internal/plan"
	"github.com/org/deploy-action/internal/spec"
	"github.com/org/deploy-action/internal/version"
	"github.com/org/deploy-action/internal/workflow"
)

const exportWorkflowHelp = `Usage: turnout export workflow [options] [PIPELINE]

Writes a pipeline as a workflow of GitHub Actions: a job for every stage, legs of
a matrix side by side, and a last job for rollback strategies, artifacts and the
report of the whole. The workflow calls "turnout run -stage". Jobs have their
workspaces to themselves: what a stage makes for others has to be in an artifact
of the pipeline.

Options:
  -out FILE        write to FILE (default .github/workflows/PIPELINE.yml); "-" is
                   the standard output
  -check           write nothing; fail when FILE is not what the spec asks for
  -branch NAME     pushes to it start the workflow (default main)
  -runs-on LABEL   label of the runners (default ubuntu-latest); may be repeated` + specOptions + `

Example:
  turnout export workflow release && git add .github/workflows/release.yml
` + exitCodes

func (a *app) exportWorkflowCommand() *cli.Command {
	return subcommand(&cli.Command{
		Name: "workflow", Hidden: true, Usage: "write a pipeline as a workflow of GitHub Actions", CustomHelpTemplate: exportWorkflowHelp,
		Flags: specFlags(
			&cli.StringFlag{Name: "out", TakesFile: true}, &cli.BoolFlag{Name: "check"},
			&cli.StringFlag{Name: "branch", Value: "main"}, &cli.StringSliceFlag{Name: "runs-on"},
		),
		Action: func(_ context.Context, c *cli.Command) error {
			if err := atMost(c, 1); err != nil {
				return err
			}
			a.spareStdout()
			text, p, err := a.workflow(c)
			if err != nil {
				return err
			}
			out := c.String("out")
			if out == "" {
				out = filepath.Join(".github", "workflows", p.Pipeline+".yml")
			}
			return a.putWorkflow(c, out, text)
		},
	})
}

// workflow is the pipeline that the arguments name, as a workflow.
func (a *app) workflow(c *cli.Command) ([]byte, *plan.Plan, error) {
	var read []string
	s, err := a.loadAs(c, spec.Options{Getenv: func(name string) string {
		read = append(read, name)
		return a.env.Getenv(name)
	}})
	if err != nil {
		return nil, nil, err
	}
	p, err := a.planned(s, c.Args().First())
	if err != nil {
		return nil, nil, err
	}
	text, problems := workflow.Write(s, p, workflow.Options{
		Command: "turnout export workflow " + p.Pipeline, Args: specArgs(c), Branch: c.String("branch"),
		RunsOn: runsOn(c), Settings: settings(read), Version: "v" + strings.SplitN(version.Number, ".", 2)[0],
	})
	return text, p, a.tell(problems)
}

// specArgs are the arguments by which the jobs find the same spec. Values of
// -var stay where they are: they may be secrets.
func specArgs(c *cli.Command) []string {
	var args []string
	if file := c.String("f"); file != "deploy.hcl" {
		args = append(args, "-f", filepath.ToSlash(file))
	}
	for _, file := range c.StringSlice("var-file") {
		args = append(args, "-var-file", filepath.ToSlash(file))
	}
	return args
}

func runsOn(c *cli.Command) []string {
	if labels := c.StringSlice("runs-on"); len(labels) > 0 {
		return labels
	}
	return []string{"ubuntu-latest"}
}

// settings are the environment variables of those names that a workflow must set:
// every runner has the others.
func settings(names []string) []string {
	slices.Sort(names)
	return slices.DeleteFunc(slices.Compact(names), func(name string) bool {
		given := slices.ContainsFunc([]string{"GITHUB_", "RUNNER_", "TURNOUT_"}, func(prefix string) bool { return strings.HasPrefix(name, prefix) })
		return given || slices.Contains([]string{"CI", "HOME", "PATH", "USER"}, name)
	})
}

// putWorkflow writes a workflow, prints it or holds it against what is there.
func (a *app) putWorkflow(c *cli.Command, out string, text []byte) error {
	if c.Bool("check") {
		return a.checkWorkflow(out, text)
	}
	if out == "-" {
		_, err := a.data.Write(text)
		return err
	}
	if err := os.MkdirAll(filepath.Dir(a.abs(out)), 0o755); err != nil {
		return err
	}
	if err := machine.WriteFile(a.abs(out), text, 0o644); err != nil {
		return err
	}
	_, err := fmt.Fprintf(a.stdout, "wrote %s\n", out)
	return err
}

// checkWorkflow fails when the file is not the workflow, and shows the difference.
func (a *app) checkWorkflow(out string, text []byte) error {
	there, err := os.ReadFile(a.abs(out))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if bytes.Equal(there, text) {
		return nil
	}
	fmt.Fprint(a.stdout, udiff.Unified(out, "what the spec asks for", string(there), string(text)))
	return fmt.Errorf("%s is not what the spec asks for: turnout export workflow writes it again", out)
}
