package spec

import (
	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"

	"github.com/org/deploy-action/internal/value"
)

// topLevel are the blocks of a file.
var topLevel = []string{
	"turnout", "variable", "locals", "ssh", "server", "group", "task", "environment", "pipeline", "preview",
}

// rename reports what the top level does not have. A block that is close to one
// it has is read as that one from here on.
func (r *reader) rename(root *hclsyntax.Body) {
	for _, attribute := range root.Attributes {
		r.errorf(attribute.NameRange, "Attribute outside a block", "%q stands outside every block; the top level of a spec has blocks only.", attribute.Name)
	}
	first := map[string]*hclsyntax.Block{}
	for _, block := range root.Blocks {
		known := r.unknownTop(block)
		if known && (block.Type == "turnout" || block.Type == "ssh") {
			r.once(first, block)
		}
	}
}

func (r *reader) unknownTop(block *hclsyntax.Block) bool {
	for _, name := range topLevel {
		if name == block.Type {
			return true
		}
	}
	return r.unknownBlock(block, topLevel, shape{})
}

// single opens the first block of the kind at the top level, or returns nil.
func (r *reader) single(root *hclsyntax.Body, kind string, s shape) *body {
	for _, block := range root.Blocks {
		if block.Type == kind {
			return r.open(block, s)
		}
	}
	return nil
}

// registry holds the elements of one kind by name, in the order of the file.
type registry[T any] struct {
	what    string
	entries []*entry[T]
	byName  map[string]*entry[T]
}

// entry is one declared element. An element whose name another one has taken,
// or whose name is bad, is an entry without being known by name: its block is
// read for its mistakes.
type entry[T any] struct {
	name  value.Name
	block *hclsyntax.Block
	made  T
}

// declare registers block under its label.
func declare[T any](r *reader, all *registry[T], block *hclsyntax.Block, made func(value.Name, Pos) T) {
	if all.byName == nil {
		all.byName, all.what = map[string]*entry[T]{}, block.Type
	}
	name := r.label(block)
	e := &entry[T]{name: name, block: block, made: made(name, r.pos(block.TypeRange))}
	all.entries = append(all.entries, e)
	if len(block.Labels) == 0 {
		return
	}
	label := block.Labels[0]
	if before := all.byName[label]; before != nil {
		r.errorf(labelRange(block), "Duplicate name", "There is a %s %q at %s already.", block.Type, label, place(labelRange(before.block)))
		return
	}
	all.byName[label] = e
}

// label is the block's name; empty where it is missing or bad.
func (r *reader) label(block *hclsyntax.Block) value.Name {
	if len(block.Labels) == 0 {
		return ""
	}
	name, err := value.ParseName(block.Labels[0])
	if err != nil {
		r.errorf(labelRange(block), "Invalid name", "%s", err)
	}
	return name
}

// labelRange is the place of the block's label, or of its type without one.
func labelRange(block *hclsyntax.Block) hcl.Range {
	if len(block.LabelRanges) > 0 {
		return block.LabelRanges[0]
	}
	return block.TypeRange
}

// names are what can be referred to, in the order of the file.
func (all *registry[T]) names() []string {
	var names []string
	for _, e := range all.entries {
		if len(e.block.Labels) > 0 && all.byName[e.block.Labels[0]] == e {
			names = append(names, e.block.Labels[0])
		}
	}
	return names
}

// declareAll makes the named elements of the file, so that references lead to
// them whatever the order.
func (r *reader) declareAll(root *hclsyntax.Body) {
	for _, block := range root.Blocks {
		switch block.Type {
		case "server":
			declare(r, &r.servers, block, func(n value.Name, p Pos) *Server { return &Server{Name: n, Pos: p} })
		case "group":
			declare(r, &r.groups, block, func(n value.Name, p Pos) *Group { return &Group{Name: n, Pos: p} })
		case "task":
			declare(r, &r.tasks, block, func(n value.Name, p Pos) *Task { return &Task{Name: n, Pos: p} })
		case "environment":
			declare(r, &r.environments, block, func(n value.Name, p Pos) *Environment { return &Environment{Name: n, Pos: p} })
		case "pipeline":
			declare(r, &r.pipelines, block, func(n value.Name, p Pos) *Pipeline { return &Pipeline{Name: n, Pos: p} })
		case "preview":
			declare(r, &r.previews, block, func(n value.Name, p Pos) *Preview { return &Preview{Name: n, Pos: p} })
		}
	}
}

// in returns every declared element, in the order of the file.
func (all *registry[T]) in() []T {
	var made []T
	for _, e := range all.entries {
		made = append(made, e.made)
	}
	return made
}
