package cli

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/urfave/cli/v3"

	"github.com/org/deploy-action/internal/rollout"
	"github.com/org/deploy-action/internal/state"
)

const promoteHelp = `Usage: turnout promote [options] [ENV]

Has the canary that is under way give the new release all traffic now. The run
that deploys does it: it leaves out the steps that are left, watches as usual, and
puts everything back if the watch fails. Without a canary under way nothing is
done. ENV may be left out when the spec has one environment.

Options:` + specOptions + `

Example:
  turnout promote shop
` + exitCodes

const abortHelp = `Usage: turnout abort [options] [ENV]

Has the canary that is under way give the old release all traffic again. The run
that deploys does it, and ends with exit code 1. Without a canary under way
nothing is done; a run without one is cancelled where it runs. ENV may be left out
when the spec has one environment.

Options:` + specOptions + `

Example:
  turnout abort shop
` + exitCodes

func (a *app) promoteCommand() *cli.Command {
	return a.wordCommand(&cli.Command{Name: "promote", Usage: "end a canary: all traffic to the new release", CustomHelpTemplate: promoteHelp}, state.Promote)
}

func (a *app) abortCommand() *cli.Command {
	return a.wordCommand(&cli.Command{Name: "abort", Usage: "end a canary: all traffic to the old release", CustomHelpTemplate: abortHelp}, state.Abort)
}

// wordCommand is a command that tells a running canary something.
func (a *app) wordCommand(c *cli.Command, verb state.Verb) *cli.Command {
	c.Flags, c.Before = specFlags(), a.beforeRun
	c.Action = func(ctx context.Context, c *cli.Command) error {
		_, env, err := environment(c, a.loadMachines)
		if err != nil {
			return err
		}
		machines := a.newMachines()
		defer machines.Close()
		request, err := a.supported(env, machines)
		if err != nil {
			return err
		}
		did, err := rollout.Tell(ctx, request, state.Word{Verb: verb, By: a.actor(), Time: time.Now().UTC()})
		if errors.Is(err, rollout.ErrNoCanary) {
			return &usageError{err}
		}
		if err == nil {
			_, err = fmt.Fprintf(a.stdout, "%s: %s\n", env.Name, did)
		}
		return err
	}
	return subcommand(c)
}

// actor is who calls turnout, as far as is known.
func (a *app) actor() string {
	if a.actions != nil {
		return a.actions.Context()["actor"]
	}
	return a.env.Getenv("USER")
}
