package spec

import (
	"slices"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"

	"github.com/org/deploy-action/internal/secret"
)

// export is a spec on its way out, in whichever format.
//
// A value is written as what it comes to. Where that is not the file's alone to
// say (it is sensitive, it comes from env(), file() or github, or only a run
// knows it), the expression stands there as it was written, and what it reads is
// exported with it. A value that merely looks like a secret is treated as one.
type export struct {
	*normal
	spec      *Spec
	masker    *secret.Masker
	variables map[string]bool // that are read by what stays an expression
	locals    map[string]bool
	problems  *reader // where problems are noted
}

func (s *Spec) export() *export {
	x := &export{
		normal: s.normal, spec: s, masker: secret.New(s.Secrets),
		variables: map[string]bool{}, locals: map[string]bool{}, problems: newReader(s.normal.src, s.File, Options{}),
	}
	x.problems.root, x.problems.spec = s.normal.root, s
	x.gatherAll()
	return x
}

// finish returns text unless it would show a secret.
func (x *export) finish(text []byte) ([]byte, Problems) {
	if len(x.problems.problems) == 0 && x.shows(string(text)) {
		top := hcl.Range{Filename: x.spec.File, Start: hcl.InitialPos, End: hcl.InitialPos}
		x.problems.errorf(top, "Secret in the open", "The value of a secret is also a word that the export is made of: export with another value of the secret.")
	}
	if problems := x.problems.sorted(); problems.Failed() {
		return nil, problems
	}
	return text, nil
}

// content is what is written for t.
func (x *export) content(t term) content {
	if x.stays(t) {
		return expression(sourceText(x.src, t.written))
	}
	return t.content
}

// stays reports whether t is written as the file has it.
func (x *export) stays(t term) bool {
	return t.written != nil && (x.kept[t.written] || !x.fits(t.content))
}

// fits reports whether c can be written as a literal: what is read again is the
// same value, and no secret shows.
func (x *export) fits(c content) bool {
	l, isLiteral := c.(literal)
	return !isLiteral || faithful(valueText(l.value), l.value) && !x.showsIn(l.value)
}

func (x *export) shows(text string) bool { return x.masker.String(text) != text }

func (x *export) showsIn(v cty.Value) bool { return slices.ContainsFunc(leaves(v), x.shows) }

// gatherAll finds which variables and locals are exported: those that what stays
// an expression reads, and every sensitive variable, so that whoever runs the
// export masks what the spec did.
func (x *export) gatherAll() {
	for _, f := range x.top.inner {
		if f.block.Type != "variable" {
			x.gather(f)
		}
	}
	for _, f := range x.top.of("variable") {
		if name := f.block.Labels[0]; sensitiveForm(f) || x.variables[name] {
			x.variables[name] = true
			x.gather(f)
		}
	}
}

// gather finds what the expressions in f read, and refuses those that have a
// secret in them.
func (x *export) gather(f *form) {
	for _, field := range x.said(f) {
		x.gatherTerm(f.terms[field])
	}
	for _, inner := range f.inner {
		x.gather(inner)
	}
}

func (x *export) gatherTerm(t term) {
	if x.stays(t) {
		x.refuseSecret(t.written)
		for _, traversal := range t.written.Variables() {
			x.read(traversal)
		}
		return
	}
	if parts, ok := t.content.(object); ok {
		for _, part := range parts {
			x.gatherTerm(part)
		}
	}
}

// said are the attributes of f that are exported, in the order of its shape.
func (x *export) said(f *form) []string {
	var names []string
	for _, name := range f.shape.attributes {
		if t, ok := f.terms[name]; ok && !(f.block.Type == "variable" && name == "default" && x.secretDefault(f, t)) {
			names = append(names, name)
		}
	}
	return names
}

// secretDefault reports whether the default t of a variable f is nobody's
// business. Whoever runs the export gives the variable its value.
func (x *export) secretDefault(f *form, t term) bool {
	if x.stays(t) {
		return sensitiveForm(f) || x.showsWritten(t.written)
	}
	return sensitiveForm(f) || !x.fits(t.content)
}

// sensitiveForm reports whether f is a variable that is sensitive.
func sensitiveForm(f *form) bool {
	flag, ok := f.terms["sensitive"].content.(literal)
	return ok && flag.value.True()
}

// refuseSecret reports an expression that has a secret in it.
func (x *export) refuseSecret(e hclsyntax.Expression) {
	if x.showsWritten(e) {
		x.problems.errorf(e.Range(), "Secret in the open", "The value of a secret stands here, and no export may show it: pass it by env(\"NAME\"), file(\"path\") or a sensitive variable. Where it only happens to be the same word, export with another value of the secret.")
	}
}

// showsWritten reports whether what the file says in e shows a secret, be it
// behind escapes.
func (x *export) showsWritten(e hclsyntax.Expression) bool {
	found := x.shows(sourceText(x.src, e))
	visit(e, func(node hclsyntax.Node) {
		if constant, ok := node.(*hclsyntax.LiteralValueExpr); ok {
			found = found || x.showsIn(constant.Val)
		}
	})
	return found
}

// read has the variable or local exported that traversal leads to; one that
// leads to all of them has all.
func (x *export) read(traversal hcl.Traversal) {
	name, one := firstStep(traversal)
	switch {
	case traversal.RootName() == "var" && one:
		x.variables[name] = true
	case traversal.RootName() == "var":
		for _, v := range x.spec.Variables {
			x.variables[v.Name] = true
		}
	case traversal.RootName() == "local" && one:
		x.readLocal(name)
	case traversal.RootName() == "local":
		for name := range x.normal.locals {
			x.readLocal(name)
		}
	}
}

func (x *export) readLocal(name string) {
	if t, known := x.normal.locals[name]; known && !x.locals[name] {
		x.locals[name] = true
		x.gatherTerm(t)
	}
}

// firstStep is the name after the root, be it written var.a or var["a"].
func firstStep(traversal hcl.Traversal) (string, bool) {
	if len(traversal) < 2 {
		return "", false
	}
	switch step := traversal[1].(type) {
	case hcl.TraverseAttr:
		return step.Name, true
	case hcl.TraverseIndex:
		if step.Key.Type() == cty.String && step.Key.IsKnown() && !step.Key.IsNull() {
			return step.Key.AsString(), true
		}
	}
	return "", false
}
