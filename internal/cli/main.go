// Package cli turns arguments into one call of the packages below it and the
// result into an exit code. It is the only package that knows the process's
// environment, and the only one that sees all others.
package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/urfave/cli/v3"
	"golang.org/x/term"

	"github.com/org/deploy-action/internal/github"
	"github.com/org/deploy-action/internal/secret"
	"github.com/org/deploy-action/internal/spec"
)

// Env is the world a command runs in.
type Env struct {
	Args    []string // with the program's name first
	Environ []string // "NAME=value"
	System  string   // of this machine, as Go calls it
	Stdin   io.Reader
	Stdout  io.Writer
	Stderr  io.Writer
}

// Getenv is the value of an environment variable, empty when it is not set. The
// last of several settings wins, as in os/exec.
func (e Env) Getenv(name string) string {
	for i := len(e.Environ) - 1; i >= 0; i-- {
		if value, ok := strings.CutPrefix(e.Environ[i], name+"="); ok {
			return value
		}
	}
	return ""
}

// app is one call of turnout.
type app struct {
	env     Env
	stdout  io.Writer // masked once the spec's secrets are known
	stderr  io.Writer
	flush   func() error // writes what stdout and stderr hold back
	masker  *secret.Masker
	actions *github.Actions // nil outside GitHub Actions
	colour  bool
	dir     string // the working directory, after -chdir
	saved   *saved // the plan that is to be run; nil: one is to be made
}

// Main runs one command and returns the process's exit code.
func Main(ctx context.Context, env Env) int {
	favourCommand()
	a := &app{env: env, stdout: env.Stdout, stderr: env.Stderr, masker: secret.New(nil), flush: func() error { return nil }}
	code := a.exit(ctx, a.perform(ctx))
	if err := a.flush(); err != nil && code == exitDone {
		return exitFailed
	}
	return code
}

func (a *app) perform(ctx context.Context) error {
	if isPlainAgent(a.env.Args) {
		return a.plainAgent(ctx)
	}
	a.actions, _ = github.Detect(a.env.Getenv, a.env.Stdout)
	args, err := a.args()
	if err != nil {
		return err
	}
	return a.command().Run(ctx, args)
}

// args are the command line, which in the container action comes from inputs.
func (a *app) args() ([]string, error) {
	if !github.IsEntrypoint(a.env.Args[0]) {
		return a.env.Args, nil
	}
	args, err := github.EntrypointArgs(a.env.Args[0], a.env.Getenv)
	if err != nil {
		return nil, &usageError{err}
	}
	return append([]string{"turnout"}, args...), nil
}

func (a *app) command() *cli.Command {
	return &cli.Command{
		Name:                            "turnout",
		Usage:                           "zero-downtime deploys to your own servers",
		CustomRootCommandHelpTemplate:   rootHelp,
		Writer:                          a.env.Stdout,
		ErrWriter:                       a.env.Stderr,
		EnableShellCompletion:           true,
		ConfigureShellCompletionCommand: func(c *cli.Command) { c.Hidden = false },
		DisableSliceFlagSeparator:       true,
		HideVersion:                     true,
		HideHelpCommand:                 true,
		OnUsageError:                    usage,
		ExitErrHandler:                  func(context.Context, *cli.Command, error) {},
		Before:                          a.before,
		Action:                          unknownCommand,
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "chdir", TakesFile: true},
			&cli.BoolFlag{Name: "no-color"},
		},
		Commands: []*cli.Command{
			a.validateCommand(), a.fmtCommand(), a.planCommand(), a.runCommand(), a.taskCommand(), a.deployCommand(), a.promoteCommand(), a.abortCommand(), a.rollbackCommand(),
			a.statusCommand(), a.historyCommand(), a.recoverCommand(), a.previewCommand(), a.lockCommand(), a.reportCommand(), a.artifactsCommand(), a.serversCommand(),
			a.renderCommand(), a.exportCommand(), a.initCommand(), a.agentCommand(), a.versionCommand(),
		},
	}
}

// harmless are the commands that evaluate no spec: one can read the environment,
// and say what it read. No command at all is a question for help.
var harmless = map[string]bool{
	"": true, "fmt": true, "init": true, "report": true, "artifacts": true, "agent": true, "version": true, "completion": true,
}

// before settles where the command runs, whether it may, and whether it may use
// colour.
func (a *app) before(ctx context.Context, c *cli.Command) (context.Context, error) {
	if dir := c.String("chdir"); dir != "" {
		if err := os.Chdir(dir); err != nil {
			return ctx, &usageError{fmt.Errorf("-chdir: %w", err)}
		}
	}
	dir, err := os.Getwd()
	if err != nil {
		return ctx, err
	}
	a.dir = dir
	if a.actions != nil && !harmless[c.Args().First()] {
		if err := a.actions.RefuseFork(ctx); err != nil {
			return ctx, &usageError{err}
		}
	}
	a.colour = !c.Bool("no-color") && a.env.Getenv("NO_COLOR") == "" && (a.actions != nil || isTerminal(a.env.Stdout))
	return ctx, nil
}

// isTerminal reports whether w is a terminal a person looks at.
func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// subcommand fills in what all commands have in common.
func subcommand(c *cli.Command) *cli.Command {
	c.OnUsageError = usage
	c.HideHelpCommand = true
	c.DisableSliceFlagSeparator = true
	return c
}

// group is a command of commands, which its own help text lists: the library has
// another text for one with commands that are not hidden.
func (a *app) group(c *cli.Command) *cli.Command {
	for _, sub := range c.Commands {
		sub.Hidden = true
	}
	c.ShellComplete = func(_ context.Context, c *cli.Command) {
		for _, sub := range c.Commands {
			fmt.Fprintln(a.stdout, sub.Name)
		}
	}
	c.Action = func(ctx context.Context, c *cli.Command) error {
		if !c.Args().Present() {
			return cli.ShowCommandHelp(ctx, c.Root(), c.Name)
		}
		return unknownCommand(ctx, c)
	}
	return subcommand(c)
}

func usage(_ context.Context, _ *cli.Command, err error, _ bool) error { return &usageError{err} }

func unknownCommand(_ context.Context, c *cli.Command) error {
	if !c.Args().Present() {
		return cli.ShowRootCommandHelp(c)
	}
	var names []string
	for _, known := range c.Commands {
		names = append(names, known.Names()...)
	}
	err := fmt.Errorf("there is no command %q", c.Args().First())
	if near := spec.Nearest(c.Args().First(), names); near != "" {
		err = fmt.Errorf("%w; did you mean %q?", err, near)
	}
	return &usageError{err}
}

// atMost refuses arguments past the nth.
func atMost(c *cli.Command, n int) error {
	if c.Args().Len() > n {
		return &usageError{fmt.Errorf("%s: unexpected argument %q", c.Name, c.Args().Get(n))}
	}
	return nil
}

// writeIndented writes v as JSON, for programs and for people who look at it.
func writeIndented(out io.Writer, v any) error {
	encoder := json.NewEncoder(out)
	encoder.SetIndent("", "  ")
	return encoder.Encode(v)
}

// usageError is a command line that cannot be followed. Nothing was touched.
type usageError struct{ err error }

func (e *usageError) Error() string { return e.err.Error() }
func (e *usageError) Unwrap() error { return e.err }

// errReported is a mistake in the spec that has been told already.
var errReported = errors.New("the spec has mistakes")
