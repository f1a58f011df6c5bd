package cli

import (
	"context"

	"github.com/urfave/cli/v3"

	"github.com/org/deploy-action/internal/event"
	"github.com/org/deploy-action/internal/pipeline"
	"github.com/org/deploy-action/internal/plan"
)

const runHelp = `Usage: turnout run [options] [PIPELINE]

Runs a pipeline: stages start as soon as the stages they need are done, a deploy
stage moves its environment to the new release, and a switch that fails is put
back. PIPELINE may be left out when the spec has one. The report, the logs of
the stages and the event log go to .turnout/runs/<run>/.

Options:
  -dry-run         print the plan and stop` + tellOptions + specOptions + `

Example:
  turnout run -var release=dist release
` + exitCodes

func (a *app) runCommand() *cli.Command {
	return subcommand(&cli.Command{
		Name: "run", Usage: "run a pipeline", CustomHelpTemplate: runHelp,
		Flags: specFlags(&cli.BoolFlag{Name: "dry-run"}), MutuallyExclusiveFlags: tellFlags(), Before: a.beforeRun,
		Action: func(ctx context.Context, c *cli.Command) error {
			_, p, err := a.plan(c)
			if err != nil {
				return err
			}
			if c.Bool("dry-run") {
				return a.showPlan(ctx, p, c.Bool("json"))
			}
			return a.execute(ctx, c, p, func(ctx context.Context, r *run) event.Result {
				defer favourStages(len(p.Stages))()
				return pipeline.Run(ctx, p, r.pipelineOptions())
			})
		},
	})
}

// execute does a plan between its first and its last event, and turns the
// result into an error unless it is good.
func (a *app) execute(ctx context.Context, c *cli.Command, p *plan.Plan, do func(context.Context, *run) event.Result) error {
	r, err := a.newRun(c, p)
	if err != nil {
		return err
	}
	result := r.do(ctx, do)
	if result.ExitCode == exitDone {
		return nil
	}
	return &resultError{result}
}
