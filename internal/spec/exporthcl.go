package spec

import (
	"maps"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2/hclwrite"
	"github.com/zclconf/go-cty/cty"
)

// HCL is the spec in normal form, as a spec: every default filled in, references
// resolved, values in place, blocks and attributes in one order. Reading it
// gives the same spec, and its own normal form is itself. It is for a spec that
// was read without an error; a problem names a secret that the file itself shows.
func (s *Spec) HCL() ([]byte, Problems) {
	x := s.export()
	var out strings.Builder
	for _, kind := range topLevel {
		if kind == "locals" {
			x.writeLocals(&out)
			continue
		}
		for _, f := range x.top.of(kind) {
			if kind != "variable" || x.variables[f.block.Labels[0]] {
				x.writeBlock(&out, f, 0)
			}
		}
	}
	return x.finish(hclwrite.Format([]byte(strings.TrimPrefix(out.String(), "\n"))))
}

func (x *export) writeLocals(out *strings.Builder) {
	if len(x.locals) == 0 {
		return
	}
	out.WriteString("\nlocals {\n")
	for _, name := range slices.Sorted(maps.Keys(x.locals)) {
		x.writeField(out, name, x.content(x.normal.locals[name]), 1)
	}
	out.WriteString("}\n")
}

// writeBlock writes a block that lies in depth others. The layout is left to the
// formatter, except in texts, which it does not touch.
func (x *export) writeBlock(out *strings.Builder, f *form, depth int) {
	out.WriteString("\n" + f.block.Type)
	for _, label := range f.block.Labels {
		out.WriteString(" " + quote(label))
	}
	out.WriteString(" {\n")
	var body strings.Builder
	for _, name := range x.said(f) {
		x.writeField(&body, name, x.content(f.terms[name]), depth+1)
	}
	for _, kind := range slices.Concat(f.shape.blocks, f.shape.singles) {
		for _, inner := range f.of(kind) {
			x.writeBlock(&body, inner, depth+1)
		}
	}
	out.WriteString(strings.TrimPrefix(body.String(), "\n") + "}\n")
}

func (x *export) writeField(out *strings.Builder, name string, c content, depth int) {
	text := c.hcl(x)
	if l, ok := c.(literal); ok && l.value.Type() == cty.String && !l.value.IsNull() {
		text = scriptText(l.value.AsString(), depth)
	}
	out.WriteString(name + " = " + text + "\n")
}
