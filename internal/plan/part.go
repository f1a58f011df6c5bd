package plan

import (
	"fmt"
	"slices"

	"github.com/org/deploy-action/internal/spec"
)

// Stage narrows a plan to one stage, by name; those it needs ran elsewhere.
// Strategies and artifacts are left to the run that ends the whole: see Rest.
func (p *Plan) Stage(name string) (*Plan, error) {
	var chosen *Stage
	for _, stage := range p.Stages {
		if stage.Name == name {
			chosen = stage
		}
	}
	if chosen == nil {
		return nil, p.noStage(name)
	}
	before := make(map[*Stage]bool)
	chosen.needed(before)
	part := &Plan{Spec: p.Spec, Pipeline: p.Pipeline, MaxParallel: 1, Stages: []*Stage{chosen}, Waves: [][]string{{chosen.Name}}}
	for _, stage := range p.Stages {
		if before[stage] {
			part.Elsewhere = append(part.Elsewhere, stage)
		}
	}
	if chosen.Deploy != nil {
		part.Deploys = []*Deploy{chosen.Deploy}
	}
	return part, nil
}

// Rest narrows a plan to what comes when all its stages have run, elsewhere: the
// rollback strategies and the artifacts.
func (p *Plan) Rest() *Plan {
	rest := *p
	rest.Stages, rest.Elsewhere, rest.Waves, rest.Deploys = nil, p.Stages, nil, nil
	return &rest
}

// Told are the stages that a run of p tells of: its own or, where all of them
// ran elsewhere, those.
func (p *Plan) Told() []*Stage {
	if len(p.Stages) == 0 {
		return p.Elsewhere
	}
	return p.Stages
}

// All are all stages of p, wherever they run, and the rollback strategies.
func (p *Plan) All() []*Stage { return slices.Concat(p.Elsewhere, p.Stages, p.Rollbacks) }

// Here are those of the stages that run here.
func (p *Plan) Here(stages []*Stage) []*Stage {
	if len(p.Elsewhere) == 0 {
		return stages
	}
	return slices.DeleteFunc(slices.Clone(stages), func(need *Stage) bool { return slices.Contains(p.Elsewhere, need) })
}

// Supplied are the deploys that come after other stages, none of which runs a
// command here: what they ship is there before the run, and can be measured.
// Those that may be skipped are left out.
func (p *Plan) Supplied() []*Deploy {
	var all []*Deploy
	for _, stage := range p.Stages {
		if stage.Deploy == nil || stage.Deploy.Made != nil || len(stage.Needs) == 0 || stage.When != nil {
			continue
		}
		before := make(map[*Stage]bool)
		stage.needed(before)
		if !slices.ContainsFunc(p.Stages, func(s *Stage) bool { return before[s] && s.Run != nil }) {
			all = append(all, stage.Deploy)
		}
	}
	return all
}

// needed marks all that s needs, directly or not.
func (s *Stage) needed(marked map[*Stage]bool) {
	for _, need := range s.Needs {
		if !marked[need] {
			marked[need] = true
			need.needed(marked)
		}
	}
}

// noStage says that there is no stage called name, and what there is.
func (p *Plan) noStage(name string) error {
	var legs []string
	for _, stage := range p.Stages {
		if stage.Leg == name {
			legs = append(legs, stage.Name)
		}
	}
	if len(legs) > 0 {
		return fmt.Errorf("%s: stage %q has a matrix, name one of its legs: %s", p.Spec, name, join(legs))
	}
	all := names(p.Stages)
	err := fmt.Errorf("%s: pipeline %q has no stage %q; it has: %s", p.Spec, p.Pipeline, name, join(all))
	if near := spec.Nearest(name, all); near != "" {
		err = fmt.Errorf("%w; did you mean %q?", err, near)
	}
	return err
}
