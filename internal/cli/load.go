package cli

import (
	"fmt"
	"runtime"
	"slices"
	"strings"

	"github.com/urfave/cli/v3"

	"github.com/org/deploy-action/internal/github"
	"github.com/org/deploy-action/internal/secret"
	"github.com/org/deploy-action/internal/spec"
	"github.com/org/deploy-action/internal/version"
)

// specFlags are those of every command that reads a spec.
func specFlags(more ...cli.Flag) []cli.Flag {
	return append([]cli.Flag{
		&cli.StringFlag{Name: "f", Value: "deploy.hcl", TakesFile: true},
		&cli.StringSliceFlag{Name: "var"},
		&cli.StringSliceFlag{Name: "var-file", TakesFile: true},
	}, more...)
}

// specOptions is the part of the help texts that lists them.
const specOptions = `
  -f FILE          the spec (default deploy.hcl)
  -var NAME=VALUE  set a variable; may be repeated
  -var-file FILE   set variables from a file; may be repeated
  -chdir DIR       change to DIR first; relative paths begin there
  -no-color        no colour, also NO_COLOR=1`

// load reads the spec and tells every problem in it. From here on nothing is
// printed with a secret of the spec in it.
func (a *app) load(c *cli.Command) (*spec.Spec, error) { return a.loadAs(c, spec.Options{}) }

// loadMachines is load for those who change nothing that the spec's pipelines and
// tasks speak of: variables that only these read need no value.
func (a *app) loadMachines(c *cli.Command) (*spec.Spec, error) {
	return a.loadAs(c, spec.Options{Machines: true})
}

// loadAs is load with options; what is missing in them is filled in.
func (a *app) loadAs(c *cli.Command, options spec.Options) (*spec.Spec, error) {
	vars, problems, err := a.assignments(c)
	if err != nil {
		return nil, err
	}
	vars = append(a.preset(), vars...)
	options.Vars, options.Dir, options.GitHub = vars, a.dir, a.githubContext()
	options.Version, options.CPUs = version.Number, runtime.NumCPU()
	if options.Getenv == nil {
		options.Getenv = a.env.Getenv
	}
	s, found := spec.Load(a.specFile(c), options)
	if s != nil {
		in := a.inputs()
		a.hide(slices.Concat(s.Secrets, in.Secrets()))
		s.FillLogins(spec.Login{PrivateKey: in.Key, Passphrase: in.Passphrase, KnownHosts: in.KnownHosts})
	}
	problems = append(problems, found...)
	if err := a.tell(problems); err != nil {
		return nil, err
	}
	return s, nil
}

// spareStdout has what is for GitHub's runner written to standard error, which
// the runner reads as well: standard output is data that someone keeps, and the
// runner is told of secrets by their value.
func (a *app) spareStdout() {
	if a.actions != nil {
		a.actions.SpeakTo(a.env.Stderr)
	}
}

// hide masks secrets in everything that is printed from here on.
func (a *app) hide(secrets []string) {
	a.masker = secret.New(secrets)
	a.speak()
	if a.actions != nil {
		a.actions.Mask(secrets)
	}
}

// tell prints problems; an error among them ends the command.
func (a *app) tell(problems spec.Problems) error {
	if len(problems) == 0 {
		return nil
	}
	if err := problems.Write(a.stderr, a.colour); err != nil {
		return err
	}
	if a.actions != nil {
		a.actions.Annotate(problems)
	}
	if problems.Failed() {
		return errReported
	}
	return nil
}

// assignments are the values given to variables, in rising precedence: the
// environment, files, flags.
func (a *app) assignments(c *cli.Command) ([]spec.Assignment, spec.Problems, error) {
	var all []spec.Assignment
	for _, setting := range a.env.Environ {
		name, value, _ := strings.Cut(setting, "=")
		if bare, ok := strings.CutPrefix(name, "TURNOUT_VAR_"); ok {
			all = append(all, spec.Assignment{Name: bare, Value: value, Origin: name})
		}
	}
	var problems spec.Problems
	for _, file := range c.StringSlice("var-file") {
		fromFile, found := spec.VarFile(file)
		all, problems = append(all, fromFile...), append(problems, found...)
	}
	for _, setting := range c.StringSlice("var") {
		name, value, ok := strings.Cut(setting, "=")
		if !ok {
			return nil, nil, &usageError{fmt.Errorf("-var %s: write -var NAME=VALUE", setting)}
		}
		all = append(all, spec.Assignment{Name: name, Value: value, Origin: "-var"})
	}
	return all, problems, nil
}

// inputs are those of the action that are no part of the command line; outside
// GitHub Actions there are none.
func (a *app) inputs() github.Settings {
	if a.actions == nil {
		return github.Settings{}
	}
	return a.actions.Settings()
}

// githubContext is the github object of the spec. Outside GitHub Actions its
// fields are empty.
func (a *app) githubContext() map[string]string {
	if a.actions == nil {
		return nil
	}
	return a.actions.Context()
}
