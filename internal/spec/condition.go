package spec

import (
	"fmt"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/convert"
	"github.com/zclconf/go-cty/cty/function"
)

// condition reads the when attribute; nil without one. Its words are the reason
// that a skipped stage gives, and so an export keeps them.
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
	if _, plainly := e.(*hclsyntax.LiteralValueExpr); !plainly {
		b.keep(e)
	}
	c := &Condition{Source: sourceText(b.mended, e), Pos: b.pos(e.Range()), Needs: stagesOf(reads)}
	probe := *b
	probe.scope = factsScope(b.scope, reads, nil)
	v, ok := probe.unmarked(e, data)
	if !ok {
		return nil
	}
	if v, ok = b.convert(v, cty.Bool, e.Range(), "A condition"); !ok {
		return nil
	}
	b.put("when", literal{v})
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

// asking is the scope of a when about a run that has ended: failed() and
// cancelled() may be asked, and all have the same answer.
func (r *reader) asking(answer cty.Value) *hcl.EvalContext {
	inner := r.scope.NewChild()
	asked := runFunction(func([]cty.Value) (cty.Value, error) { return answer, nil })
	inner.Functions = map[string]function.Function{"failed": asked, "cancelled": asked}
	return inner
}

// whenEnded reads a when that is asked once the run has ended. HCL keeps the
// mistakes of what may not be needed for an answer to itself; so every answer is
// tried.
func (b *body) whenEnded(in reach) *Condition {
	if attribute := b.attribute("when"); attribute == nil || !b.checkCalls(attribute.Expr) {
		return nil
	}
	var c *Condition
	for _, answer := range []cty.Value{cty.False, cty.True, cty.UnknownVal(cty.Bool)} {
		asking := *b
		asking.scope = b.asking(answer)
		c = asking.condition(in)
	}
	return c
}

// checkCalls holds what failed() and cancelled() are given against what they
// take.
func (b *body) checkCalls(e hclsyntax.Expression) bool {
	sound := true
	visit(e, func(node hclsyntax.Node) {
		if call, ok := node.(*hclsyntax.FunctionCallExpr); ok {
			sound = b.checkCall(call) && sound
		}
	})
	return sound
}

func (b *body) checkCall(call *hclsyntax.FunctionCallExpr) bool {
	if call.Name == "cancelled" && len(call.Args) > 0 {
		b.errorf(call.Args[0].Range(), "Unexpected argument", "cancelled() is about the whole run and takes no argument.")
		return false
	}
	sound := true
	for _, arg := range call.Args {
		if call.Name == "failed" && !isStage(arg) {
			b.errorf(arg.Range(), "Not a reference", "failed() takes references to stages, as in failed(stage.deploy).")
			sound = false
		}
	}
	return sound
}

// isStage reports whether e has the form stage.NAME.
func isStage(e hcl.Expression) bool {
	traversal, diags := hcl.AbsTraversalForExpr(e)
	return !diags.HasErrors() && len(traversal) == 2 && traversal.RootName() == "stage" && len(attributeSteps(traversal)) == 1
}
