package spec

import (
	"encoding/json"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/zclconf/go-cty/cty"
)

// content is what an attribute comes to, as both formats write it.
type content interface {
	hcl(x *export) string // an expression, not yet in the canonical layout
	json(x *export) any   // for package json
}

// literal is a value that depends on nothing.
type literal struct{ value cty.Value }

// expression is what the file says, where it is not evaluated.
type expression string

// bare is a word of the language: a reference or a type.
type bare struct{ text, name string } // in HCL, in JSON

// list is a list of references.
type list []bare

// object has elements of which each may be an expression, as those of env.
type object map[string]term

func (l literal) hcl(*export) string    { return valueText(l.value) }
func (e expression) hcl(*export) string { return string(e) }
func (b bare) hcl(*export) string       { return b.text }

func (l list) hcl(*export) string {
	var texts []string
	for _, b := range l {
		texts = append(texts, b.text)
	}
	return "[" + strings.Join(texts, ", ") + "]"
}

func (o object) hcl(x *export) string {
	var out strings.Builder
	out.WriteString("{\n")
	for _, name := range slices.Sorted(maps.Keys(o)) {
		out.WriteString(keyText(name) + " = " + x.content(o[name]).hcl(x) + "\n")
	}
	out.WriteString("}")
	return out.String()
}

// expressionKey is the only member of an expression in JSON.
const expressionKey = "expression"

func (e expression) json(*export) any { return map[string]any{expressionKey: string(e)} }
func (b bare) json(*export) any       { return b.name }

func (l list) json(*export) any {
	names := []string{}
	for _, b := range l {
		names = append(names, b.name)
	}
	return names
}

func (l literal) json(x *export) any {
	v := plainValue(l.value)
	if looksWritten(v) {
		return expression(layout([]byte(l.hcl(x)))).json(x)
	}
	return v
}

func (o object) json(x *export) any {
	all := map[string]any{}
	for name, t := range o {
		all[name] = x.content(t).json(x)
	}
	if _, text := all[expressionKey].(string); text && len(all) == 1 {
		return expression(layout([]byte(o.hcl(x)))).json(x)
	}
	return all
}

// plainValue is v as package json takes it.
func plainValue(v cty.Value) any {
	t := v.Type()
	switch {
	case v.IsNull():
		return nil
	case t == cty.String:
		return v.AsString()
	case t == cty.Number:
		return json.Number(numberText(v))
	case t == cty.Bool:
		return v.True()
	case t.IsObjectType() || t.IsMapType():
		all := map[string]any{}
		for name, element := range v.AsValueMap() {
			all[name] = plainValue(element)
		}
		return all
	}
	all := []any{}
	for _, element := range v.AsValueSlice() {
		all = append(all, plainValue(element))
	}
	return all
}

// looksWritten reports whether a program would take v, or a part of it, for an
// expression. Such a value is written as one.
func looksWritten(v any) bool {
	switch v := v.(type) {
	case map[string]any:
		_, text := v[expressionKey].(string)
		return text && len(v) == 1 || slices.ContainsFunc(slices.Collect(maps.Values(v)), looksWritten)
	case []any:
		return slices.ContainsFunc(v, looksWritten)
	}
	return false
}

// plainKey is a key of an object that needs no quotes.
var plainKey = regexp.MustCompile(`\A[A-Za-z][A-Za-z0-9_-]*\z`)

// keyText is name as the key of an object: in quotes where HCL would take it for
// something else.
func keyText(name string) string {
	if plainKey.MatchString(name) && !slices.Contains([]string{"for", "null", "true", "false"}, name) {
		return name
	}
	return quote(name)
}
