package spec

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
)

// shape is what a kind of block may hold, in the order of its normal form:
// attributes, blocks, singles.
type shape struct {
	labels     []string // what each label is
	attributes []string
	required   []string // of attributes
	blocks     []string // may be repeated
	singles    []string // blocks that stand at most once
}

// body is a block while it is read.
type body struct {
	*reader
	block *hclsyntax.Block
	name  string // as messages name it: slot "blue"
	scope *hcl.EvalContext
	form  *form
}

// open checks a block of the top level against its shape. A name that is close
// to one of the shape's is reported once and then read as that one.
func (r *reader) open(block *hclsyntax.Block, s shape) *body {
	return r.openIn(r.normal.top, block, s)
}

func (r *reader) openIn(outer *form, block *hclsyntax.Block, s shape) *body {
	b := &body{reader: r, block: block, name: blockName(block), scope: r.scope}
	b.form = &form{block: block, shape: s, terms: map[string]term{}}
	outer.inner = append(outer.inner, b.form)
	b.checkLabels(s.labels)
	b.checkAttributes(s)
	b.checkBlocks(s)
	for _, name := range s.required {
		if b.attribute(name) == nil {
			b.missing(name)
		}
	}
	return b
}

// within opens a block with the scope of b.
func (b *body) within(block *hclsyntax.Block, s shape) *body {
	inner := b.openIn(b.form, block, s)
	inner.scope = b.scope
	return inner
}

// childOrDefault is child where a block that is left out means its defaults: it
// opens an empty one.
func (b *body) childOrDefault(kind string, s shape) *body {
	if inner := b.child(kind, s); inner != nil {
		return inner
	}
	return b.within(b.empty(kind), s)
}

// empty is a block of the kind that the file leaves out. Its place is that of b.
func (b *body) empty(kind string) *hclsyntax.Block {
	return &hclsyntax.Block{
		Type: kind, TypeRange: b.block.TypeRange, OpenBraceRange: b.block.OpenBraceRange,
		CloseBraceRange: b.block.CloseBraceRange, Body: &hclsyntax.Body{},
	}
}

// header is the place of the block's first line.
func (b *body) header() hcl.Range { return headerRange(b.block) }

func headerRange(block *hclsyntax.Block) hcl.Range {
	return block.DefRange()
}

func (b *body) missing(name string) {
	if b.hurt(b.block.Range()) {
		return
	}
	b.errorf(b.header(), "Missing attribute", "The block %s needs the attribute %q.", b.name, name)
}

func (b *body) checkLabels(want []string) {
	have := b.block.Labels
	switch {
	case len(have) < len(want):
		if !b.hurt(b.header()) {
			b.errorf(b.header(), "Missing label", "%s block needs a %s: write %s \"name\" { … }.", article(b.block.Type), want[len(have)], b.block.Type)
		}
	case len(have) > len(want):
		extra := b.block.LabelRanges[len(want)]
		b.errorf(extra, "Unexpected label", "A %s block takes %s, and this one has the label %q besides.", b.block.Type, counted(len(want), "label"), have[len(want)])
	}
}

func counted(n int, what string) string {
	switch n {
	case 0:
		return "no " + what
	case 1:
		return "one " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

func (b *body) checkAttributes(s shape) {
	var unknown []*hclsyntax.Attribute
	for name, attribute := range b.block.Body.Attributes {
		if !slices.Contains(s.attributes, name) {
			unknown = append(unknown, attribute)
		}
	}
	slices.SortFunc(unknown, func(x, y *hclsyntax.Attribute) int {
		return cmp.Compare(x.NameRange.Start.Byte, y.NameRange.Start.Byte)
	})
	for _, attribute := range unknown {
		b.unknownAttribute(attribute, s)
	}
}

func (b *body) unknownAttribute(attribute *hclsyntax.Attribute, s shape) {
	name := attribute.Name
	if slices.Contains(s.blocks, name) || slices.Contains(s.singles, name) {
		b.errorf(attribute.NameRange, "Attribute instead of a block", "In %s, %q is a block: write %s { … } without the equals sign.", b.name, name, name)
		return
	}
	near := nearest(name, s.attributes)
	b.errorf(attribute.NameRange, "Unknown attribute", "The block %s has no attribute %q.%s", b.name, name, choice(name, near, s.attributes))
	if near != "" && b.attribute(near) == nil {
		b.block.Body.Attributes[near] = attribute
	}
}

// fewest is up to how many names are listed where none is near.
const fewest = 10

// choice offers near or, where there is none, all of a short list of names.
func choice(name, near string, names []string) string {
	switch {
	case near != "":
		return fmt.Sprintf(" Did you mean %q?", near)
	case len(names) == 0 || len(names) > fewest:
		return ""
	}
	return fmt.Sprintf(" Known: %s.", listed(names))
}

func (b *body) checkBlocks(s shape) {
	known := slices.Concat(s.blocks, s.singles)
	first := map[string]*hclsyntax.Block{}
	for _, block := range b.block.Body.Blocks {
		if !slices.Contains(known, block.Type) && !b.unknownBlock(block, known, s) {
			continue
		}
		if slices.Contains(s.singles, block.Type) {
			b.once(first, block)
		}
	}
}

// unknownBlock reports block and says whether it could be told what it was
// meant to be.
func (r *reader) unknownBlock(block *hclsyntax.Block, known []string, s shape) bool {
	if slices.Contains(s.attributes, block.Type) {
		r.errorf(block.TypeRange, "Block instead of an attribute", "%q is an attribute here: write %s = … with an equals sign.", block.Type, block.Type)
		return false
	}
	near := nearest(block.Type, known)
	r.errorf(block.TypeRange, "Unknown block", "There is no block %q here.%s", block.Type, choice(block.Type, near, known))
	if near == "" {
		return false
	}
	block.Type = near
	return true
}

// once reports block where first has one of its type already.
func (r *reader) once(first map[string]*hclsyntax.Block, block *hclsyntax.Block) {
	before := first[block.Type]
	if before == nil {
		first[block.Type] = block
		return
	}
	r.errorf(headerRange(block), "Duplicate block", "A block %s may stand once here, and there is one at %s already.", block.Type, place(before.TypeRange))
}

// attribute returns the attribute called name, or nil.
func (b *body) attribute(name string) *hclsyntax.Attribute { return b.block.Body.Attributes[name] }

// given reports whether the block has an attribute called name that is not null.
func (b *body) given(name string) bool {
	attribute := b.attribute(name)
	if attribute == nil {
		return false
	}
	v, diags := attribute.Expr.Value(b.scope)
	return diags.HasErrors() || !v.IsNull()
}

// valueRange is the place of an attribute's value, or of the block's first line.
func (b *body) valueRange(name string) hcl.Range {
	if attribute := b.attribute(name); attribute != nil {
		return attribute.Expr.Range()
	}
	return b.header()
}

// child opens the first block of the kind; nil where there is none.
func (b *body) child(kind string, s shape) *body {
	for _, block := range b.block.Body.Blocks {
		if block.Type == kind {
			return b.within(block, s)
		}
	}
	return nil
}

// children opens the blocks of the kind, in the order of the file.
func (b *body) children(kind string, s shape) []*body {
	var all []*body
	for _, block := range b.block.Body.Blocks {
		if block.Type == kind {
			all = append(all, b.within(block, s))
		}
	}
	return all
}

// blocksOf are the blocks of the kind, unopened.
func (b *body) blocksOf(kind string) []*hclsyntax.Block {
	var all []*hclsyntax.Block
	for _, block := range b.block.Body.Blocks {
		if block.Type == kind {
			all = append(all, block)
		}
	}
	return all
}
