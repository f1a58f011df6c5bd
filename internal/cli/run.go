package cli

import (
	"context"
	"runtime"
	"runtime/debug"

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

// What a run may use before Go's runtime looks harder for what is not needed any
// more, in bytes: a base, and more for each stage. Where other programs keep the
// CPUs busy, it would fall behind by as much again.
const (
	baseMemory  = 32 << 20
	stageMemory = 4 << 10
)

// favourStages has Go's runtime get out of the way of what so many stages run,
// and returns what ends that, but for the bound of the memory.
//
// A thread that waits in the kernel for a command counts as running, and where
// none is left to spare, Go's monitor takes its place away and gives it back again
// for every command. And what a run keeps is little, a few KiB a stage, so that it
// may grow a bit more before it is looked through for what is not needed any more.
// Both together are a fifth of what a short command costs.
func favourStages(stages int) (end func()) {
	debug.SetMemoryLimit(baseMemory + stageMemory*int64(stages))
	threads := runtime.GOMAXPROCS(runtime.GOMAXPROCS(0) + 2)
	percent := debug.SetGCPercent(200)
	return func() {
		debug.SetGCPercent(percent)
		runtime.GOMAXPROCS(threads)
	}
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
