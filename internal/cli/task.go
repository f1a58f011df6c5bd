package cli

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/urfave/cli/v3"

	"github.com/org/deploy-action/internal/event"
	"github.com/org/deploy-action/internal/pipeline"
	"github.com/org/deploy-action/internal/plan"
	"github.com/org/deploy-action/internal/spec"
)

const taskHelp = `Usage: turnout task [options] [TASK]

Runs a task of the spec on the servers of its target, outside a pipeline: in the
same waves, with the same report, and a log for each server in
.turnout/runs/<run>/. TASK may be left out when the spec has one.

The options -server, -group and -tag narrow the target down: the task runs on
those of its servers that one of them names. Percentages are of what is left.
With -shard several jobs share the servers: the parts follow the target's order,
and a part without servers has nothing to do.

Options:
  -server NAME     only on this server; may be repeated
  -group NAME      only on the servers of this group; may be repeated
  -tag NAME        only on the servers with this tag; may be repeated
  -shard I/N       only on the Ith of N equal parts of what is left
  -dry-run         print the waves and stop; no server is asked` + tellOptions + specOptions + `

Example:
  turnout task -dry-run restart && turnout task -server web02 restart
` + exitCodes

func (a *app) taskCommand() *cli.Command {
	return subcommand(&cli.Command{
		Name: "task", Usage: "run a task on servers", CustomHelpTemplate: taskHelp,
		Flags: specFlags(
			&cli.StringSliceFlag{Name: "server"}, &cli.StringSliceFlag{Name: "group"}, &cli.StringSliceFlag{Name: "tag"},
			&cli.StringFlag{Name: "shard"}, &cli.BoolFlag{Name: "dry-run"},
		),
		MutuallyExclusiveFlags: tellFlags(), Before: a.beforeRun,
		Action: func(ctx context.Context, c *cli.Command) error {
			p, err := a.task(c)
			if err != nil {
				return err
			}
			if p == nil {
				fmt.Fprintf(a.stderr, "-shard %s: no server is in this part; there is nothing to do.\n", c.String("shard"))
				return nil
			}
			if c.Bool("dry-run") {
				return a.showPlan(ctx, p, c.Bool("json"))
			}
			return a.execute(ctx, c, p, func(ctx context.Context, r *run) event.Result {
				return pipeline.Run(ctx, p, r.pipelineOptions())
			})
		},
	})
}

// task reads the spec and plans a run of the task that the arguments name; none
// where its shard has no servers.
func (a *app) task(c *cli.Command) (*plan.Plan, error) {
	if err := atMost(c, 1); err != nil {
		return nil, err
	}
	s, err := a.load(c)
	if err != nil {
		return nil, err
	}
	task, err := plan.PickTask(s, c.Args().First())
	if err != nil {
		return nil, &usageError{err}
	}
	on, err := narrowed(c, s, task)
	if err == nil && c.IsSet("shard") {
		on, err = shard(on, c.String("shard"))
	}
	switch {
	case err != nil:
		return nil, &usageError{err}
	case len(on) == 0 && c.IsSet("shard"):
		return nil, nil
	}
	return plan.Alone(s, task, on), nil
}

// shard is the part of servers that "2/3" means: the same part for everyone who
// asks, no server in two parts, and none in no part.
func shard(servers []*spec.Server, text string) ([]*spec.Server, error) {
	first, last, found := strings.Cut(text, "/")
	i, err := strconv.Atoi(first)
	n, errOf := strconv.Atoi(last)
	if !found || err != nil || errOf != nil || i < 1 || i > n || n > maxShards {
		return nil, fmt.Errorf("-shard %s: must be I/N, such as 2/3 for the second of three parts, with N up to %d", text, maxShards)
	}
	return servers[len(servers)*(i-1)/n : len(servers)*i/n], nil
}

// maxShards is what GitHub allows as jobs of a matrix.
const maxShards = 256

// narrowed are the servers of a task that -server, -group and -tag leave, in the
// order of its target.
func narrowed(c *cli.Command, s *spec.Spec, task *spec.Task) ([]*spec.Server, error) {
	targeted := func(server *spec.Server) bool { return slices.Contains(task.Target, server) }
	var meant []*spec.Server
	for _, by := range []struct {
		flag string
		find func(*spec.Spec, string) []*spec.Server
	}{{"server", called}, {"group", grouped}, {"tag", tagged}} {
		for _, name := range c.StringSlice(by.flag) {
			found := by.find(s, name)
			if len(found) == 0 {
				return nil, fmt.Errorf("-%s %s: names no server of %s", by.flag, name, s.File)
			}
			if !slices.ContainsFunc(found, targeted) {
				return nil, fmt.Errorf("-%s %s: task %s does not run there; its target, at %s:%d, is %s",
					by.flag, name, task.Name, task.Pos.File, task.Pos.Line, list(task.Target))
			}
			meant = append(meant, found...)
		}
	}
	if meant == nil {
		return task.Target, nil
	}
	return slices.DeleteFunc(slices.Clone(task.Target), func(server *spec.Server) bool { return !slices.Contains(meant, server) }), nil
}

// list names the first few servers.
func list(servers []*spec.Server) string {
	const few = 8
	var names []string
	for _, server := range servers[:min(len(servers), few)] {
		names = append(names, string(server.Name))
	}
	if more := len(servers) - few; more > 0 {
		names = append(names, fmt.Sprintf("%d more", more))
	}
	return strings.Join(names, ", ")
}
