package spec

import (
	"slices"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
)

// locals are the values of the locals blocks while they are evaluated.
type locals struct {
	*reader
	attributes map[string]*hclsyntax.Attribute
	needs      map[string][]string
	values     map[string]cty.Value
}

// readLocals evaluates the locals, each after those it uses, and adds them to
// the scope.
func (r *reader) readLocals(root *hclsyntax.Body) {
	l := &locals{
		reader: r, attributes: map[string]*hclsyntax.Attribute{},
		needs: map[string][]string{}, values: map[string]cty.Value{},
	}
	for _, block := range root.Blocks {
		if block.Type == "locals" {
			l.collect(block)
		}
	}
	slices.Sort(r.locals)
	for _, name := range r.locals {
		l.needs[name] = l.uses(l.attributes[name].Expr)
	}
	for _, cycle := range cycles(r.locals, func(name string) []string { return l.needs[name] }) {
		l.reportCycle(cycle)
	}
	for _, name := range r.locals {
		l.evaluate(name)
	}
	r.scope.Variables["local"] = cty.ObjectVal(l.values)
}

func (l *locals) collect(block *hclsyntax.Block) {
	for _, inner := range block.Body.Blocks {
		l.errorf(inner.TypeRange, "Block in locals", "A locals block holds attributes only, and %q is a block: write %s = { … }.", inner.Type, inner.Type)
	}
	for name, attribute := range block.Body.Attributes {
		if before := l.attributes[name]; before != nil {
			first, second := before, attribute
			if first.NameRange.Start.Byte > second.NameRange.Start.Byte {
				first, second = second, first
			}
			l.errorf(second.NameRange, "Duplicate name", "There is a local %q at %s already.", name, place(first.NameRange))
			continue
		}
		l.attributes[name] = attribute
		l.reader.locals = append(l.reader.locals, name)
	}
}

// uses are the other locals that e reads.
func (l *locals) uses(e hclsyntax.Expression) []string {
	var names []string
	for _, traversal := range e.Variables() {
		if traversal.RootName() != "local" || len(traversal) < 2 {
			continue
		}
		step, ok := traversal[1].(hcl.TraverseAttr)
		if ok && l.attributes[step.Name] != nil && !slices.Contains(names, step.Name) {
			names = append(names, step.Name)
		}
	}
	return names
}

func (l *locals) reportCycle(cycle []string) {
	var steps []step
	for _, name := range cycle {
		steps = append(steps, step{"local." + name, l.attributes[name].NameRange})
		l.values[name] = cty.DynamicVal
	}
	l.reader.reportCycle("Cycle of locals", "uses", steps)
}

// evaluate finds the value of the local called name, after those it uses. One
// without a value is unknown, so that its mistake is told once.
func (l *locals) evaluate(name string) cty.Value {
	if v, done := l.values[name]; done {
		return v
	}
	used := map[string]cty.Value{}
	for _, other := range l.needs[name] {
		used[other] = l.evaluate(other)
	}
	scope := l.scope.NewChild()
	scope.Variables = map[string]cty.Value{"local": cty.ObjectVal(used)}
	v, diags := l.attributes[name].Expr.Value(scope)
	if diags.HasErrors() {
		l.explain(diags, scope)
		v = cty.DynamicVal
	}
	if !l.keepOutside(l.attributes[name].Expr, v, scope) {
		v = v.Mark(outside)
	}
	l.values[name] = v
	clean, _ := v.UnmarkDeep()
	l.normal.locals[name] = term{literal{clean}, l.attributes[name].Expr}
	return v
}
