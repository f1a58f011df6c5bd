package spec

import (
	"github.com/hashicorp/hcl/v2/hclsyntax"
)

// work are the top-level blocks that say what runs do. Whoever only asks what is,
// or goes back to what was, needs none of them.
var work = map[string]bool{"task": true, "pipeline": true, "preview": true}

// withoutWork leaves those blocks out, and remembers which variables the rest
// reads.
func (r *reader) withoutWork(root *hclsyntax.Body) *hclsyntax.Body {
	rest := *root
	rest.Blocks = nil
	for _, block := range root.Blocks {
		if !work[block.Type] {
			rest.Blocks = append(rest.Blocks, block)
		}
	}
	r.wanted = wantedVariables(&rest)
	return &rest
}

// wantedVariables are the variables that a file reads outside of its locals, and
// those that the locals read that are read.
func wantedVariables(root *hclsyntax.Body) map[string]bool {
	locals := make(map[string]hclsyntax.Expression)
	var queue []hclsyntax.Expression
	for _, block := range root.Blocks {
		if block.Type != "locals" {
			queue = append(queue, expressions(block.Body)...)
			continue
		}
		for name, attribute := range block.Body.Attributes {
			locals[name] = attribute.Expr
		}
	}
	wanted := make(map[string]bool)
	for len(queue) > 0 {
		e := queue[0]
		queue = queue[1:]
		for _, traversal := range e.Variables() {
			name, _ := firstStep(traversal)
			switch traversal.RootName() {
			case "var":
				wanted[name] = true
			case "local":
				if read, known := locals[name]; known {
					queue = append(queue, read)
					delete(locals, name)
				}
			}
		}
	}
	return wanted
}

// expressions are all those of a body, its blocks included.
func expressions(body *hclsyntax.Body) []hclsyntax.Expression {
	var all []hclsyntax.Expression
	for _, attribute := range body.Attributes {
		all = append(all, attribute.Expr)
	}
	for _, block := range body.Blocks {
		all = append(all, expressions(block.Body)...)
	}
	return all
}
