package spec_test

import (
	"cmp"
	"encoding/json"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"

	"github.com/org/deploy-action/internal/spec"
)

// place is an attribute in a spec.
type place struct {
	kind  string // of its block, of a proxy with its label
	name  string
	path  []step // the blocks around it
	block hcl.Range
	*hclsyntax.Attribute
}

type step struct {
	kind string
	at   int // among the blocks of its kind
}

func (p place) key() string { return p.kind + "." + p.name }

// places are the attributes of a spec, but for those of variables and locals, which
// have no defaults.
func places(t *testing.T, src string) []place {
	t.Helper()
	file, diags := hclsyntax.ParseConfig([]byte(src), "doc.hcl", hcl.InitialPos)
	if diags.HasErrors() {
		t.Fatal(diags)
	}
	var all []place
	var walk func(body *hclsyntax.Body, kind string, path []step, at hcl.Range)
	walk = func(body *hclsyntax.Body, kind string, path []step, at hcl.Range) {
		for name, attribute := range body.Attributes {
			all = append(all, place{kind, name, path, at, attribute})
		}
		seen := make(map[string]int)
		for _, block := range body.Blocks {
			if block.Type == "variable" || block.Type == "locals" {
				continue
			}
			kind, inner := block.Type, append(slices.Clip(path), step{block.Type, seen[block.Type]})
			seen[kind]++
			if kind == "proxy" {
				kind += " " + block.Labels[0]
			}
			walk(block.Body, kind, inner, block.Range())
		}
	}
	walk(file.Body.(*hclsyntax.Body), "", nil, hcl.Range{})
	slices.SortFunc(all, func(a, b place) int { return cmp.Compare(a.SrcRange.Start.Byte, b.SrcRange.Start.Byte) })
	return all
}

// replaced is src with other text at a range.
func replaced(src string, at hcl.Range, text string) string {
	return src[:at.Start.Byte] + text + src[at.End.Byte:]
}

// blanked is src with nothing at a range. All else stays where it is.
func blanked(src string, at hcl.Range) string {
	return replaced(src, at, regexp.MustCompile(`[^\n]`).ReplaceAllString(src[at.Start.Byte:at.End.Byte], " "))
}

// read is the export of a spec, or its mistakes.
func read(t *testing.T, src string) (map[string]any, spec.Problems) {
	t.Helper()
	o := world()
	o.Vars = nil
	s, problems := spec.Parse([]byte(src), "deploy.hcl", o)
	if problems.Failed() {
		return nil, problems
	}
	text, problems := s.JSON()
	if problems.Failed() {
		return nil, problems
	}
	var all map[string]any
	if err := json.Unmarshal(text, &all); err != nil {
		t.Fatal(err)
	}
	return all, nil
}

// leftOut is the export of a spec without an attribute, and without those that are a
// mistake without it. It is nil where the attribute is required.
func leftOut(t *testing.T, src string, p place, all []place) map[string]any {
	t.Helper()
	src = blanked(src, p.SrcRange)
	for {
		export, problems := read(t, src)
		if problems == nil {
			return export
		}
		before := src
		for _, problem := range problems {
			for _, sibling := range all {
				if reflect.DeepEqual(sibling.path, p.path) && sibling.SrcRange.Start.Line == problem.Pos.Line {
					src = blanked(src, sibling.SrcRange)
				}
			}
		}
		if src == before {
			return nil
		}
	}
}

// in is what an export has for an attribute; nil is nothing.
func (p place) in(export map[string]any) any {
	for _, step := range p.path {
		switch inner := export[step.kind].(type) {
		case map[string]any:
			export = inner
		case []any:
			export = inner[step.at].(map[string]any)
		default:
			return nil
		}
	}
	return export[p.name]
}

// comment is what stands behind an attribute.
func (p place) comment(src string) string {
	line, _, _ := strings.Cut(src[p.SrcRange.End.Byte:], "\n")
	_, comment, _ := strings.Cut(line, "#")
	return strings.TrimSpace(comment)
}
