package spec

import (
	"fmt"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/ext/typeexpr"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/convert"
	ctyjson "github.com/zclconf/go-cty/cty/json"
)

var variableShape = shape{
	labels:     []string{"name"},
	attributes: []string{"description", "type", "default", "sensitive"},
	blocks:     []string{"validation"},
}

var validationShape = shape{
	attributes: []string{"condition", "error_message"},
	required:   []string{"condition", "error_message"},
}

// variable is a variable block while it is read.
type variable struct {
	*body
	name      string
	kind      cty.Type
	defaults  *typeexpr.Defaults
	sensitive bool
}

// readVariables reads the variable blocks and makes the scope of every
// expression: var, github, and the functions.
func (r *reader) readVariables(root *hclsyntax.Body) {
	r.scope = &hcl.EvalContext{
		Variables: map[string]cty.Value{"github": cty.ObjectVal(github(r.o.GitHub))},
		Functions: r.functions(),
	}
	values, declared := map[string]cty.Value{}, map[string]hcl.Range{}
	for _, block := range root.Blocks {
		if block.Type != "variable" || len(block.Labels) == 0 {
			r.openNameless(block)
			continue
		}
		name := block.Labels[0]
		if before, ok := declared[name]; ok {
			r.errorf(labelRange(block), "Duplicate name", "There is a variable %q at %s already.", name, place(before))
			continue
		}
		declared[name] = labelRange(block)
		values[name] = r.readVariable(block)
	}
	r.scope.Variables["var"] = cty.ObjectVal(values)
	r.checkAssigned(declared)
}

// openNameless reports a variable without a label.
func (r *reader) openNameless(block *hclsyntax.Block) {
	if block.Type == "variable" {
		r.open(block, variableShape)
	}
}

// readVariable reads one variable block and returns its value in this run,
// unknown where it has none.
func (r *reader) readVariable(block *hclsyntax.Block) cty.Value {
	v := &variable{body: r.open(block, variableShape), name: block.Labels[0]}
	if !hclsyntax.ValidIdentifier(v.name) {
		r.errorf(labelRange(block), "Invalid name", "%q is not a name of a variable: letters, digits, _ and -, beginning with a letter.", v.name)
	}
	v.sensitive = v.flag("sensitive", false)
	v.kind, v.defaults = v.readType()
	value, given := v.given()
	if v.sensitive {
		r.spec.Secrets = append(r.spec.Secrets, leaves(value)...)
	}
	r.spec.Variables = append(r.spec.Variables, Variable{
		Name: v.name, Description: v.textOr("description", "", plain), Sensitive: v.sensitive,
		Required: v.attribute("default") == nil, Value: v.display(value), Pos: r.pos(block.TypeRange),
	})
	if v.sensitive {
		value = value.Mark(sensitive)
	}
	if said := v.form.terms["default"]; v.normal.kept[said.written] {
		value = value.Mark(outside)
	}
	v.validate(value, given)
	return value
}

// readType is what the variable may hold; a string where it does not say.
func (v *variable) readType() (cty.Type, *typeexpr.Defaults) {
	attribute := v.attribute("type")
	if attribute == nil {
		kind := v.implied()
		v.putWord("type", typeexpr.TypeString(kind))
		return kind, nil
	}
	kind, defaults, diags := typeexpr.TypeConstraintWithDefaults(attribute.Expr)
	if diags.HasErrors() {
		v.explain(diags, nil)
		return cty.DynamicPseudoType, nil
	}
	v.putWord("type", sourceText(v.mended, attribute.Expr))
	return kind, defaults
}

func (v *variable) putWord(name, word string) { v.put(name, bare{word, word}) }

// implied is the type of a variable without one: any where the default is not
// a string, so that nothing of it is lost.
func (v *variable) implied() cty.Type {
	if v.attribute("default") == nil {
		return cty.String
	}
	value, diags := v.attribute("default").Expr.Value(v.scope)
	if diags.HasErrors() || value.IsNull() || !value.Type().IsPrimitiveType() {
		return cty.DynamicPseudoType
	}
	return value.Type()
}

// given is the value that the last assignment, or else the default, gives.
func (v *variable) given() (cty.Value, bool) {
	preset, hasPreset := v.preset()
	for i := len(v.o.Vars) - 1; i >= 0; i-- {
		if v.o.Vars[i].Name == v.name {
			return v.assigned(v.o.Vars[i])
		}
	}
	if !hasPreset && v.attribute("default") == nil && (v.wanted == nil || v.wanted[v.name]) {
		v.unset()
	}
	return preset, hasPreset
}

