package cli

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/urfave/cli/v3"

	"github.com/org/deploy-action/internal/plan"
	"github.com/org/deploy-action/internal/preview"
	"github.com/org/deploy-action/internal/spec"
	"github.com/org/deploy-action/internal/state"
	"github.com/org/deploy-action/internal/value"
)

const previewHelp = `Usage: turnout preview COMMAND [options] [PREVIEW]

A running copy of the application for each pull request, at a host name of its
own. PREVIEW is a preview block of the spec; it may be left out when there is one.

Commands:
  up          bring up the preview of a pull request, or update it
  down        remove it
  sync        remove previews of closed pull requests, repair the others
  list        list previews
  prune       remove previews that are older than their ttl

"turnout preview COMMAND -h" explains a command.

Example:
  turnout preview up -pr 12
` + exitCodes

// repositoryOption is the part of the help texts that says whose previews are meant.
const repositoryOption = `
  -repository OWNER/NAME
                   whose previews (default: the repository of the job)`

const previewUpHelp = `Usage: turnout preview up [options] [PREVIEW]

Ships a release to the preview of a pull request, starts it at a port that is
leased for the preview's life, waits until it is healthy and leads its host name
there. An update that fails leaves the release before it running.

Options:
  -pr NUMBER       the pull request (default: the one that started the job)
  -release PATH    directory or archive to ship (default: what the spec says)` + repositoryOption + specOptions + `

Example:
  turnout preview up -pr 12 -release dist
` + exitCodes

const previewDownHelp = `Usage: turnout preview down [options] [PREVIEW]

Removes the preview of a pull request: its host name first, which is answered with
404 from then on, then what runs, its folder and its port. May be repeated.

Options:
  -pr NUMBER       the pull request (default: the one that started the job)` + repositoryOption + specOptions + `

Example:
  turnout preview down -pr 12
` + exitCodes

const previewSyncHelp = `Usage: turnout preview sync [options] [PREVIEW]

Makes the previews on the server those of the open pull requests, whatever events
were lost and whatever was interrupted: removes those of closed ones, those older
than their ttl and those that never came up; has the others run and be reached.
Open pull requests without a preview are listed: their own jobs have what to ship.

Options:
  -open NUMBERS    the open pull requests, as in 12,15; "" is none (default: GitHub
                   is asked)
  -json            print for programs` + repositoryOption + specOptions + `

Example:
  turnout preview sync -open 12,15
` + exitCodes

const previewListHelp = `Usage: turnout preview list [options] [PREVIEW]

Lists previews: pull request, state, release, port, host name, how long ago a
release came, and whose they are. Without a job and without -repository, those of
all repositories. Nothing is changed.

Options:
  -json            print for programs` + repositoryOption + specOptions + `

Example:
  turnout preview list
` + exitCodes

const previewPruneHelp = `Usage: turnout preview prune [options] [PREVIEW]

Removes previews to which nothing has come for longer than their ttl, and what
interrupted runs have left. Nobody is asked which pull requests are open.

Options:
  -json            print for programs` + repositoryOption + specOptions + `

Example:
  turnout preview prune
` + exitCodes

func (a *app) previewCommand() *cli.Command {
	pr := func() cli.Flag { return &cli.StringFlag{Name: "pr"} }
	json := func() cli.Flag { return &cli.BoolFlag{Name: "json"} }
	return a.group(&cli.Command{
		Name: "preview", Usage: "bring up, remove and repair previews of pull requests", CustomHelpTemplate: previewHelp,
		Commands: []*cli.Command{
			a.previewVerb("up", previewUpHelp, (*previews).up, pr(), &cli.StringFlag{Name: "release", TakesFile: true}),
			a.previewVerb("down", previewDownHelp, (*previews).down, pr()),
			a.previewVerb("sync", previewSyncHelp, (*previews).sync, &cli.StringFlag{Name: "open"}, json()),
			a.previewVerb("list", previewListHelp, (*previews).list, json()),
			a.previewVerb("prune", previewPruneHelp, (*previews).prune, json()),
		},
	})
}

// previews is one command about previews.
type previews struct {
	*app
	*cli.Command
	preview.Request
	machines *machines
}

func (a *app) previewVerb(name, help string, do func(*previews, context.Context) error, flags ...cli.Flag) *cli.Command {
	return subcommand(&cli.Command{
		Name: name, Usage: name + " previews", CustomHelpTemplate: help, Before: a.beforeRun,
		Flags: specFlags(append(flags, &cli.StringFlag{Name: "repository"})...),
		Action: func(ctx context.Context, c *cli.Command) error {
			p, err := a.previews(c)
			if err != nil {
				return err
			}
			defer p.machines.Close()
			err = do(p, ctx)
			if a.actions != nil {
				a.actions.Close(ctx)
			}
			return err
		},
	})
}

