package cli

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/urfave/cli/v3"

	"github.com/org/deploy-action/internal/machine"
	"github.com/org/deploy-action/internal/plan"
	"github.com/org/deploy-action/internal/spec"
	"github.com/org/deploy-action/internal/version"
)

// planSuffix tells a plan's file from the name of a pipeline, which has no dot.
const planSuffix = ".json"

// saved is a plan from a file.
type saved struct {
	*plan.Saved
	file string
}

// savePlan writes a plan to a file.
func (a *app) savePlan(c *cli.Command, s *spec.Spec, p *plan.Plan, out string) error {
	text, err := a.planText(p)
	if err != nil {
		return err
	}
	file := plan.Saved{Turnout: version.Number, Made: time.Now().UTC().Truncate(time.Second), Plan: text}
	if file.Spec, err = a.specSum(s); err != nil {
		return err
	}
	if file.Variables, err = a.givenOpenly(c, s); err != nil {
		return err
	}
	data, err := file.Bytes()
	if err != nil {
		return err
	}
	if err := machine.WriteFile(a.abs(out), data, 0o600); err != nil {
		return err
	}
	fmt.Fprintf(a.stderr, "The plan is in %s; turnout run %s runs it.\n", out, out)
	return nil
}

// planText is a plan as a file has it: masked.
func (a *app) planText(p *plan.Plan) ([]byte, error) {
	var text bytes.Buffer
	if err := p.WriteJSON(&text); err != nil {
		return nil, err
	}
	return []byte(a.masker.String(text.String())), nil
}

// specSum is the SHA-256 of the spec's normal form, which has all values of it
// but those of secrets, and of the templates it names.
func (a *app) specSum(s *spec.Spec) (string, error) {
	text, problems := s.JSON()
	if err := a.tell(problems); err != nil {
		return "", err
	}
	sum := sha256.New()
	sum.Write(text)
	for _, env := range s.Environments {
		templates, err := a.templates(env)
		if err != nil {
			return "", err
		}
		for _, path := range slices.Sorted(maps.Keys(templates)) {
			fmt.Fprintf(sum, "%q %q\n", path, templates[path])
		}
	}
	return hex.EncodeToString(sum.Sum(nil)), nil
}

// givenOpenly are the values that variables were given, but those of sensitive
// ones.
func (a *app) givenOpenly(c *cli.Command, s *spec.Spec) (map[string]string, error) {
	given, _, err := a.assignments(c)
	if err != nil {
		return nil, err
	}
	values := make(map[string]string)
	for _, assignment := range given {
		open := slices.ContainsFunc(s.Variables, func(v spec.Variable) bool { return v.Name == assignment.Name && !v.Sensitive })
		if open && a.masker.String(assignment.Value) == assignment.Value {
			values[assignment.Name] = assignment.Value
		}
	}
	return values, nil
}

// runSaved runs the plan in a file, if nothing has moved since it was made.
func (a *app) runSaved(ctx context.Context, c *cli.Command, file string) error {
	if c.String("stage")+c.String("needs")+c.String("hand-over") != "" || c.Bool("finish") {
		return &usageError{errors.New("run: a plan is run as a whole: -stage, -finish, -needs and -hand-over go with a pipeline; nothing was started")}
	}
	if err := a.readPlan(file); err != nil {
		return &usageError{fmt.Errorf("%s: %w; nothing was started", file, err)}
	}
	p, err := a.replan(c)
	if err != nil {
		return err
	}
	a.saved.Expect(p)
	if err := a.preview(ctx, p); err != nil {
		return err
	}
	for _, deploy := range p.Deploys {
		if moved := plan.Moved(deploy.Planned, deploy.Preview.Live); deploy.Planned != nil && len(moved) > 0 {
			return &usageError{fmt.Errorf("%s: environment %s has moved since the plan was made:\n  %s\nplan again; nothing was started",
				file, deploy.Environment.Name, strings.Join(moved, "\n  "))}
		}
	}
	if c.Bool("dry-run") {
		return a.printPlan(p, c.Bool("json"))
	}
	if err := unstartable(p); err != nil {
		return fmt.Errorf("%w; nothing was started", err)
	}
	return a.runWhole(ctx, c, p)
}

// readPlan reads the plan that is to be run.
func (a *app) readPlan(file string) error {
	data, err := os.ReadFile(a.abs(file))
	if err != nil {
		return errors.Unwrap(err)
	}
	read, err := plan.Parse(data)
	if err != nil {
		return err
	}
	if read.Turnout != version.Number {
		return fmt.Errorf("was made by turnout %s, and this is %s: plan again", read.Turnout, version.Number)
	}
	a.saved = &saved{read, file}
	return nil
}

// replan plans what the saved plan was made of and holds the two together.
func (a *app) replan(c *cli.Command) (*plan.Plan, error) {
	s, err := a.load(c)
	if err != nil {
		return nil, err
	}
	_, name := a.saved.From()
	p, err := a.planned(s, name)
	if err != nil {
		return nil, err
	}
	text, err := a.planText(p)
	if err != nil {
		return nil, err
	}
	diff, err := a.saved.Changed(text)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", a.saved.file, err)
	}
	sum, err := a.specSum(s)
	switch {
	case err != nil:
		return nil, err
	case diff != "":
		fmt.Fprint(a.stderr, diff)
		return nil, &usageError{fmt.Errorf("%s: what would be run is not what was planned, as told above; plan again; nothing was started", a.saved.file)}
	case sum != a.saved.Spec:
		return nil, &usageError{fmt.Errorf("%s: %s, a template or a variable has changed since the plan was made; plan again; nothing was started", a.saved.file, s.File)}
	}
	return p, nil
}

// preset are the values of variables that a saved plan was made with.
func (a *app) preset() []spec.Assignment {
	if a.saved == nil {
		return nil
	}
	var all []spec.Assignment
	for _, name := range slices.Sorted(maps.Keys(a.saved.Variables)) {
		all = append(all, spec.Assignment{Name: name, Value: a.saved.Variables[name], Origin: a.saved.file})
	}
	return all
}

// specFile is the spec that a command is about.
func (a *app) specFile(c *cli.Command) string {
	if a.saved != nil && !c.IsSet("f") {
		file, _ := a.saved.From()
		return file
	}
	return c.String("f")
}
