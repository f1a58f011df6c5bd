package spec

import (
	"cmp"
	"slices"

	"github.com/zclconf/go-cty/cty"

	"github.com/org/deploy-action/internal/value"
)

var (
	pipelineShape = shape{
		labels:     []string{"name"},
		attributes: []string{"max_parallel", "fail_fast"},
		blocks:     []string{"stage", "artifact", "rollback"},
	}
	artifactShape = shape{
		labels:     []string{"name"},
		attributes: []string{"path", "keep", "required", "when"},
		required:   []string{"path"},
	}
	rollbackShape = shape{
		labels:     []string{"name"},
		attributes: []string{"when", "run", "env", "timeout"},
		required:   []string{"when"},
		singles:    []string{"deploy"},
	}
)

// The default of an artifact, and the bound of parallel stages.
const (
	keepArtifacts = 5
	mostParallel  = 1024
)

// graph is a pipeline while it is read.
type graph struct {
	*body
	made      *Pipeline
	stages    registry[*Stage]
	artifacts registry[*Artifact]
	bodies    []*body             // of the stages, in the same order
	ancestors map[string][]string // by stage, as far as asked for
}

// readPipelines reads the pipeline blocks.
func (r *reader) readPipelines() {
	for _, e := range r.pipelines.entries {
		g := &graph{body: r.open(e.block, pipelineShape), made: e.made, ancestors: map[string][]string{}}
		g.read()
	}
	r.spec.Pipelines = r.pipelines.in()
}

func (g *graph) read() {
	// The number of CPUs is this machine's: no default of the spec.
	g.made.MaxParallel = cmp.Or(g.integer("max_parallel", span{1, mostParallel}, 0), g.o.CPUs, 1)
	g.made.FailFast = g.flag("fail_fast", false)
	for _, block := range g.blocksOf("artifact") {
		declare(g.reader, &g.artifacts, block, func(n value.Name, p Pos) *Artifact { return &Artifact{Name: n, Pos: p} })
	}
	g.readStages()
	g.readArtifacts()
	g.readRollbacks()
}

func (g *graph) readStages() {
	for _, block := range g.blocksOf("stage") {
		declare(g.reader, &g.stages, block, func(n value.Name, p Pos) *Stage { return &Stage{Name: n, Pos: p} })
		g.bodies = append(g.bodies, g.within(block, stageShape))
	}
	g.made.Stages = g.stages.in()
	for i, stage := range g.made.Stages {
		stage.Needs = g.needs(g.bodies[i])
		stage.Matrix = g.bodies[i].matrix()
		matrixScope(g.bodies[i], stage.Matrix)
	}
	g.checkCycles()
	for i, stage := range g.made.Stages {
		g.readStage(stage, g.bodies[i])
	}
	if len(g.made.Stages) == 0 && !g.hurt(g.block.Range()) {
		g.errorf(g.header(), "Missing block", "%s has no stage: there is nothing to run.", g.name)
	}
}

// needs reads the stages that come first.
func (g *graph) needs(b *body) []*Stage {
	attribute := b.attribute("needs")
	if attribute == nil {
		return nil
	}
	var all []*Stage
	for _, e := range references(attribute.Expr) {
		ref, ok := b.reference(e, "stage")
		if !ok {
			continue
		}
		stage, ok := find(g.reader, &g.stages, ref)
		if ok && slices.Contains(all, stage) {
			b.errorf(ref.at, "Duplicate element", "stage.%s stands in \"needs\" already.", ref.name)
		} else if ok {
			all = append(all, stage)
		}
	}
	var names list
	for _, stage := range all {
		names = append(names, bare{"stage." + string(stage.Name), string(stage.Name)})
	}
	b.put("needs", names)
	return all
}

func (g *graph) checkCycles() {
	next := func(name string) []string {
		var names []string
		for _, stage := range g.stages.byName[name].made.Needs {
			names = append(names, string(stage.Name))
		}
		return slices.DeleteFunc(names, func(name string) bool { return g.stages.byName[name] == nil })
	}
	for _, cycle := range cycles(g.stages.names(), next) {
		var steps []step
		for _, name := range cycle {
			steps = append(steps, step{"stage." + name, labelRange(g.stages.byName[name].block)})
		}
		g.reportCycle("Cycle of stages", "needs", steps)
	}
}

// before reports whether the stage called name has run when s starts.
func (g *graph) before(s *Stage) func(name string) bool {
	return func(name string) bool {
		all, known := g.ancestors[string(s.Name)]
		if !known {
			all = ancestors(s)
			g.ancestors[string(s.Name)] = all
		}
		return slices.Contains(all, name)
	}
}

// ancestors are the stages that s needs, directly or not.
func ancestors(s *Stage) []string {
	seen := map[*Stage]bool{}
	var all []string
	for queue := slices.Clone(s.Needs); len(queue) > 0; {
		next := queue[0]
		queue = queue[1:]
		if !seen[next] {
			seen[next] = true
			all, queue = append(all, string(next.Name)), append(queue, next.Needs...)
		}
	}
	return all
}

func (g *graph) readArtifacts() {
	anyStage := reach{&g.stages, func(string) bool { return true }}
	for _, e := range g.artifacts.entries {
		b, a := g.within(e.block, artifactShape), e.made
		a.Patterns = b.globs("path")
		a.When = b.whenEnded(anyStage)
		a.Keep = b.integer("keep", span{1, most}, keepArtifacts)
		a.Required = b.flag("required", false)
	}
	g.made.Artifacts = g.artifacts.in()
}

func (g *graph) readRollbacks() {
	var all registry[*Rollback]
	for _, block := range g.blocksOf("rollback") {
		declare(g.reader, &all, block, func(n value.Name, p Pos) *Rollback { return &Rollback{Name: n, Pos: p} })
	}
	for _, e := range all.entries {
		g.readRollback(e.made, g.within(e.block, rollbackShape))
	}
	g.made.Rollbacks = all.in()
}

func (g *graph) readRollback(made *Rollback, b *body) {
	anyStage := reach{&g.stages, func(string) bool { return true }}
	made.When = b.whenEnded(anyStage)
	made.Run = b.run(anyStage)
	made.Env = b.deferredEnvironment(anyStage)
	made.Deploy = b.deploy(false, nil)
	made.Timeout = b.duration("timeout", tick, commandTimeout)
	b.checkOne("run", "deploy")
}

// checkOne reports a block that has none of the bodies, or several.
func (b *body) checkOne(names ...string) {
	var have []string
	for _, name := range names {
		if b.attribute(name) != nil || len(b.blocksOf(name)) > 0 {
			have = append(have, name)
		}
	}
	switch {
	case len(have) == 0 && !b.hurt(b.block.Range()):
		b.errorf(b.header(), "Missing body", "%s does nothing: it needs exactly one of %s.", b.name, listed(names))
	case len(have) > 1:
		b.errorf(b.header(), "Several bodies", "%s has %s: it needs exactly one of %s.", b.name, listed(have), listed(names))
	}
}

// matrixScope gives the stage's expressions its matrix, whose values differ
// from leg to leg.
func matrixScope(b *body, axes map[string][]string) {
	if len(axes) == 0 {
		return
	}
	leg := map[string]cty.Value{}
	for axis := range axes {
		leg[axis] = cty.UnknownVal(cty.String)
	}
	b.scope = b.scope.NewChild()
	b.scope.Variables = map[string]cty.Value{"matrix": cty.ObjectVal(leg)}
}
