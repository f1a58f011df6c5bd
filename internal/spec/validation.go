package spec

import (
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/convert"
)

// validate holds the variable's value against its validation blocks.
func (v *variable) validate(value cty.Value, given bool) {
	scope := v.scope.NewChild()
	scope.Variables = map[string]cty.Value{"var": cty.ObjectVal(map[string]cty.Value{v.name: value.Mark(outside)})}
	for _, rule := range v.children("validation", validationShape) {
		rule.scope = scope
		rule.validate(v.name, given)
	}
}

func (b *body) validate(name string, given bool) {
	condition, message := b.attribute("condition"), b.attribute("error_message")
	if condition == nil || message == nil || !given {
		return
	}
	holds, ok := b.value(condition.Expr, data)
	if !ok {
		return
	}
	holds, ok = b.convert(holds, cty.Bool, condition.Expr.Range(), "A condition")
	if !ok {
		return
	}
	b.put("condition", literal{holds})
	said := b.rule(message.Expr)
	b.putText("error_message", said)
	if holds.False() {
		b.errorf(b.header(), "Invalid value for variable", "The variable %q breaks its rule at %s: %s", name, place(condition.Expr.Range()), said)
	}
}

// rule is an error_message. One with a sensitive value in it is not shown.
func (b *body) rule(e hclsyntax.Expression) string {
	v, diags := e.Value(b.scope)
	text, marks := v.UnmarkDeep()
	converted, err := convert.Convert(text, cty.String)
	lost := diags.HasErrors() || err != nil || converted.IsNull() || !converted.IsKnown() || strings.TrimSpace(converted.AsString()) == ""
	if lost || len(marks) > 0 {
		b.keep(e)
	}
	if lost || hasMark(marks, sensitive) || hasMark(marks, untrusted) {
		return "its message cannot be shown."
	}
	return converted.AsString()
}

// checkAssigned reports values for variables that the file does not have. One
// from a flag was meant for this spec; the environment and files are shared.
func (r *reader) checkAssigned(declared map[string]hcl.Range) {
	var names []string
	for name := range declared {
		names = append(names, name)
	}
	top := hcl.Range{Filename: r.file, Start: hcl.InitialPos, End: hcl.InitialPos}
	for _, a := range r.o.Vars {
		if _, known := declared[a.Name]; known || r.lost(a.Name) {
			continue
		}
		severity := Warning
		if a.Origin == "-var" {
			severity = Error
		}
		r.note(severity, top, "Unknown variable", a.Origin+` gives a value to "`+a.Name+`", and the spec has no variable of that name.`+didYouMean(a.Name, names))
	}
}