func (v *variable) unset() {
	if !v.hurt(v.block.Range()) {
		v.errorf(v.header(), "Missing value", "The variable %q has no default and was given no value: pass -var %s=…, a -var-file, or TURNOUT_VAR_%s in the environment.", v.name, v.name, v.name)
	}
}

// preset is the variable's default.
func (v *variable) preset() (cty.Value, bool) {
	attribute := v.attribute("default")
	if attribute == nil {
		return cty.UnknownVal(v.kind), false
	}
	value, ok := v.value(attribute.Expr, plain)
	if !ok {
		return cty.UnknownVal(v.kind), false
	}
	converted, err := v.shaped(value)
	if err != nil {
		v.errorf(attribute.Expr.Range(), "Wrong type", "The default of the variable %q does not fit its type %s: %s.", v.name, typeexpr.TypeString(v.kind), err)
		return cty.UnknownVal(v.kind), false
	}
	v.putDefault(converted, attribute.Expr)
	return converted, true
}

// putDefault notes the value of this run as an export gives it: as one that
// becomes this value again, else as it is written.
func (v *variable) putDefault(value cty.Value, written hclsyntax.Expression) {
	plain, err := parseValue(valueText(value))
	if err == nil {
		var again cty.Value
		again, err = v.shaped(plain)
		if err == nil && again.RawEquals(value) {
			v.form.terms["default"] = term{literal{plain}, written}
			return
		}
	}
	delete(v.form.terms, "default")
	if written != nil {
		v.keep(written)
		v.form.terms["default"] = term{literal{value}, written}
	}
}

// shaped is value in the variable's type.
func (v *variable) shaped(value cty.Value) (cty.Value, error) {
	if v.defaults != nil && !value.IsNull() {
		value = v.defaults.Apply(value)
	}
	return convert.Convert(value, v.kind)
}

// assigned is the value of an assignment: its text for a variable that holds a
// string, else what the text says as an HCL expression.
func (v *variable) assigned(a Assignment) (cty.Value, bool) {
	value := cty.StringVal(a.Value)
	var err error
	if v.kind != cty.String {
		value, err = parseValue(a.Value)
	}
	if err == nil {
		value, err = v.shaped(value)
	}
	if err == nil {
		v.putDefault(value, nil)
		return value, true
	}
	text := fmt.Sprintf(" %q", a.Value)
	if v.sensitive {
		text, err = "", fmt.Errorf("it must be %s", article(typeexpr.TypeString(v.kind)))
	}
	v.errorf(v.header(), "Wrong type", "The value%s that %s gives to the variable %q does not fit its type %s: %s.", text, a.Origin, v.name, typeexpr.TypeString(v.kind), err)
	return cty.UnknownVal(v.kind), false
}

// parseValue reads text as an HCL expression without names.
func parseValue(text string) (cty.Value, error) {
	e, diags := hclsyntax.ParseExpression([]byte(text), "value", hcl.InitialPos)
	if !diags.HasErrors() {
		var value cty.Value
		if value, diags = e.Value(nil); !diags.HasErrors() {
			return value, nil
		}
	}
	return cty.NilVal, fmt.Errorf("%s", strings.TrimSuffix(diags[0].Detail, "."))
}

// display is a value as text; empty where it is secret or not known.
func (v *variable) display(value cty.Value) string {
	if v.sensitive || !value.IsWhollyKnown() || value.IsNull() {
		return ""
	}
	if value.Type() == cty.String {
		return value.AsString()
	}
	text, err := ctyjson.Marshal(value, value.Type())
	if err != nil {
		return ""
	}
	return string(text)
}

// leaves are all the texts in a value.
func leaves(value cty.Value) []string {
	var all []string
	// The callback never fails, and so neither does the walk.
	_ = cty.Walk(value, func(_ cty.Path, v cty.Value) (bool, error) {
		if v.IsKnown() && !v.IsNull() && v.Type().IsPrimitiveType() && v.Type() != cty.Bool {
			if text, err := convert.Convert(v, cty.String); err == nil && text.AsString() != "" {
				all = append(all, text.AsString())
			}
		}
		return true, nil
	})
	return all
}
