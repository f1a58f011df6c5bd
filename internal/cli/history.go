package cli

import (
	"context"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"
	"unicode"

	"github.com/urfave/cli/v3"

	"github.com/org/deploy-action/internal/event"
	"github.com/org/deploy-action/internal/release"
	"github.com/org/deploy-action/internal/rollout"
	"github.com/org/deploy-action/internal/state"
)

const historyHelp = `Usage: turnout history [options] [ENV]

Lists the deploys and rollbacks of an environment, newest first: when, what came
of it, which release took over from which, what the prober saw, and who ran it;
of a release that is bad by now, why.
The last 50 are remembered. Without ENV: every environment of the spec.

Options:
  -n NUMBER        how many to list (default 10)
  -json            print for programs` + specOptions + `

Example:
  turnout history -n 50 shop
` + exitCodes

// past is the history of one environment.
type past struct {
	Environment string                  `json:"environment"`
	Deploys     []state.Deploy          `json:"deploys"`           // newest first
	Bad         map[string]release.Mark `json:"bad,omitempty"`     // releases that a rollback passes over, and why
	Corrupt     int                     `json:"corrupt,omitempty"` // entries that can't be read
}

func (a *app) historyCommand() *cli.Command {
	return subcommand(&cli.Command{
		Name: "history", Usage: "list past deploys", CustomHelpTemplate: historyHelp,
		Flags: specFlags(&cli.IntFlag{Name: "n", Value: 10}, &cli.BoolFlag{Name: "json"}),
		Action: func(ctx context.Context, c *cli.Command) error {
			if c.Int("n") < 1 {
				return &usageError{fmt.Errorf("-n %d: must be at least 1", c.Int("n"))}
			}
			if c.Bool("json") {
				a.spareStdout()
			}
			all, err := a.histories(ctx, c)
			if err != nil {
				return err
			}
			if c.Bool("json") {
				return writeIndented(a.stdout, all)
			}
			return writeHistories(a.stdout, all)
		},
	})
}

func (a *app) histories(ctx context.Context, c *cli.Command) ([]past, error) {
	environments, err := a.environments(c)
	if err != nil {
		return nil, err
	}
	return ofEach(a, environments, func(request rollout.Request) (past, error) {
		found, err := rollout.Remember(ctx, request)
		newest := found.Deploys[:min(len(found.Deploys), c.Int("n"))]
		return past{
			Environment: string(request.Environment.Name), Deploys: append([]state.Deploy{}, newest...), Bad: found.Bad, Corrupt: found.Corrupt,
		}, err
	})
}

func writeHistories(out io.Writer, all []past) error {
	for i, p := range all {
		if i > 0 {
			fmt.Fprintln(out)
		}
		fmt.Fprintf(out, "environment %s\n", p.Environment)
		if len(p.Deploys) == 0 {
			fmt.Fprintln(out, "  nothing was deployed yet")
		}
		w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
		for _, d := range p.Deploys {
			fmt.Fprintf(w, "  %s\t%s\t%s\t%s\t%s\t%s\t%s\n", d.Time.UTC().Format("2006-01-02 15:04:05"), or(d.Command, "–"), d.Outcome,
				movement(d), probed(d), d.Took.Round(100*time.Millisecond), who(d))
			if d.Reason != "" {
				fmt.Fprintf(w, "  \t%s\n", oneLine(d.Reason))
			}
			if mark, bad := p.Bad[d.ToRelease]; bad && d.Outcome == string(event.Succeeded) {
				fmt.Fprintf(w, "  \tbad since: %s\n", oneLine(mark.Reason))
			}
		}
		if err := w.Flush(); err != nil {
			return err
		}
		if p.Corrupt > 0 {
			fmt.Fprintf(out, "  %d entries can't be read and are left out\n", p.Corrupt)
		}
	}
	return nil
}

// movement says which release took over from which: "r1 → r2 (green)".
func movement(d state.Deploy) string {
	if d.To == "" {
		return "–"
	}
	text := or(d.ToRelease, "a new release") + " (" + d.To + ")"
	if d.From != "" {
		text = or(d.FromRelease, d.From) + " → " + text
	}
	return text
}

func probed(d state.Deploy) string {
	if d.Requests == 0 {
		return "not measured"
	}
	return fmt.Sprintf("%d requests, %d failed", d.Requests, d.Failed)
}

func who(d state.Deploy) string {
	return strings.Join(nonEmpty(d.Actor, short(d.Commit), d.URL), ", ")
}

// oneLine is the first line of a text, printable.
func oneLine(text string) string {
	first, _, _ := strings.Cut(text, "\n")
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return -1
		}
		return r
	}, first)
}
