package github

import (
	"fmt"
	"path"
	"slices"
	"strconv"
	"strings"
)

// Names of the action's entry points: links to the one binary, since an
// entrypoint of action.yml takes no arguments of its own.
const (
	mainEntrypoint = "turnout-action"
	postEntrypoint = "turnout-post"
)

// IsEntrypoint reports whether a program started under the name argv0 is the
// container action, whose command line comes from its inputs.
func IsEntrypoint(argv0 string) bool {
	name := path.Base(argv0)
	return name == mainEntrypoint || name == postEntrypoint
}

// EntrypointArgs is the command line of an entry point, without the program's
// name. An error is a mistake in the workflow's inputs.
func EntrypointArgs(argv0 string, getenv func(string) string) ([]string, error) {
	inputs, err := readInputs(getenv)
	if err != nil {
		return nil, err
	}
	if path.Base(argv0) == postEntrypoint {
		return inputs.postArgs(getenv("STATE_" + stateUnsettled)), nil
	}
	return inputs.mainArgs(), nil
}

// inputs are those of action.yml.
type inputs struct {
	spec, command, pipeline, environment, task, preview, planFile, directory string

	verb   string   // of the command preview
	vars   []string // "name=value"
	dryRun bool
}

// commands are the values of the input command, with the input that names what
// the command is about.
var commands = map[string]string{
	"run": "pipeline", "plan": "pipeline",
	"deploy": "environment", "rollback": "environment", "promote": "environment", "abort": "environment", "recover": "environment", "status": "environment",
	"task": "task", "validate": "", "preview": "preview",
}

func readInputs(getenv func(string) string) (inputs, error) {
	get := func(name string) string { return strings.TrimSpace(getenv("INPUT_" + strings.ToUpper(name))) }
	in := inputs{
		spec: get("spec"), command: get("command"), pipeline: get("pipeline"),
		environment: get("environment"), task: get("task"), preview: get("preview"), planFile: get("plan_file"), directory: get("working_directory"),
	}
	if in.command == "" {
		in.command = "run"
	}
	if err := in.fits(); err != nil {
		return in, err
	}
	if _, err := readSettings(getenv); err != nil {
		return in, err
	}
	var err error
	if in.command == "preview" {
		if in.verb, err = previewVerb(getenv); err != nil {
			return in, err
		}
	}
	if in.dryRun, err = boolean("dry_run", get("dry_run"), false); err != nil {
		return in, err
	}
	if in.dryRun && !in.moves() {
		return in, fmt.Errorf("input dry_run: %s changes nothing anyway; it is for run, deploy, rollback and task", in.command)
	}
	in.vars, err = assignments(getenv("INPUT_VARS"))
	return in, err
}

// fits refuses a command that there isn't and a subject that is not the
// command's.
func (in inputs) fits() error {
	subject, ok := commands[in.command]
	if !ok {
		return fmt.Errorf("input command: there is no command %q; it is one of abort, deploy, plan, preview, promote, recover, rollback, run, status, task and validate", in.command)
	}
	for _, given := range []struct{ input, name, of string }{
		{"pipeline", in.pipeline, "run and plan"},
		{"environment", in.environment, "deploy, rollback, promote, abort, recover and status"},
		{"task", in.task, "task"},
		{"preview", in.preview, "preview"},
	} {
		switch {
		case given.name == "":
		case subject != given.input:
			return fmt.Errorf("input %s: %s takes none; it is for %s", given.input, in.command, given.of)
		case strings.HasPrefix(given.name, "-"):
			return fmt.Errorf("input %s: %q is not a name", given.input, given.name)
		}
	}
	return in.planFits()
}

// planFits refuses a plan's file that no command would read or write.
func (in inputs) planFits() error {
	switch {
	case in.planFile == "":
		return nil
	case in.command != "plan" && in.command != "run":
		return fmt.Errorf("input plan_file: %s takes none; plan writes it, run runs it", in.command)
	case strings.HasPrefix(in.planFile, "-") || path.Ext(in.planFile) != ".json":
		return fmt.Errorf("input plan_file: %q is not the path of a plan, which ends in .json", in.planFile)
	case in.command == "run" && in.pipeline != "":
		return fmt.Errorf("input pipeline: %s says which pipeline runs; leave one of the two out", in.planFile)
	}
	return nil
}

// moves reports whether the command is one that -dry-run is for.
func (in inputs) moves() bool {
	return slices.Contains([]string{"run", "deploy", "rollback", "task"}, in.command)
}

func (in inputs) mainArgs() []string {
	args := in.with(in.command, in.verb)
	if in.dryRun {
		args = append(args, "-dry-run")
	}
	subject := in.pipeline + in.environment + in.task + in.preview // fits allows only one
	switch {
	case in.planFile != "" && in.command == "plan":
		args = append(args, "-out", in.planFile)
	case in.planFile != "":
		subject = in.planFile
	}
	if subject != "" {
		args = append(args, subject)
	}
	return args
}

// postArgs settles what an interrupted run left. Where nothing is unsettled,
// the version is printed: the post step's log says that it ran.
func (in inputs) postArgs(unsettled string) []string {
	if unsettled == "" {
		return []string{"version"}
	}
	args := in.with("recover", "")
	if in.environment != "" {
		args = append(args, in.environment)
	}
	return args
}

// with is a command with the flags that all of them take.
func (in inputs) with(command, verb string) []string {
	var args []string
	if in.directory != "" {
		args = append(args, "-chdir", in.directory)
	}
	args = append(args, command)
	if verb != "" {
		args = append(args, verb)
	}
	if in.spec != "" {
		args = append(args, "-f", in.spec)
	}
	for _, v := range in.vars {
		args = append(args, "-var", v)
	}
	return args
}

func boolean(name, text string, fallback bool) (bool, error) {
	text = strings.TrimSpace(text)
	if text == "" {
		return fallback, nil
	}
	b, err := strconv.ParseBool(strings.ToLower(text))
	if err != nil {
		return false, fmt.Errorf("input %s: %q is neither true nor false", name, text)
	}
	return b, nil
}

// assignments are the lines of the input vars. Empty lines and those that begin
// with # are skipped. An error never shows a line: it may hold a secret.
func assignments(text string) ([]string, error) {
	var list []string
	for i, line := range strings.Split(text, "\n") {
		line = strings.TrimSuffix(line, "\r")
		bare := strings.TrimSpace(line)
		if bare == "" || strings.HasPrefix(bare, "#") {
			continue
		}
		name, value, ok := strings.Cut(line, "=")
		if !ok || strings.TrimSpace(name) == "" {
			return nil, fmt.Errorf("input vars: line %d is not name=value", i+1)
		}
		list = append(list, strings.TrimSpace(name)+"="+value)
	}
	return list, nil
}
