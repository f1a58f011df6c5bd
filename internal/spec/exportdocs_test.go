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
	have := exportedFields(t)
	for _, fields := range []map[string][]string{documented, have} {
		for _, names := range fields {
			slices.Sort(names)
		}
	}
	if diff := cmp.Diff(documented, have); diff != "" {
		t.Errorf("docs/export.md (-documented +exported):\n%s", diff)
	}
}

// exportedFields are those of every block, by its name with those around it.
func exportedFields(t *testing.T) map[string][]string {
	t.Helper()
	have := map[string][]string{}
	for _, name := range []string{"attributes.hcl", "everything.hcl"} {
		var all map[string]any
		if err := json.Unmarshal(exported(t, sound(t, name).JSON), &all); err != nil {
			t.Fatal(err)
		}
		collectFields(all, "", have)
	}
	return have
}

// TestLanguageIsDocumented looks for every attribute and block in the pages of the
// language. That they show no others, their specs prove: these are read by a test.
func TestLanguageIsDocumented(t *testing.T) {
	var pages []byte
	for _, page := range []string{"spec.md", "servers.md", "elb.md", "canary.md"} {
		text, err := os.ReadFile("../../docs/" + page)
		if err != nil {
			t.Fatal(err)
		}
		pages = append(pages, text...)
	}
	for block, names := range exportedFields(t) {
		for _, name := range names {
			if name == "schema" || name == "name" || name == "kind" {
				continue // of the export
			}
			if !regexp.MustCompile("`" + name + "`|(?m:^ *" + name + ` *(=|\{|"))`).Match(pages) {
				t.Errorf("%s: %s is in none of the pages of the language", block, name)
			}
		}
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
