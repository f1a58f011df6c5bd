package cli

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/urfave/cli/v3"

	"github.com/org/deploy-action/internal/event"
	"github.com/org/deploy-action/internal/plan"
	"github.com/org/deploy-action/internal/spec"
)

const deployHelp = `Usage: turnout deploy [options] [ENV]

Ships a release to the idle slot of an environment, starts it, waits until it is
healthy, moves the traffic and watches. Anything that fails is put back. ENV may
be left out when the spec has one environment.

Options:
  -release PATH    directory or archive to ship (default: what the spec's deploy
                   block for ENV names); artifact:NAME[@RUN] is what an earlier
                   run has kept
  -canary          move the traffic step by step, as the spec's canary block for
                   ENV says; without one: 10, 30, 50, 70, 90 %, 30 s each
  -dry-run         print the plan and stop` + tellOptions + specOptions + `

Example:
  turnout deploy -release dist -canary shop
` + exitCodes

const rollbackHelp = `Usage: turnout rollback [options] [ENV]

Goes back to the newest good release that all servers have: at once where it is
still running, else after starting it and waiting until it is healthy. A release
whose deploy failed, or that was rolled back from, is not good; a slot that is not
healthy is not moved to. ENV may be left out when the spec has one environment.

Options:
  -to RELEASE      go to this release, whatever is known of it; status and history
                   list releases
  -dry-run         print the plan and stop` + tellOptions + specOptions + `

Example:
  turnout rollback shop
` + exitCodes

func (a *app) deployCommand() *cli.Command {
	return subcommand(&cli.Command{
		Name: "deploy", Usage: "deploy one environment", CustomHelpTemplate: deployHelp,
		Flags:                  specFlags(&cli.StringFlag{Name: "release", TakesFile: true}, &cli.BoolFlag{Name: "canary"}, &cli.BoolFlag{Name: "dry-run"}),
		MutuallyExclusiveFlags: tellFlags(), Before: a.beforeRun,
		Action: func(ctx context.Context, c *cli.Command) error {
			return a.move(ctx, c, a.load, func(s *spec.Spec, env *spec.Environment) (*plan.Deploy, error) {
				release, err := releaseFor(s, env, c.String("release"))
				d := &plan.Deploy{Environment: env, Release: release, Pos: env.Pos}
				if err == nil && c.Bool("canary") {
					d.Canary, err = a.canaryFor(s, env, c.Bool("json"))
				}
				return d, err
			})
		},
	})
}

func (a *app) rollbackCommand() *cli.Command {
	return subcommand(&cli.Command{
		Name: "rollback", Usage: "go back to an earlier release", CustomHelpTemplate: rollbackHelp,
		Flags: specFlags(&cli.StringFlag{Name: "to"}, &cli.BoolFlag{Name: "dry-run"}), MutuallyExclusiveFlags: tellFlags(), Before: a.beforeRun,
		Action: func(ctx context.Context, c *cli.Command) error {
			return a.move(ctx, c, a.loadMachines, func(_ *spec.Spec, env *spec.Environment) (*plan.Deploy, error) {
				return &plan.Deploy{Environment: env, Rollback: true, To: c.String("to"), Pos: env.Pos}, nil
			})
		},
	})
}

// loader is a way to read the spec.
type loader func(*cli.Command) (*spec.Spec, error)

// move deploys or rolls back the environment that the arguments name.
func (a *app) move(ctx context.Context, c *cli.Command, load loader, what func(*spec.Spec, *spec.Environment) (*plan.Deploy, error)) error {
	s, env, err := environment(c, load)
	if err != nil {
		return err
	}
	d, err := what(s, env)
	if err != nil {
		return &usageError{err}
	}
	p, problems := plan.Move(s, d)
	if err := a.tell(problems); err != nil {
		return err
	}
	if c.Bool("dry-run") {
		return a.showPlan(ctx, p, c.Bool("json"))
	}
	return a.execute(ctx, c, p, func(ctx context.Context, r *run) event.Result {
		return resultOf(r.deploy(ctx, d, r.emit))
	})
}

// environment reads the spec and picks the environment that the arguments name.
func environment(c *cli.Command, load loader) (*spec.Spec, *spec.Environment, error) {
	if err := atMost(c, 1); err != nil {
		return nil, nil, err
	}
	s, err := load(c)
	if err != nil {
		return nil, nil, err
	}
	env, err := plan.PickEnvironment(s, c.Args().First())
	if err != nil {
		return nil, nil, &usageError{err}
	}
	return s, env, nil
}

// releaseFor is what a deploy of env ships: what the flag says, else what every
// deploy block for env agrees on.
func releaseFor(s *spec.Spec, env *spec.Environment, flag string) (string, error) {
	if flag != "" {
		return flag, nil
	}
	var found []string
	for _, d := range deploysOf(s, env) {
		if !slices.Contains(found, d.Release) {
			found = append(found, d.Release)
		}
	}
	switch len(found) {
	case 1:
		return found[0], nil
	case 0:
		return "", fmt.Errorf("deploy %s: no deploy block names its release; say what to ship with -release PATH", env.Name)
	}
	return "", fmt.Errorf("deploy %s: deploy blocks name several releases (%s); choose one with -release PATH", env.Name, strings.Join(found, ", "))
}

// canaryFor is the canary that deploy blocks for env agree on, else the default,
// and tells which.
func (a *app) canaryFor(s *spec.Spec, env *spec.Environment, quiet bool) (*spec.Canary, error) {
	var found []*spec.Canary
	for _, d := range deploysOf(s, env) {
		if d.Canary != nil && !slices.ContainsFunc(found, d.Canary.Same) {
			found = append(found, d.Canary)
		}
	}
	chosen, why := spec.DefaultCanary(env.Pos), "by default: no deploy block for it has a canary"
	switch {
	case len(found) > 1:
		return nil, fmt.Errorf("deploy %s: deploy blocks have several canaries, at lines %d and %d of %s; run the pipeline that has the one you want", env.Name, found[0].Pos.Line, found[1].Pos.Line, found[0].Pos.File)
	case len(found) == 1:
		chosen, why = found[0], fmt.Sprintf("of %s:%d", found[0].Pos.File, found[0].Pos.Line)
	}
	if !quiet {
		fmt.Fprintf(a.stdout, "Canary of %s %s.\n", env.Name, why)
	}
	return chosen, nil
}

// deploysOf are the deploy blocks for env.
func deploysOf(s *spec.Spec, env *spec.Environment) []*spec.Deploy {
	var all []*spec.Deploy
	for _, pipeline := range s.Pipelines {
		for _, stage := range pipeline.Stages {
			if d := stage.Deploy; d != nil && d.Environment == env {
				all = append(all, d)
			}
		}
	}
	return all
}

// resultOf is the result of a run that consists of one switch.
func resultOf(s event.Switch) event.Result {
	return event.Result{Outcome: s.Outcome, Reason: s.Reason, Pos: s.Pos}
}
