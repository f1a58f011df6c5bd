package spec

import (
	"slices"

	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
)

// normal is what a spec is exported from. The reader fills it in while it reads,
// so that an export shows what was read and there is no second reader of blocks.
type normal struct {
	src    []byte
	root   *hclsyntax.Body
	top    *form
	locals map[string]term
	kept   map[hclsyntax.Expression]bool // what an export shows as it is written
}

func newNormal(src []byte) *normal {
	return &normal{
		src: src, top: &form{shape: shape{blocks: topLevel}},
		locals: map[string]term{}, kept: map[hclsyntax.Expression]bool{},
	}
}

// form is a block as it was read, with every default filled in.
type form struct {
	block *hclsyntax.Block // nil at the top level
	shape shape            // the order of what is in it
	terms map[string]term
	inner []*form // in the order in which they were read
}

// term is what an attribute says.
type term struct {
	content content
	written hclsyntax.Expression // what the file has; nil where it has nothing
}

// of are the forms of the kind in f, in the order of the file.
func (f *form) of(kind string) []*form {
	var all []*form
	for _, inner := range f.inner {
		if inner.block.Type == kind {
			all = append(all, inner)
		}
	}
	slices.SortStableFunc(all, func(a, b *form) int { return a.block.TypeRange.Start.Byte - b.block.TypeRange.Start.Byte })
	return all
}

// put notes what an attribute of the block says. What the block does not have is
// the reader's own affair and not noted.
func (b *body) put(name string, c content) {
	if !slices.Contains(b.form.shape.attributes, name) {
		return
	}
	t := term{content: c}
	if attribute := b.attribute(name); attribute != nil {
		t.written = attribute.Expr
	}
	b.form.terms[name] = t
}

func (b *body) putText(name, text string) { b.put(name, literal{cty.StringVal(text)}) }

func (b *body) putNumber(name string, n int) { b.put(name, literal{cty.NumberIntVal(int64(n))}) }

// follow has an attribute that the block leaves out say what another one says.
func (b *body) follow(name string, other term) {
	if !b.given(name) && other.content != nil {
		b.form.terms[name] = other
	}
}

// leave forgets attributes that mean nothing in this block.
func (b *body) leave(names ...string) {
	for _, name := range names {
		delete(b.form.terms, name)
	}
}
