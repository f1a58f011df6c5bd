package spec_test

import (
	"encoding/json"
	"os"
	"regexp"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var (
	docRow  = regexp.MustCompile("(?m)^\\| (?:`([a-z.]+)`|\\(top\\)) \\| (.*`.*) \\|$")
	docWord = regexp.MustCompile("`([a-z0-9_]+)`")
)

// TestExportIsDocumented holds the fields that docs/export.md lists against those
// of the exports of a spec that has every attribute.
func TestExportIsDocumented(t *testing.T) {
	text, err := os.ReadFile("../../docs/export.md")
	if err != nil {
		t.Fatal(err)
	}
	documented := map[string][]string{}
	for _, row := range docRow.FindAllSubmatch(text, -1) {
		object := string(row[1])
		for _, word := range docWord.FindAllSubmatch(row[2], -1) {
			documented[object] = append(documented[object], string(word[1]))
		}
	}
	have := map[string][]string{}
	for _, name := range []string{"attributes.hcl", "everything.hcl"} {
		var all map[string]any
		if err := json.Unmarshal(exported(t, sound(t, name).JSON), &all); err != nil {
			t.Fatal(err)
		}
		collectFields(all, "", have)
	}
	for _, fields := range []map[string][]string{documented, have} {
		for _, names := range fields {
			slices.Sort(names)
		}
	}
	if diff := cmp.Diff(documented, have); diff != "" {
		t.Errorf("docs/export.md (-documented +exported):\n%s", diff)
	}
}

// collectFields notes the fields of an object and of the objects in it, as far
// as the language names them.
func collectFields(object map[string]any, name string, have map[string][]string) {
	for field, value := range object {
		if !slices.Contains(have[name], field) {
			have[name] = append(have[name], field)
		}
		if slices.Contains([]string{"locals", "env", "matrix", "default", "target_groups", "instances"}, field) {
			continue
		}
		inner := field
		if name != "" {
			inner = name + "." + field
		}
		elements, isList := value.([]any)
		if !isList {
			elements = []any{value}
		}
		for _, element := range elements {
			block, isBlock := element.(map[string]any)
			if _, stays := block["expression"]; isBlock && !stays {
				collectFields(block, inner, have)
			}
		}
	}
}
