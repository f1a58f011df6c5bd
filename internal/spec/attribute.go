package spec

import (
	"cmp"
	"math/big"
	"slices"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
)

// text reads an attribute as a string; false where it is absent or wrong.
func (b *body) text(name string, u use) (string, bool) {
	v, ok := b.as(name, cty.String, u)
	if !ok {
		return "", false
	}
	return v.AsString(), true
}

// textOr is text with a default.
func (b *body) textOr(name, fallback string, u use) string {
	if s, ok := b.text(name, u); ok {
		return s
	}
	if fallback != "" {
		b.putText(name, fallback)
	}
	return fallback
}

// command reads an attribute as a shell command; empty where it is absent.
func (b *body) command(name string) string { return b.commandAs(name, shell) }

// journalled reads a command that the journal of a switch has too, on a server's
// disk, for an agent that is left alone.
func (b *body) journalled(name string) string { return b.commandAs(name, onDisk) }

func (b *body) commandAs(name string, u use) string {
	s, ok := b.text(name, u)
	if ok {
		b.checkFilled(name, s)
	}
	return s
}

// flag reads an attribute as true or false.
func (b *body) flag(name string, fallback bool) bool {
	v, ok := b.as(name, cty.Bool, plain)
	if !ok {
		b.put(name, literal{cty.BoolVal(fallback)})
		return fallback
	}
	return v.True()
}

// span is a range of numbers, ends included.
type span struct{ from, to int }

// most is the upper end of counts that have no natural one.
const most = 1_000_000

// integer reads an attribute as a whole number within the span. A fallback
// outside it stands for no number.
func (b *body) integer(name string, in span, fallback int) int {
	v, ok := b.as(name, cty.Number, plain)
	if !ok {
		if fallback >= in.from && fallback <= in.to {
			b.putNumber(name, fallback)
		}
		return fallback
	}
	n, accuracy := v.AsBigFloat().Int64()
	if accuracy != big.Exact {
		b.errorf(b.valueRange(name), "Value out of range", "%q takes a whole number from %d to %d, and this is %s.", name, in.from, in.to, v.AsBigFloat().Text('g', 10))
		return fallback
	}
	if n < int64(in.from) || n > int64(in.to) {
		b.errorf(b.valueRange(name), "Value out of range", "%q takes a number from %d to %d, and this is %d.", name, in.from, in.to, n)
		return fallback
	}
	return int(n)
}

// decimal reads an attribute as a number from least to greatest.
func (b *body) decimal(name string, least, greatest, fallback float64) float64 {
	v, ok := b.as(name, cty.Number, plain)
	if !ok {
		b.put(name, literal{cty.NumberFloatVal(fallback)})
		return fallback
	}
	n, _ := v.AsBigFloat().Float64()
	if n < least || n > greatest {
		b.errorf(b.valueRange(name), "Value out of range", "%q takes a number from %g to %g, and this is %g.", name, least, greatest, n)
		return fallback
	}
	return n
}

// oneOf reads an attribute that has a few words to choose from. A word that is
// close to one of them is reported and read as that one.
func oneOf[T ~string](b *body, name string, fallback T, words ...T) T {
	s, ok := b.text(name, plain)
	if !ok {
		b.putText(name, string(fallback))
		return fallback
	}
	var all []string
	for _, word := range words {
		all = append(all, string(word))
	}
	if slices.Contains(all, s) {
		return T(s)
	}
	b.errorf(b.valueRange(name), "Unknown value", "%q is not a value of %q, which takes %s.%s", s, name, listed(all), didYouMean(s, all))
	return cmp.Or(T(nearest(s, all)), fallback)
}

// kind is a type with a syntax of its own, as package value has them.
type kind[T ~string] struct {
	summary string
	use     use
	parse   func(string) (T, error)
}

// parsed reads an attribute as a T; fallback where it is absent or wrong.
func parsed[T ~string](b *body, name string, k kind[T], fallback T) T {
	v := fallback
	if s, ok := b.text(name, k.use); ok {
		var err error
		if v, err = k.parse(s); err != nil {
			b.errorf(b.valueRange(name), k.summary, "%s", err)
			return fallback
		}
	}
	if v != "" {
		b.putText(name, string(v))
	}
	return v
}

// item is one element of a list, with its place.
type item struct {
	text string
	at   hcl.Range
}

// items reads an attribute as a list of strings. Wrong elements are reported
// and left out, and so is what stands twice.
func (b *body) items(name string) []item {
	attribute := b.attribute(name)
	if attribute == nil {
		return nil
	}
	all := b.elements(name, attribute.Expr)
	seen := map[string]hcl.Range{}
	var once []item
	for _, it := range all {
		if before, ok := seen[it.text]; ok {
			b.errorf(it.at, "Duplicate element", "%q stands in %q already, at %s.", it.text, name, place(before))
			continue
		}
		seen[it.text] = it.at
		once = append(once, it)
	}
	b.put(name, literal{textsVal(texts(once))})
	return once
}

// textsVal is a list of strings as HCL makes it of [ … ].
func textsVal(all []string) cty.Value {
	var elements []cty.Value
	for _, s := range all {
		elements = append(elements, cty.StringVal(s))
	}
	return cty.TupleVal(elements)
}

func (b *body) elements(name string, e hclsyntax.Expression) []item {
	if tuple, ok := e.(*hclsyntax.TupleConsExpr); ok {
		var all []item
		for _, element := range tuple.Exprs {
			if v, ok := b.value(element, plain); ok {
				all = append(all, b.element(name, v, element.Range())...)
			}
			if b.normal.kept[element] {
				b.keep(e)
			}
		}
		return all
	}
	v, ok := b.value(e, plain)
	if !ok || v.IsNull() {
		return nil
	}
	if !v.CanIterateElements() || v.Type().IsObjectType() || v.Type().IsMapType() {
		b.errorf(e.Range(), "Wrong type", "The attribute %q takes a list of strings, and this is %s: write %s = [ … ].", name, describe(v), name)
		return nil
	}
	var all []item
	for _, element := range v.AsValueSlice() {
		all = append(all, b.element(name, element, e.Range())...)
	}
	return all
}

func (b *body) element(name string, v cty.Value, at hcl.Range) []item {
	s, ok := b.convert(v, cty.String, at, "An element of "+name)
	if !ok {
		return nil
	}
	return []item{{s.AsString(), at}}
}

func texts(items []item) []string {
	var all []string
	for _, it := range items {
		all = append(all, it.text)
	}
	return all
}
