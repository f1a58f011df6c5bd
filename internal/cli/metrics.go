package cli

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/urfave/cli/v3"

	"github.com/org/deploy-action/internal/event"
	"github.com/org/deploy-action/internal/metrics"
	"github.com/org/deploy-action/internal/spec"
)

const serversMetricsHelp = `Usage: turnout servers metrics [options] [TARGET ...]

Measures CPU, load, memory and disks of servers, in one round trip each. The disks
are those of / and of what the spec's environments keep on the server. What is
used by more than 80 % is marked with ! and comes with a recommendation. A TARGET
is a server, a group or a tag; without one, every server is measured.

Options:
  -window TIME     how long to look at the CPUs (default 500ms)
  -json            print for programs` + specOptions + `

Example:
  turnout servers metrics web
` + exitCodes

// measureWindow is how long the CPUs are looked at unless something else is said:
// long enough to tell a busy machine from one that answers us.
const measureWindow = 500 * time.Millisecond

// lastSample bounds what the figures of its servers may add to a run.
const lastSample = 2 * time.Second

func (a *app) serversMetricsCommand() *cli.Command {
	return subcommand(&cli.Command{
		Name: "metrics", Usage: "measure CPU, memory and disks of servers", CustomHelpTemplate: serversMetricsHelp,
		Flags: specFlags(&cli.DurationFlag{Name: "window", Value: measureWindow}, &cli.BoolFlag{Name: "json"}),
		Action: func(ctx context.Context, c *cli.Command) error {
			window := c.Duration("window")
			if window < measureWindow/5 || window > time.Minute {
				return &usageError{fmt.Errorf("-window %s: must be from %s to 1m", window, measureWindow/5)}
			}
			if c.Bool("json") {
				a.spareStdout()
			}
			s, err := a.loadMachines(c)
			if err != nil {
				return err
			}
			servers, err := pick(s, c.Args().Slice())
			if err != nil {
				return err
			}
			machines := a.newMachines()
			all := ofServers(servers, func(server *spec.Server) event.Server {
				return machines.sample(ctx, server, metrics.Request{Window: window, Paths: kept(server, s.Environments)})
			})
			if err := errors.Join(machines.Close(), a.writeMeasured(all, c.Bool("json"))); err != nil {
				return err
			}
			return unreached(all, func(s event.Server) bool { return s.Sample == nil })
		},
	})
}

// sample measures a server.
func (m *machines) sample(ctx context.Context, server *spec.Server, r metrics.Request) event.Server {
	of := event.Server{Name: string(server.Name)}
	at, err := m.Get(ctx, server)
	if err == nil {
		var sample metrics.Sample
		if sample, err = m.measure.On(ctx, at, r); err == nil {
			of.Sample = &sample
		}
	}
	if err != nil {
		of.Error = err.Error()
	}
	return of
}

// kept are the folders that fill up on a server: / and what environments keep there.
func kept(server *spec.Server, environments []*spec.Environment) []string {
	paths := []string{"/"}
	for _, env := range environments {
		if slices.Contains(env.Servers, server) {
			paths = append(paths, string(env.Root))
		}
		for _, p := range env.Proxies {
			if slices.Contains(p.Servers, server) {
				paths = append(paths, string(env.StateDir))
			}
		}
	}
	return paths
}

// sampleServers tells how busy the servers are that the run has used. One that
// has gone by now is nobody's loss.
func (r *run) sampleServers(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, lastSample)
	defer cancel()
	var environments []*spec.Environment
	for _, d := range r.plan.Deploys {
		environments = append(environments, d.Environment)
	}
	all := ofServers(r.machines.touched(), func(server *spec.Server) event.Server {
		return r.machines.sample(ctx, server, metrics.Request{Paths: kept(server, environments)})
	})
	for _, of := range all {
		r.emit(event.Event{Kind: event.ServerSampled, Server: &of})
	}
}

func (a *app) writeMeasured(all []event.Server, asJSON bool) error {
	if asJSON {
		return writeIndented(a.stdout, all)
	}
	w := tabwriter.NewWriter(a.stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "SERVER\tCPU\tLOAD\tMEMORY\tDISKS\tUP")
	var advice []string
	for _, of := range all {
		s := of.Sample
		if s == nil {
			fmt.Fprintf(w, "%s\t–\t–\t–\t–\t–\n", of.Name)
			continue
		}
		fmt.Fprintf(w, "%s\t%s of %d\t%.2f\t%s of %s\t%s\t%s\n",
			of.Name, share(s.CPU), s.Cores, s.Load1, share(s.Memory.Used), size(s.Memory.Size), diskList(s.Disks), lasting(s.Uptime))
		for _, text := range s.Advice() {
			advice = append(advice, of.Name+": "+text)
		}
	}
	if err := w.Flush(); err != nil {
		return err
	}
	if len(advice) > 0 {
		fmt.Fprintf(a.stdout, "\n%s\n", strings.Join(advice, "\n"))
	}
	for _, of := range all {
		if of.Error != "" {
			fmt.Fprintf(a.stderr, "\n%s\n", of.Error)
		}
	}
	return nil
}

// share is a percentage, marked where it is too high.
func share(percent int) string {
	if metrics.High(percent) {
		return fmt.Sprintf("! %d %%", percent)
	}
	return fmt.Sprintf("%d %%", percent)
}

func diskList(all []metrics.Disk) string {
	var parts []string
	for _, d := range all {
		parts = append(parts, fmt.Sprintf("%s %s, %s free", d.Path, share(d.Used), size(d.Free)))
	}
	return strings.Join(parts, "; ")
}

// lasting is an uptime: "42 d", "3 h", "5 m".
func lasting(d time.Duration) string {
	switch {
	case d >= 24*time.Hour:
		return fmt.Sprintf("%d d", d/(24*time.Hour))
	case d >= time.Hour:
		return fmt.Sprintf("%d h", d/time.Hour)
	}
	return fmt.Sprintf("%d m", d/time.Minute)
}
