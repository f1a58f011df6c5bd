package plan

import (
	"fmt"

	"github.com/org/deploy-action/internal/dag"
	"github.com/org/deploy-action/internal/spec"
	"github.com/org/deploy-action/internal/value"
)

// New plans a run of pipeline. Problems name what this version reads but cannot
// run; with any of them there is no plan.
func New(s *spec.Spec, pipeline *spec.Pipeline) (*Plan, spec.Problems) {
	if problems := unsupported(pipeline); problems.Failed() {
		return nil, problems
	}
	p := &Plan{
		Spec: s.File, Pipeline: string(pipeline.Name),
		MaxParallel: pipeline.MaxParallel, FailFast: pipeline.FailFast,
	}
	made := make(map[*spec.Stage][]*Stage, len(pipeline.Stages))
	for _, from := range pipeline.Stages {
		made[from] = legs(from)
	}
	graph := dag.New[*Stage]()
	for _, from := range pipeline.Stages {
		var needs []*Stage
		for _, need := range from.Needs {
			needs = append(needs, made[need]...)
		}
		for _, stage := range made[from] {
			stage.Needs = needs
			graph.Add(stage, needs...)
		}
	}
	p.Stages = graph.Order()
	for _, wave := range graph.Waves() {
		p.Waves = append(p.Waves, names(wave))
	}
	for _, from := range pipeline.Artifacts {
		p.Artifacts = append(p.Artifacts, newArtifact(from))
	}
	for _, stage := range p.Stages {
		if stage.Deploy != nil {
			stage.Deploy.Made = p.made(stage.Deploy.Release)
			p.Deploys = append(p.Deploys, stage.Deploy)
		}
	}
	for _, from := range pipeline.Rollbacks {
		p.Rollbacks = append(p.Rollbacks, newRollback(from))
	}
	return p, nil
}

func newStage(from *spec.Stage) *Stage {
	stage := &Stage{
		Name: string(from.Name), Type: from.Type, When: from.When, Run: from.Run, Env: from.Env, Dir: from.Dir,
		Timeout: from.Timeout, Retry: from.Retry, OnFailure: from.OnFailure, Pos: from.Pos,
	}
	if from.Deploy != nil {
		stage.Deploy = &Deploy{Environment: from.Deploy.Environment, Release: from.Deploy.Release, Canary: from.Deploy.Canary, Pos: from.Deploy.Pos}
	}
	if from.Task != nil {
		stage.Task = newTask(from.Task)
	}
	return stage
}

func newRollback(from *spec.Rollback) *Stage {
	stage := &Stage{
		Name: "rollback." + string(from.Name), Rollback: true, When: from.When, Run: from.Run, Env: from.Env,
		Timeout: from.Timeout, OnFailure: spec.Stop, Pos: from.Pos,
	}
	if from.Deploy != nil {
		stage.Deploy = &Deploy{Environment: from.Deploy.Environment, Rollback: true, Pos: from.Deploy.Pos}
	}
	return stage
}

// Move plans a deploy or rollback of one environment outside a pipeline.
func Move(s *spec.Spec, d *Deploy) (*Plan, spec.Problems) {
	problems := balancedCanary(&spec.Deploy{Environment: d.Environment, Canary: d.Canary, Pos: d.Pos})
	if problems = append(problems, unsupportedEnvironment(d.Environment, d.Pos)...); problems.Failed() {
		return nil, problems
	}
	return &Plan{Spec: s.File, Deploys: []*Deploy{d}}, nil
}

// Alone plans a run of one task outside a pipeline, on those servers of its target.
func Alone(s *spec.Spec, task *spec.Task, on []*spec.Server) *Plan {
	narrowed := *task
	narrowed.Target = on
	stage := &Stage{Name: string(task.Name), Task: newTask(&narrowed), OnFailure: spec.Stop, Pos: task.Pos}
	return &Plan{Spec: s.File, MaxParallel: 1, Stages: []*Stage{stage}, Waves: [][]string{{stage.Name}}}
}

// Pick returns the pipeline called name or, without a name, the only one.
func Pick(s *spec.Spec, name string) (*spec.Pipeline, error) {
	return pick(s, "pipeline", s.Pipelines, func(p *spec.Pipeline) value.Name { return p.Name }, name)
}

// PickEnvironment returns the environment called name or, without a name, the
// only one.
func PickEnvironment(s *spec.Spec, name string) (*spec.Environment, error) {
	return pick(s, "environment", s.Environments, func(e *spec.Environment) value.Name { return e.Name }, name)
}

// PickTask returns the task called name or, without a name, the only one.
func PickTask(s *spec.Spec, name string) (*spec.Task, error) {
	return pick(s, "task", s.Tasks, func(t *spec.Task) value.Name { return t.Name }, name)
}

func pick[T any](s *spec.Spec, what string, all []T, nameOf func(T) value.Name, name string) (T, error) {
	found, have, is := Named(all, nameOf, name)
	if !is {
		return found, choose(what, name, have, s.File)
	}
	return found, nil
}

// Named finds the element called name or, without a name, the only one. Where it
// finds none it returns the names that there are.
func Named[T any](all []T, nameOf func(T) value.Name, name string) (found T, have []string, is bool) {
	if name == "" && len(all) == 1 {
		return all[0], nil, true
	}
	for _, one := range all {
		if string(nameOf(one)) == name {
			return one, nil, true
		}
		have = append(have, string(nameOf(one)))
	}
	return found, have, false
}

// choose explains why no element was picked, and from what to choose.
func choose(what, name string, have []string, file string) error {
	switch {
	case len(have) == 0:
		return fmt.Errorf("%s: has no %s block", file, what)
	case name == "":
		return fmt.Errorf("%s: has %d %s blocks, name one: %s", file, len(have), what, join(have))
	default:
		return fmt.Errorf("%s: has no %s %q; it has: %s", file, what, name, join(have))
	}
}

func names(stages []*Stage) []string {
	var all []string
	for _, stage := range stages {
		all = append(all, stage.Name)
	}
	return all
}
