package spec

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/convert"
)

// mark is what a value carries along through every expression.
type mark string

const (
	untrusted mark = "untrusted" // whoever opens a pull request can write it
	sensitive mark = "sensitive" // to be shown nowhere
	outside   mark = "outside"   // not of the file: an export does not evaluate it
)

// use says which marked values may stand in a place.
type use struct {
	untrusted, sensitive bool
	instead              string // where a sensitive one may not: the way out, if it is not passOn
}

var (
	plain  = use{}                                 // structure, paths, names: what reaches disks and configurations
	onDisk = use{instead: readThere}               // commands that a server's disk has too
	shell  = use{sensitive: true}                  // commands
	login  = use{sensitive: true}                  // how a server is logged in to
	data   = use{sensitive: true, untrusted: true} // what is passed on as data, or only asked about
)

// value evaluates e. It has no value where that failed, which is then reported,
// or where it depends on something that failed before.
func (b *body) value(e hclsyntax.Expression, u use) (cty.Value, bool) {
	v, ok := b.unmarked(e, u)
	return v, ok && v.IsWhollyKnown()
}

// unmarked is value for expressions that may be known later only.
func (b *body) unmarked(e hclsyntax.Expression, u use) (cty.Value, bool) {
	v, diags := e.Value(b.scope)
	if diags.HasErrors() {
		b.explain(diags, b.scope)
		return cty.DynamicVal, false
	}
	b.keepOutside(e, v, b.scope)
	clean, marks := v.UnmarkDeep()
	if _, bad := marks[untrusted]; bad && !u.untrusted {
		b.refuse(e, untrusted, "Untrusted value", untrustedDetail)
		return cty.DynamicVal, false
	}
	if _, bad := marks[sensitive]; bad && !u.sensitive {
		b.refuse(e, sensitive, "Sensitive value", sensitiveDetail+cmp.Or(u.instead, passOn))
		return cty.DynamicVal, false
	}
	return clean, true
}

// The words for marked values where they must not stand.
const (
	untrustedDetail = "%s is text that whoever opens a pull request can write, and here it would become code or configuration. The way in is as data: env = { TITLE = github.title } in a stage, then \"$TITLE\" in its command."
	sensitiveDetail = "%s is sensitive, and here it would be written to a server's disk or be shown. "
	passOn          = "Pass it to a command: env = { TOKEN = … }."
	readThere       = "Have the command read it from a file on the proxy's server."
)

// refuse reports every reference in e that brings the mark.
func (b *body) refuse(e hclsyntax.Expression, m mark, summary, detail string) {
	found := false
	for _, traversal := range e.Variables() {
		v, diags := traversal.TraverseAbs(b.scope)
		if diags.HasErrors() {
			continue
		}
		if _, marks := v.UnmarkDeep(); hasMark(marks, m) {
			found = true
			b.errorf(traversal.SourceRange(), summary, detail, b.quoted(traversal.SourceRange()))
		}
	}
	if !found {
		b.errorf(e.Range(), summary, detail, "This value")
	}
}

func hasMark(marks cty.ValueMarks, m mark) bool {
	_, ok := marks[m]
	return ok
}

// quoted is what the file says at a place.
func (r *reader) quoted(at hcl.Range) string {
	if at.End.Byte > len(r.mended) || at.Start.Byte > at.End.Byte {
		return ""
	}
	return string(r.mended[at.Start.Byte:at.End.Byte])
}

// absent reports whether v, which an attribute says, is null: that is to leave
// the attribute out, which is a mistake where the block needs it.
func (b *body) absent(name string, v cty.Value) bool {
	if v.IsNull() && slices.Contains(b.form.shape.required, name) {
		b.errorf(b.valueRange(name), "Missing attribute", "%q is null, which is to leave it out, and the block %s needs it.", name, b.name)
	}
	return v.IsNull()
}

// as evaluates an attribute as a value of the wanted type; false where it is
// absent, null or wrong. Null is absent: what the block needs may not be null.
func (b *body) as(name string, want cty.Type, u use) (cty.Value, bool) {
	attribute := b.attribute(name)
	if attribute == nil {
		return cty.NilVal, false
	}
	v, ok := b.value(attribute.Expr, u)
	if !ok || b.absent(name, v) {
		return cty.NilVal, false
	}
	v, ok = b.convert(v, want, attribute.Expr.Range(), fmt.Sprintf("The attribute %q", name))
	if ok {
		b.put(name, literal{v})
	}
	return v, ok
}

// convert makes v a value of the wanted type; what names the place in a message.
func (b *body) convert(v cty.Value, want cty.Type, at hcl.Range, what string) (cty.Value, bool) {
	converted, err := convert.Convert(v, want)
	if err == nil && !converted.IsNull() {
		return converted, true
	}
	b.errorf(at, "Wrong type", "%s takes %s, and this is %s.", what, wanted(want), describe(v))
	return cty.NilVal, false
}

// wanted is a type as messages name it.
func wanted(t cty.Type) string {
	if t == cty.Bool {
		return "true or false"
	}
	return article(t.FriendlyName())
}

// describe names a value's type or, for a short text, the value.
func describe(v cty.Value) string {
	if v.IsNull() {
		return "null"
	}
	if v.Type() == cty.String && v.IsKnown() && len(v.AsString()) < 40 {
		return fmt.Sprintf("%q", v.AsString())
	}
	if v.Type().IsTupleType() {
		return "a list"
	}
	return article(v.Type().FriendlyName())
}

func article(noun string) string {
	if noun != "" && (noun[0] == 'a' || noun[0] == 'o') {
		return "an " + noun
	}
	return "a " + noun
}
