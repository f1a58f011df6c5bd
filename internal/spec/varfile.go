package spec

import (
	"cmp"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/hashicorp/hcl/v2/json"
	"github.com/zclconf/go-cty/cty"
	ctyjson "github.com/zclconf/go-cty/cty/json"
)

// VarFile reads values of variables from a file of attributes: HCL, or JSON
// where the name ends in .json.
func VarFile(path string) ([]Assignment, Problems) {
	src, err := os.ReadFile(path)
	if err != nil {
		return nil, unreadable(path, err)
	}
	r := newReader(src, path, Options{})
	content := r.varBody()
	if content == nil {
		return nil, r.sorted()
	}
	attributes, diags := content.JustAttributes()
	for _, diag := range diags {
		r.errorf(r.placeOf(diag), "Block in a variable file", "A file of variables holds values only: write name = value, and declare variables in the spec.")
	}
	var all []Assignment
	for _, attribute := range inOrder(attributes) {
		if text, ok := r.assignment(attribute); ok {
			all = append(all, Assignment{Name: attribute.Name, Value: text, Origin: fmt.Sprintf("%s:%d", path, attribute.Range.Start.Line)})
		}
	}
	return all, r.sorted()
}

// varBody parses the file; nil where nothing of it is sound.
func (r *reader) varBody() hcl.Body {
	if !strings.HasSuffix(r.file, ".json") {
		return r.syntax()
	}
	file, diags := json.Parse(r.src, r.file)
	for _, diag := range diags {
		r.errorf(r.placeOf(diag), diag.Summary, "%s", diag.Detail)
	}
	if file == nil || diags.HasErrors() {
		return nil
	}
	return file.Body
}

func inOrder(attributes hcl.Attributes) []*hcl.Attribute {
	var all []*hcl.Attribute
	for _, attribute := range attributes {
		all = append(all, attribute)
	}
	slices.SortFunc(all, func(a, b *hcl.Attribute) int { return cmp.Compare(a.Range.Start.Byte, b.Range.Start.Byte) })
	return all
}

// assignment is the value of an attribute as the text of an Assignment.
func (r *reader) assignment(attribute *hcl.Attribute) (string, bool) {
	v, diags := attribute.Expr.Value(nil)
	if diags.HasErrors() {
		r.errorf(r.placeOf(diags[0]), "Invalid value", "A file of variables holds plain values, without names and functions.")
		return "", false
	}
	if v.Type() == cty.String && !v.IsNull() {
		return v.AsString(), true
	}
	if _, native := attribute.Expr.(hclsyntax.Expression); native {
		return r.quoted(attribute.Expr.Range()), true
	}
	text, err := ctyjson.Marshal(v, v.Type())
	return strings.NewReplacer("${", "$${", "%{", "%%{").Replace(string(text)), err == nil
}
