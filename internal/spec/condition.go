package spec

import (
	"fmt"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/convert"
	"github.com/zclconf/go-cty/cty/function"
)

// condition reads the when attribute; nil without one.
func (b *body) condition(in reach) *Condition {
	attribute := b.attribute("when")
	if attribute == nil {
		return nil
	}
	e := attribute.Expr
	reads, ok := b.reads(e, in)
	if !ok {
		return nil
	}
	c := &Condition{Source: b.quoted(e.Range()), Pos: b.pos(e.Range()), Needs: stagesOf(reads)}
	probe := *b
	probe.scope = factsScope(b.scope, reads, nil)
	v, ok := probe.unmarked(e, data)
	if !ok {
		return nil
	}
	if v, ok = b.convert(v, cty.Bool, e.Range(), "A condition"); !ok {
		return nil
	}
	if v.IsKnown() {
		fixed := v.True()
		c.Fixed = &fixed
		return c
	}
	c.eval = func(facts Facts) (bool, error) { return holds(e, factsFunctions(b.scope, facts), reads, facts) }
	return c
}

// holds evaluates a condition with facts in place of what was unknown.
func holds(e hclsyntax.Expression, scope *hcl.EvalContext, reads []read, facts Facts) (bool, error) {
	text, err := evaluateWith(e, scope, reads, facts)
	if err != nil {
		return false, err
	}
	answer, err := convert.Convert(text, cty.Bool)
	if err != nil {
		return false, fmt.Errorf("%s: %s", place(e.Range()), err)
	}
	return answer.True(), nil
}

// factsFunctions is scope with failed() and cancelled() that answer by facts,
// where it has them at all.
func factsFunctions(scope *hcl.EvalContext, facts Facts) *hcl.EvalContext {
	if _, asks := scope.Functions["failed"]; !asks {
		return scope
	}
	inner := scope.NewChild()
	inner.Functions = map[string]function.Function{
		"failed": runFunction(func(args []cty.Value) (cty.Value, error) {
			return cty.BoolVal(anyFailed(args, facts)), nil
		}),
		"cancelled": runFunction(func([]cty.Value) (cty.Value, error) {
			return cty.BoolVal(facts.Cancelled), nil
		}),
	}
	return inner
}

// anyFailed is whether one of the stages, or without any one at all, failed.
func anyFailed(stages []cty.Value, facts Facts) bool {
	if len(stages) == 0 {
		for _, failed := range facts.Failed {
			if failed {
				return true
			}
		}
		return false
	}
	for _, stage := range stages {
		traversal, diags := hcl.AbsTraversalForExpr(argument(stage))
		if !diags.HasErrors() && facts.Failed[attributeSteps(traversal)[0]] {
			return true
		}
	}
	return false
}

// asking is the scope of a rollback's when: failed() and cancelled() may be
// asked, and have no answer yet.
func (r *reader) asking(stages *registry[*Stage]) *hcl.EvalContext {
	inner := r.scope.NewChild()
	unknown := cty.UnknownVal(cty.Bool)
	inner.Functions = map[string]function.Function{
		"failed": runFunction(func(args []cty.Value) (cty.Value, error) {
			return unknown, checkStages(args, stages)
		}),
		"cancelled": runFunction(func(args []cty.Value) (cty.Value, error) {
			if len(args) > 0 {
				return unknown, function.NewArgErrorf(0, "cancelled() is about the whole run and takes no argument")
			}
			return unknown, nil
		}),
	}
	return inner
}

// checkStages holds the arguments of failed() against the stages there are.
func checkStages(args []cty.Value, stages *registry[*Stage]) error {
	for i, arg := range args {
		traversal, diags := hcl.AbsTraversalForExpr(argument(arg))
		if diags.HasErrors() || len(traversal) != 2 || traversal.RootName() != "stage" || len(attributeSteps(traversal)) != 1 {
			return function.NewArgErrorf(i, "failed() takes references to stages, as in failed(stage.deploy)")
		}
		name := attributeSteps(traversal)[0]
		if stages.byName[name] == nil {
			names := stages.names()
			return function.NewArgErrorf(i, "there is no stage %q.%s", name, choice(name, nearest(name, names), names))
		}
	}
	return nil
}
