package cli

import (
	"context"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/urfave/cli/v3"

	"github.com/org/deploy-action/internal/plan"
	"github.com/org/deploy-action/internal/rollout"
	"github.com/org/deploy-action/internal/spec"
)

const statusHelp = `Usage: turnout status [options] [ENV]

Shows what serves now, read from the proxy and from the slots: nothing is
changed and nobody is kept waiting. Without ENV: every environment of the spec.

Options:
  -watch           go on until interrupted, and show what changes
  -interval TIME   how often -watch looks (default 2s)
  -json            print for programs; with -watch, a line for every change` + specOptions + `

Example:
  turnout status -watch shop
` + exitCodes

// statusHistory is how many deploys the status lists.
const statusHistory = 5

func (a *app) statusCommand() *cli.Command {
	return subcommand(&cli.Command{
		Name: "status", Usage: "show what serves now", CustomHelpTemplate: statusHelp,
		Flags: specFlags(
			&cli.BoolFlag{Name: "json"}, &cli.BoolFlag{Name: "watch"}, &cli.DurationFlag{Name: "interval", Value: watchInterval},
		),
		Action: func(ctx context.Context, c *cli.Command) error {
			if c.Bool("json") {
				a.spareStdout()
			}
			environments, err := a.environments(c)
			if err != nil {
				return err
			}
			if c.Bool("watch") {
				return a.watchStatus(ctx, environments, c.Duration("interval"), c.Bool("json"))
			}
			all, err := a.statuses(ctx, environments)
			if err != nil {
				return err
			}
			if c.Bool("json") {
				return writeIndented(a.stdout, all)
			}
			return writeStatuses(a.stdout, all)
		},
	})
}

// environments are those that the arguments name: one, or all of the spec.
func (a *app) environments(c *cli.Command) ([]*spec.Environment, error) {
	if c.Args().Present() {
		_, env, err := environment(c, a.loadMachines)
		return []*spec.Environment{env}, err
	}
	s, err := a.loadMachines(c)
	if err != nil {
		return nil, err
	}
	if len(s.Environments) == 0 {
		return nil, &usageError{fmt.Errorf("%s: has no environment block", s.File)}
	}
	return s.Environments, nil
}

// ofEach asks about every environment, in turn.
func ofEach[T any](a *app, environments []*spec.Environment, ask func(rollout.Request) (T, error)) ([]T, error) {
	machines := a.newMachines()
	defer machines.Close()
	var all []T
	for _, env := range environments {
		request, err := a.supported(env, machines)
		if err != nil {
			return nil, err
		}
		answer, err := ask(request)
		if err != nil {
			return nil, fmt.Errorf("environment %s: %w", env.Name, err)
		}
		all = append(all, answer)
	}
	return all, nil
}

// supported is a request for env, unless this version can't reach it.
func (a *app) supported(env *spec.Environment, machines *machines) (rollout.Request, error) {
	d := &plan.Deploy{Environment: env, Rollback: true, Pos: env.Pos}
	p, problems := plan.Move(&spec.Spec{}, d)
	if err := a.tell(append(problems, plan.OffLinux(a.env.System, p)...)); err != nil {
		return rollout.Request{}, err
	}
	return a.request(d, machines)
}

func writeStatuses(w io.Writer, all []*rollout.Status) error {
	for i, status := range all {
		if i > 0 {
			fmt.Fprintln(w)
		}
		if err := writeStatus(w, status); err != nil {
			return err
		}
	}
	return nil
}

func writeStatus(out io.Writer, s *rollout.Status) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintf(w, "environment\t%s\t%s, %s\n", s.Environment, s.Proxy, s.URL)
	if s.Serving == "" {
		fmt.Fprintf(w, "serving\tnothing yet\t\n")
	} else {
		fmt.Fprintf(w, "serving\t%s\t%s\n", s.Serving, s.Release)
	}
	for _, slot := range slices.Sorted(maps.Keys(s.Slots)) {
		release := s.Slots[slot]
		if slot != s.Serving {
			fmt.Fprintf(w, "idle\t%s\t%s%s\n", slot, release, warmth(s.Healthy[slot]))
		} else if !s.Healthy[slot] {
			fmt.Fprintf(w, "problem\t%s\tserves but does not pass its health check\n", slot)
		}
	}
	if s.Share > 0 {
		fmt.Fprintf(w, "share\t%d %%\tof the requests go to the other slot\n", s.Share)
	}
	writeHosts(w, s)
	for _, drift := range s.Drift {
		fmt.Fprintf(w, "drift\t%s\t\n", drift)
	}
	for _, id := range slices.Sorted(maps.Keys(s.Bad)) {
		fmt.Fprintf(w, "bad\t%s\t%s\n", id, s.Bad[id].Reason)
	}
	if s.Unsettled != "" {
		fmt.Fprintf(w, "unsettled\trun %s was interrupted; the next run settles it, or: turnout recover %s\t\n", s.Unsettled, s.Environment)
	}
	if s.Holder != nil {
		fmt.Fprintf(w, "deploying\t%s\t%s\n", or(s.Step, "begun"), s.Holder)
	}
	for i, deploy := range s.History[:min(len(s.History), statusHistory)] {
		label := ""
		if i == 0 {
			label = "history"
		}
		fmt.Fprintf(w, "%s\t%s\t%s\n", label, deploy.Time.UTC().Format("2006-01-02 15:04:05"), strings.Join(nonEmpty(deploy.Command, deploy.Outcome, deploy.ToRelease, deploy.Actor, short(deploy.Commit)), ", "))
	}
	return w.Flush()
}

// writeHosts writes a line for each machine, where there are several.
func writeHosts(w io.Writer, s *rollout.Status) {
	for _, p := range s.Proxies {
		fmt.Fprintf(w, "proxy\t%s\t%s, serves %s%s\n", p.Server, p.Kind, or(p.Serving, "nothing yet"), shared(p.Share))
	}
	for _, server := range s.Servers {
		var slots []string
		for _, name := range slices.Sorted(maps.Keys(server.Slots)) {
			slots = append(slots, fmt.Sprintf("%s %s (%s)", name, server.Slots[name], fitness(server.Healthy[name])))
		}
		fmt.Fprintf(w, "server\t%s\t%s\n", server.Server, or(strings.Join(slots, ", "), "no release yet"))
	}
	for _, lost := range s.Unreached {
		fmt.Fprintf(w, "unreached\t%s\t\n", lost)
	}
	for _, change := range s.Changes {
		fmt.Fprintf(w, "change\t%s\t\n", change)
	}
}

// shared says what the other slot gets of a proxy's requests.
func shared(percent int) string {
	if percent == 0 {
		return ""
	}
	return fmt.Sprintf(", the other slot %d %% of the requests", percent)
}

func fitness(healthy bool) string {
	if healthy {
		return "healthy"
	}
	return "not healthy"
}

func or(s, other string) string {
	if s == "" {
		return other
	}
	return s
}

func warmth(healthy bool) string {
	if healthy {
		return ", warm: a rollback is immediate"
	}
	return ", not running: a rollback starts it first"
}

func nonEmpty(words ...string) []string {
	var kept []string
	for _, word := range words {
		if word != "" {
			kept = append(kept, word)
		}
	}
	return kept
}

func short(commit string) string { return commit[:min(len(commit), 7)] }
