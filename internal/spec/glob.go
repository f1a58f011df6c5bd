package spec

import (
	"fmt"
	"slices"
	"strings"

	"github.com/bmatcuk/doublestar/v4"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
)

// globs reads an attribute as one glob or a list of them. One that begins with
// "!" leaves out what it matches.
func (b *body) globs(name string) []string {
	items := b.oneOrMore(name)
	for _, it := range items {
		if err := checkGlob(it.text); err != nil {
			b.errorf(it.at, "Invalid pattern", "%s", err)
		}
	}
	if len(items) > 0 && !slices.ContainsFunc(items, func(it item) bool { return !strings.HasPrefix(it.text, "!") }) {
		b.errorf(b.valueRange(name), "Nothing but exclusions", "Every pattern of %q begins with \"!\", which leaves files out: name what to take as well.", name)
	}
	patterns := texts(items)
	b.put(name, literal{textsVal(patterns)})
	return patterns
}

// oneOrMore reads an attribute as a text or a list of texts, at least one.
func (b *body) oneOrMore(name string) []item {
	attribute := b.attribute(name)
	if attribute == nil {
		return nil
	}
	e := attribute.Expr
	if tuple, ok := e.(*hclsyntax.TupleConsExpr); ok && len(tuple.Exprs) > 0 {
		return b.items(name) // each with its place
	}
	v, ok := b.value(e, plain)
	switch {
	case !ok || b.absent(name, v):
		return nil
	case v.CanIterateElements() && v.LengthInt() == 0:
		b.errorf(e.Range(), "Empty list", "%q is empty: name at least one path.", name)
		return nil
	case v.Type() == cty.String:
		return []item{{v.AsString(), e.Range()}}
	}
	return b.items(name)
}

// checkGlob holds a pattern to paths below a folder, as parseRelative does for
// a path, and to the syntax of globs.
func checkGlob(s string) error {
	glob, leavesOut := strings.CutPrefix(s, "!")
	elements := strings.Split(glob, "/")
	switch {
	case glob == "":
		return fmt.Errorf("the pattern %q is empty", s)
	case strings.HasPrefix(glob, "/"):
		return fmt.Errorf("%q begins with a slash: patterns are relative to the workspace", s)
	case strings.ContainsFunc(glob, func(c rune) bool { return c < ' ' || c == 0x7f }):
		return fmt.Errorf("%q has a control character in it", s)
	case slices.Contains(strings.FieldsFunc(glob, func(c rune) bool { return strings.ContainsRune("/{,}", c) }), ".."):
		return fmt.Errorf("%q leaves the workspace by \"..\"", s)
	case slices.Contains(elements, ""), slices.Contains(elements, "."):
		return fmt.Errorf("%q has an empty path element: write the pattern without \".\" and without doubled or trailing slashes; a folder stands for all that is below it", s)
	case !leavesOut && slices.Contains(elements, ".turnout"):
		return fmt.Errorf("%q names .turnout, which is never kept: reports, logs and artifacts are there already", s)
	case !doublestar.ValidatePattern(glob):
		return fmt.Errorf("%q is not a glob: a [, { or \\ has no end; to mean the character itself, write \\ in front of it", s)
	}
	return nil
}
