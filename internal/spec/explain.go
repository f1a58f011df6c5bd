package spec

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
)

// elsewhere says where the objects that are not known everywhere are known.
var elsewhere = map[string]string{
	"var":         "cannot be used here: the values of variables are what is being set",
	"local":       "cannot be used here: locals are known only after the variables",
	"slot":        "is known only in start, stop, logs and health.run of an environment, and in the queries of a canary",
	"matrix":      "is known only in a stage that has a matrix",
	"preview":     "is known only in a preview block",
	"artifact":    "is known only in the deploy block of a stage, of the pipeline that keeps it",
	"stage":       "is known only in a pipeline: as stage.NAME.outputs.VALUE in run, env and when, or as a reference in needs",
	"server":      "is a reference, and this place takes a value: servers are named where servers are asked for, as in servers and via",
	"group":       "is a reference, and this place takes a value: groups are named where servers are asked for",
	"task":        "is a reference, and this place takes a value: tasks are named in the task attribute of a stage",
	"environment": "is a reference, and this place takes a value: environments are named in the environment attribute of a deploy block",
}

// explain reports what evaluating an expression in scope came to.
func (r *reader) explain(diags hcl.Diagnostics, scope *hcl.EvalContext) {
	for _, diag := range diags {
		if diag.Severity != hcl.DiagError {
			continue
		}
		at := r.placeOf(diag)
		traversal, isName := diag.Expression.(*hclsyntax.ScopeTraversalExpr)
		if isName && nameless(diag.Summary) && r.explainName(traversal, scope) {
			continue
		}
		r.errorf(at, diag.Summary, "%s", r.detail(diag))
	}
}

// detail is what HCL has to say. Its own suggestions of functions change from
// run to run.
func (r *reader) detail(diag *hcl.Diagnostic) string {
	call, ok := diag.Expression.(*hclsyntax.FunctionCallExpr)
	switch {
	case ok && diag.Summary == "Call to unknown function":
		names := slices.Sorted(maps.Keys(r.scope.Functions))
		return fmt.Sprintf("There is no function %q.%s", call.Name, didYouMean(call.Name, names))
	case diag.Detail == "":
		return diag.Summary
	}
	return diag.Detail
}

// nameless reports whether HCL means by summary that a name leads nowhere.
func nameless(summary string) bool {
	return summary == "Unknown variable" || summary == "Unsupported attribute"
}

// placeOf is where a diagnostic of HCL points to.
func (r *reader) placeOf(diag *hcl.Diagnostic) hcl.Range {
	if diag.Subject != nil && diag.Subject.Start.Line >= 1 {
		return *diag.Subject
	}
	return hcl.Range{Filename: r.file, Start: hcl.InitialPos, End: hcl.InitialPos}
}

// explainName reports a name that leads nowhere; false where the name is not
// what is wrong.
func (r *reader) explainName(e *hclsyntax.ScopeTraversalExpr, scope *hcl.EvalContext) bool {
	root := e.Traversal.RootName()
	object, found := lookup(scope, root)
	if !found {
		return r.explainRoot(e, root, scope)
	}
	if len(e.Traversal) < 2 {
		return false
	}
	step, ok := e.Traversal[1].(hcl.TraverseAttr)
	object, _ = object.Unmark()
	if !ok || !object.Type().IsObjectType() || object.Type().HasAttribute(step.Name) {
		return false
	}
	names := r.namesIn(root, object)
	if r.lost(step.Name) {
		return true
	}
	r.errorf(e.Range(), "Unknown name", "There is no %s.%s.%s", root, step.Name, choice(step.Name, nearest(step.Name, names), names))
	return true
}

func (r *reader) explainRoot(e *hclsyntax.ScopeTraversalExpr, root string, scope *hcl.EvalContext) bool {
	if where, known := elsewhere[root]; known {
		r.errorf(e.Range(), "Name out of place", "%s %s.", r.quoted(e.Range()), where)
		return true
	}
	hint := didYouMean(root, roots(scope))
	if hint == "" && len(e.Traversal) == 1 {
		hint = fmt.Sprintf(" A text is written in quotes: %q.", root)
	}
	r.errorf(e.Range(), "Unknown name", "There is nothing called %q here.%s", root, hint)
	return true
}

// roots are the names that expressions in scope may begin with.
func roots(scope *hcl.EvalContext) []string {
	var names []string
	for ; scope != nil; scope = scope.Parent() {
		names = slices.AppendSeq(names, maps.Keys(scope.Variables))
	}
	slices.Sort(names)
	return names
}

// namesIn are the attributes of an object of the scope, for suggestions.
func (r *reader) namesIn(root string, object cty.Value) []string {
	if root == "local" {
		return r.locals
	}
	var names []string
	for name := range object.Type().AttributeTypes() {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// lookup finds a root name in scope or around it.
func lookup(scope *hcl.EvalContext, name string) (cty.Value, bool) {
	for ; scope != nil; scope = scope.Parent() {
		if v, ok := scope.Variables[name]; ok {
			return v, true
		}
	}
	return cty.NilVal, false
}

// evaluationError is what diags say, as an error that names the place.
func evaluationError(diags hcl.Diagnostics) error {
	for _, diag := range diags {
		if diag.Severity == hcl.DiagError {
			return fmt.Errorf("%s: %s", place(*diag.Subject), strings.TrimSuffix(diag.Detail, "."))
		}
	}
	return nil
}