// previews reads what a command about previews is about.
func (a *app) previews(c *cli.Command) (*previews, error) {
	if err := atMost(c, 1); err != nil {
		return nil, err
	}
	s, err := a.load(c)
	if err != nil {
		return nil, err
	}
	p := &previews{app: a, Command: c, machines: a.newMachines()}
	if p.Preview, err = chosen(s, c.Args().First()); err != nil {
		return nil, &usageError{err}
	}
	if err := preview.Check(p.Preview); err != nil {
		return nil, &usageError{err}
	}
	servers := append([]*spec.Server{p.Preview.Server}, p.Preview.Proxy.Servers...)
	if why := plan.NeedsLinux(a.env.System, fmt.Sprintf("preview %q", p.Preview.Name), servers); why != "" {
		return nil, &usageError{fmt.Errorf("%s:%d: %s", p.Preview.Pos.File, p.Preview.Pos.Line, why)}
	}
	texts, err := a.templates(&spec.Environment{Proxies: []*spec.Proxy{p.Preview.Proxy}})
	if err != nil {
		return nil, err
	}
	if p.Repository, err = a.repository(c); err != nil {
		return nil, err
	}
	now := time.Now().UTC()
	p.Template = texts[p.Preview.Proxy.Template]
	p.Holder = state.Holder{Run: runID(now), Command: "preview " + c.Name, Since: now, Actor: a.actor()}
	if a.actions != nil {
		known := a.actions.Context()
		p.Holder.Commit, p.Holder.URL = known["head_sha"], a.actions.RunURL()
	}
	p.Machines, p.Tell = p.machines.ForSwitch, p.tellStep
	return p, nil
}

// chosen is the preview block of that name; without a name, the only one.
func chosen(s *spec.Spec, name string) (*spec.Preview, error) {
	found, names, is := plan.Named(s.Previews, func(p *spec.Preview) value.Name { return p.Name }, name)
	switch {
	case is:
		return found, nil
	case len(names) == 0:
		return nil, fmt.Errorf("%s: has no preview block", s.File)
	case name == "":
		return nil, fmt.Errorf("%s: has several previews (%s): name one", s.File, strings.Join(names, ", "))
	}
	return nil, fmt.Errorf("%s: has no preview %q; it has %s", s.File, name, strings.Join(names, ", "))
}

// tellStep prints what was done. Where a program reads standard output, people
// read standard error.
func (p *previews) tellStep(s preview.Step) {
	out := p.stdout
	if p.Bool("json") {
		out = p.stderr
	}
	text := p.masker.String(s.Text)
	if s.Preview != "" {
		text = string(s.Preview) + ": " + text
	}
	fmt.Fprintln(out, text)
}

// number is the pull request that the command is about. It is all that a preview
// gets its names from, so nothing but a number is taken.
func (p *previews) number() (int, error) {
	text := p.String("pr")
	if text == "" {
		text = p.githubContext()["pull_request"]
	}
	if text == "" {
		return 0, &usageError{errors.New("which pull request? The event that started this job has none: give -pr NUMBER")}
	}
	number, err := pullNumber(text)
	if err != nil {
		return 0, &usageError{fmt.Errorf("-pr: %w", err)}
	}
	return number, nil
}

var repositoryName = regexp.MustCompile(`^[A-Za-z0-9_.-]+/[A-Za-z0-9_.-]+$`)

// repository is the one whose previews the command is about; empty outside of
// GitHub, unless it is given.
func (a *app) repository(c *cli.Command) (string, error) {
	if !c.IsSet("repository") {
		return a.githubContext()["repository"], nil
	}
	name := c.String("repository")
	if !repositoryName.MatchString(name) {
		return "", &usageError{fmt.Errorf("-repository: %q is not a repository: write OWNER/NAME", name)}
	}
	return name, nil
}

func pullNumber(text string) (int, error) {
	number, err := strconv.ParseInt(text, 10, 32)
	if err != nil || number < 1 || strconv.FormatInt(number, 10) != text {
		return 0, fmt.Errorf("%q is not the number of a pull request", text)
	}
	return int(number), nil
}

// refuseFork is an error where a fork's pull request would change servers.
func (p *previews) refuseFork() error {
	if p.actions == nil {
		return nil
	}
	if err := p.actions.RefuseForkDeploy(); err != nil {
		return &usageError{err}
	}
	return nil
}
