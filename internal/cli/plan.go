package cli

import (
	"context"
	"fmt"
	"strings"

	"github.com/urfave/cli/v3"

	"github.com/org/deploy-action/internal/plan"
	"github.com/org/deploy-action/internal/rollout"
	"github.com/org/deploy-action/internal/spec"
)

const planHelp = `Usage: turnout plan [options] [PIPELINE]

Shows what a run would do: the waves of stages, how each proxy's configuration
changes, where traffic goes and what that costs. Machines are read, nothing is
changed. PIPELINE may be left out when the spec has one.

Options:
  -json            print the plan for programs
  -out FILE.json   also write the plan to FILE. "turnout run FILE" then runs it,
                   and refuses where the spec or what is live has moved since.
                   FILE holds no secret: give sensitive variables again` + specOptions + `

Example:
  turnout plan -out release.json && turnout run release.json
` + exitCodes

func (a *app) planCommand() *cli.Command {
	return subcommand(&cli.Command{
		Name: "plan", Usage: "show what a run would do", CustomHelpTemplate: planHelp,
		Flags: specFlags(&cli.BoolFlag{Name: "json"}, &cli.StringFlag{Name: "out", TakesFile: true}),
		Action: func(ctx context.Context, c *cli.Command) error {
			out := c.String("out")
			if out != "" && !strings.HasSuffix(out, planSuffix) {
				return &usageError{fmt.Errorf("plan -out %s: the name must end in %s, or turnout run would take it for a pipeline's; nothing was written", out, planSuffix)}
			}
			if c.Bool("json") {
				a.spareStdout()
			}
			s, p, err := a.plan(c)
			if err != nil {
				return err
			}
			if err := a.showPlan(ctx, p, c.Bool("json")); err != nil {
				return err
			}
			if out != "" {
				return a.savePlan(c, s, p, out)
			}
			return nil
		},
	})
}

// plan reads the spec and plans a run of the pipeline that the arguments name.
func (a *app) plan(c *cli.Command) (*spec.Spec, *plan.Plan, error) {
	if err := atMost(c, 1); err != nil {
		return nil, nil, err
	}
	s, err := a.load(c)
	if err != nil {
		return nil, nil, err
	}
	p, err := a.planned(s, c.Args().First())
	return s, p, err
}

// planned plans a run of the pipeline called name.
func (a *app) planned(s *spec.Spec, name string) (*plan.Plan, error) {
	pipeline, err := plan.Pick(s, name)
	if err != nil {
		return nil, &usageError{err}
	}
	p, problems := plan.New(s, pipeline)
	return p, a.tell(problems)
}

// showPlan asks the machines what is live and prints the plan.
func (a *app) showPlan(ctx context.Context, p *plan.Plan, asJSON bool) error {
	if err := a.preview(ctx, p); err != nil {
		return err
	}
	a.commentPlan(ctx, p)
	if err := a.printPlan(p, asJSON); err != nil {
		return err
	}
	return unstartable(p)
}

// unstartable says why a switch of the plan could not start as things are; nil
// when all can.
func unstartable(p *plan.Plan) error {
	for _, deploy := range p.Deploys {
		if problems := deploy.Preview.Problems; len(problems) > 0 {
			return fmt.Errorf("environment %s could not be switched: %s", deploy.Environment.Name, problems[0])
		}
	}
	return nil
}

func (a *app) printPlan(p *plan.Plan, asJSON bool) error {
	if asJSON {
		return p.WriteJSON(a.stdout)
	}
	return p.Write(a.stdout)
}

// preview asks the machines what is live.
func (a *app) preview(ctx context.Context, p *plan.Plan) error {
	if err := a.tell(plan.OffLinux(a.env.System, p)); err != nil {
		return err
	}
	machines := a.newMachines()
	defer machines.Close()
	for _, deploy := range p.Deploys {
		request, err := a.request(deploy, machines)
		if err != nil {
			return err
		}
		deploy.Preview, err = rollout.Preview(ctx, request)
		if err != nil {
			return err
		}
	}
	return nil
}
