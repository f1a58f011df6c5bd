package spec

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/convert"
)

// textOf evaluates e as a string that is known at once.
func (b *body) textOf(e hclsyntax.Expression, u use, name string) (string, bool) {
	v, ok := b.value(e, u)
	if !ok {
		return "", false
	}
	v, ok = b.convert(v, cty.String, e.Range(), fmt.Sprintf("The value of %q", name))
	if !ok {
		return "", false
	}
	return v.AsString(), true
}

// reach are the stages whose outputs an expression may read, and why no others.
type reach struct {
	stages *registry[*Stage]
	ready  func(stage string) bool // whether it has run by then
}

// deferred evaluates e as a Text that may depend on what stages put out.
func (b *body) deferred(e hclsyntax.Expression, u use, in reach, name string) *Text {
	reads, ok := b.reads(e, in)
	if !ok {
		return nil
	}
	if len(reads) == 0 && !mentions(e, "matrix") {
		s, ok := b.textOf(e, u, name)
		if !ok {
			return nil
		}
		return Known(s)
	}
	b.keep(e)
	probe := *b
	probe.scope = factsScope(b.scope, reads, nil)
	v, ok := probe.unmarked(e, u)
	if !ok {
		return nil
	}
	if _, ok := b.convert(v, cty.String, e.Range(), fmt.Sprintf("The value of %q", name)); !ok {
		return nil
	}
	scope := b.scope
	return &Text{
		Source: sourceText(b.mended, e), Needs: stagesOf(reads),
		eval: func(facts Facts) (string, error) {
			v, err := evaluateWith(e, scope, reads, facts)
			if err != nil {
				return "", err
			}
			return v.AsString(), nil
		},
	}
}

// read is one use of a stage's output.
type read struct {
	stage, output string
	at            hcl.Range
}

func stagesOf(reads []read) []string {
	var names []string
	for _, r := range reads {
		if !slices.Contains(names, r.stage) {
			names = append(names, r.stage)
		}
	}
	return names
}

func mentions(e hclsyntax.Expression, root string) bool {
	return slices.ContainsFunc(e.Variables(), func(t hcl.Traversal) bool { return t.RootName() == root })
}

// reads finds the outputs that e reads. It is false where one of them cannot
// be read, which is then reported.
func (b *body) reads(e hclsyntax.Expression, in reach) ([]read, bool) {
	var all []read
	sound := true
	for _, traversal := range e.Variables() {
		if traversal.RootName() != "stage" {
			continue
		}
		found, ok := b.read(traversal, in)
		sound = sound && ok
		if ok && found.output != "" {
			all = append(all, found)
		}
	}
	return all, sound
}

func (b *body) read(traversal hcl.Traversal, in reach) (read, bool) {
	at, names := traversal.SourceRange(), attributeSteps(traversal)
	if len(traversal) == 2 && len(names) == 1 && b.asksStages() {
		_, ok := find(b.reader, in.stages, reference{"stage", names[0], at})
		return read{}, ok // the argument of failed()
	}
	if len(traversal) != 4 || len(names) != 3 || names[1] != "outputs" {
		b.errorf(at, "Not an output", "%s is not a value: the output of a stage is written stage.NAME.outputs.VALUE.", b.quoted(at))
		return read{}, false
	}
	stage, ok := find(b.reader, in.stages, reference{"stage", names[0], at})
	if !ok {
		return read{}, false
	}
	if len(stage.Matrix) > 0 {
		b.errorf(at, "Output of a stage with legs", "%s reads what the stage %q puts out, and each leg of its matrix puts out values of its own: put the value out by a stage without a matrix.", b.name, names[0])
		return read{}, false
	}
	if !in.ready(names[0]) {
		b.errorf(at, "Output of a stage that is not needed", "%s reads what the stage %q puts out, and nothing says that it has run by then: add stage.%s to needs.", b.name, names[0], names[0])
		return read{}, false
	}
	return read{names[0], names[2], at}, true
}

// asksStages reports whether failed() may be asked here.
func (b *body) asksStages() bool { return b.block.Type == "rollback" || b.block.Type == "artifact" }

// attributeSteps are the names after the root.
func attributeSteps(traversal hcl.Traversal) []string {
	var names []string
	for _, step := range traversal[1:] {
		if attribute, ok := step.(hcl.TraverseAttr); ok {
			names = append(names, attribute.Name)
		}
	}
	return names
}

// factsScope is scope with the outputs of stages in it; without facts they are
// unknown.
func factsScope(scope *hcl.EvalContext, reads []read, facts *Facts) *hcl.EvalContext {
	inner := scope.NewChild()
	stages := map[string]map[string]cty.Value{}
	for _, r := range reads {
		if stages[r.stage] == nil {
			stages[r.stage] = map[string]cty.Value{}
		}
		v := cty.UnknownVal(cty.String)
		if facts != nil {
			v = cty.StringVal(facts.Outputs[r.stage][r.output])
		}
		stages[r.stage][r.output] = v
	}
	objects := map[string]cty.Value{}
	for name, outputs := range stages {
		objects[name] = cty.ObjectVal(map[string]cty.Value{"outputs": cty.ObjectVal(outputs)})
	}
	inner.Variables = map[string]cty.Value{"stage": cty.ObjectVal(objects)}
	if facts != nil && facts.Matrix != nil {
		leg := map[string]cty.Value{}
		for axis, v := range facts.Matrix {
			leg[axis] = cty.StringVal(v)
		}
		inner.Variables["matrix"] = cty.ObjectVal(leg)
	}
	return inner
}

// evaluateWith evaluates e with facts in place of what was unknown.
func evaluateWith(e hclsyntax.Expression, scope *hcl.EvalContext, reads []read, facts Facts) (cty.Value, error) {
	for _, r := range reads {
		if _, ok := facts.Outputs[r.stage][r.output]; !ok {
			return cty.NilVal, fmt.Errorf("%s: the stage %s put out no %q: it writes %s=… to the file $TURNOUT_OUTPUT", place(r.at), r.stage, r.output, r.output)
		}
	}
	v, diags := e.Value(factsScope(scope, reads, &facts))
	if diags.HasErrors() {
		return cty.NilVal, evaluationError(diags)
	}
	v, _ = v.UnmarkDeep()
	text, err := convert.Convert(v, cty.String)
	if err == nil && (text.IsNull() || !text.IsKnown()) {
		err = errors.New("it has no value")
	}
	if err != nil {
		return cty.NilVal, fmt.Errorf("%s: %s", place(e.Range()), strings.TrimSuffix(err.Error(), "."))
	}
	return text, nil
}
