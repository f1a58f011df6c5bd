package spec

import (
	"slices"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
)

// keep has an export show e as it is written: its value belongs to this run, to
// a later one, or to nobody who reads the export.
func (r *reader) keep(e hclsyntax.Expression) { r.normal.kept[e] = true }

// keepOutside keeps e where its value v is not the file's alone to say. It is
// false where v does not tell so itself.
func (r *reader) keepOutside(e hclsyntax.Expression, v cty.Value, scope *hcl.EvalContext) bool {
	clean, marks := v.UnmarkDeep()
	told := len(marks) > 0 || !clean.IsWhollyKnown()
	hidden := !told && chooses(e) && readsOutside(e, scope)
	if told || hidden {
		r.keep(e)
	}
	return !hidden
}

// chooses reports whether e may come to a value that carries no mark of what it
// was chosen by: try and can, and an index into an object, drop those.
func chooses(e hclsyntax.Expression) bool {
	found := false
	visit(e, func(node hclsyntax.Node) {
		switch node := node.(type) {
		case *hclsyntax.FunctionCallExpr:
			found = found || node.Name == "try" || node.Name == "can"
		case *hclsyntax.IndexExpr:
			found = true
		}
	})
	return found
}

// readsOutside reports whether e reads anything that carries a mark.
func readsOutside(e hclsyntax.Expression, scope *hcl.EvalContext) bool {
	found := false
	visit(e, func(node hclsyntax.Node) {
		call, ok := node.(*hclsyntax.FunctionCallExpr)
		found = found || ok && slices.Contains(doors, call.Name)
	})
	for _, traversal := range e.Variables() {
		v, diags := traversal.TraverseAbs(scope)
		_, marks := v.UnmarkDeep()
		found = found || !diags.HasErrors() && len(marks) > 0
	}
	return found
}

// visit calls f with every node of e.
func visit(e hclsyntax.Expression, f func(hclsyntax.Node)) {
	// The callback has no diagnostics, and so the walk has none.
	_ = hclsyntax.VisitAll(e, func(node hclsyntax.Node) hcl.Diagnostics {
		f(node)
		return nil
	})
}
