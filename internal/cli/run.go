package cli

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/urfave/cli/v3"

	"github.com/org/deploy-action/internal/event"
	"github.com/org/deploy-action/internal/pipeline"
	"github.com/org/deploy-action/internal/plan"
	"github.com/org/deploy-action/internal/rollout"
)

const runHelp = `Usage: turnout run [options] [PIPELINE]
       turnout run [options] PLAN.json

Runs a pipeline: stages start as soon as the stages they need are done, a deploy
stage moves its environment to the new release, and a switch that fails is put
back. PIPELINE may be left out when the spec has one. PLAN.json is a plan that
"turnout plan -out" has written: it is run only while what it was made from and
what is live are as they were. The report, the logs of the stages and the event
log go to .turnout/runs/<run>/.

Options:
  -dry-run         print the plan and stop
  -stage NAME      run one stage, as a job of its own; "test[unit]" is a leg
  -finish          run what comes when all stages have run elsewhere: rollback
                   strategies, artifacts, the report of the whole
  -needs DIR       what the jobs before have handed over
  -hand-over DIR   hand over to jobs after this one: how the stage ended, its
                   outputs, and what there is of the pipeline's artifacts` + tellOptions + specOptions + `

"turnout export workflow" writes a workflow of such jobs.

Example:
  turnout run -var release=dist release
` + exitCodes

func (a *app) runCommand() *cli.Command {
	return subcommand(&cli.Command{
		Name: "run", Usage: "run a pipeline", CustomHelpTemplate: runHelp,
		Flags: specFlags(append(jobFlags(), &cli.BoolFlag{Name: "dry-run"})...), MutuallyExclusiveFlags: tellFlags(), Before: a.beforeRun,
		Action: func(ctx context.Context, c *cli.Command) error {
			if file := c.Args().First(); strings.HasSuffix(file, planSuffix) {
				return a.runSaved(ctx, c, file)
			}
			_, p, err := a.plan(c)
			if err != nil {
				return err
			}
			switch {
			case c.String("stage") != "" || c.Bool("finish"):
				return a.runPart(ctx, c, p)
			case c.String("needs") != "" || c.String("hand-over") != "":
				return &usageError{errors.New("run: -needs and -hand-over are for -stage and -finish; a whole pipeline needs neither")}
			case c.Bool("dry-run"):
				return a.showPlan(ctx, p, c.Bool("json"))
			}
			return a.runWhole(ctx, c, p)
		},
	})
}

// runWhole runs a plan from its first stage to its last artifact.
func (a *app) runWhole(ctx context.Context, c *cli.Command, p *plan.Plan) error {
	return a.execute(ctx, c, p, func(ctx context.Context, r *run) event.Result {
		if err := r.room(ctx); err != nil {
			return event.Result{Outcome: event.Failed, Reason: err.Error() + "; nothing was started"}
		}
		defer favourStages(len(p.Stages))()
		return pipeline.Run(ctx, p, r.pipelineOptions())
	})
}

// room finds out whether the releases that are there already fit onto the disks,
// so that no migration is done for a deploy that can't be.
func (r *run) room(ctx context.Context) error {
	for _, d := range r.plan.Supplied() {
		request, err := r.app.request(d, r.machines)
		if err != nil {
			return err
		}
		if err := rollout.Room(ctx, request); err != nil {
			return fmt.Errorf("environment %s could not be switched: %w", d.Environment.Name, err)
		}
	}
	return nil
}

// execute does a plan between its first and its last event, and turns the
// result into an error unless it is good.
func (a *app) execute(ctx context.Context, c *cli.Command, p *plan.Plan, do func(context.Context, *run) event.Result) error {
	if a.actions != nil && p.ChangesServers() {
		if err := a.actions.RefuseForkDeploy(); err != nil {
			return &usageError{err}
		}
	}
	if err := a.tell(plan.OffLinux(a.env.System, p)); err != nil {
		return err
	}
	r, err := a.newRun(c, p)
	if err != nil {
		return err
	}
	return r.execute(ctx, do)
}

func (r *run) execute(ctx context.Context, do func(context.Context, *run) event.Result) error {
	result := r.do(ctx, do)
	if result.ExitCode == exitDone {
		return nil
	}
	return &resultError{result}
}
