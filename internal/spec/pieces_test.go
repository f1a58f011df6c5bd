package spec

import (
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
)

// checkPieces sees that a file parsed in pieces is what it is in one, where it
// can be parsed in pieces at all.
func checkPieces(t *testing.T, src []byte) bool {
	t.Helper()
	got := inPieces(src, "x.hcl")
	if got == nil {
		return false
	}
	file, diags := hclsyntax.ParseConfig(src, "x.hcl", hcl.InitialPos)
	if len(diags) > 0 {
		t.Errorf("in pieces nobody sees %v in\n%s", diags, src)
	}
	if !reflect.DeepEqual(file.Body.(*hclsyntax.Body), got) {
		t.Errorf("in pieces it is something else:\n%.300s", src)
	}
	return true
}

func TestParsedInPieces(t *testing.T) {
	stages := "  stage \"a\" {\n    run = \"x\"\n  }\n\n  # and\n  stage \"b\" {\n    run = <<-EOT\n      }\n    EOT\n  }\n"
	for src, want := range map[string]bool{
		"pipeline \"p\" {\n" + stages + "}\n":                                                  true,
		"pipeline \"p\" {\n" + strings.Repeat(stages, 2000) + "}\n":                            true,
		"locals {\n}\npipeline \"p\" {\n  max = 2\n\n" + stages + "}\n\nvariable \"é\" {\n}\n": true,
		"pipeline \"p\" {\n" + stages + "}\npipeline \"q\" {\n" + stages + "}":                 true,
		"pipeline \"p\" {\n" + stages + "  max = 2\n}\n":                                       false,
		"pipeline \"p\" {\n" + stages + "  }\n}\n":                                             false,
		"pipeline \"p\" {\n  x = [\n" + stages + "  ]\n}\n":                                    false,
		"pipeline \"p\" {\n  x = <<EOT\n" + stages + "EOT\n}\n":                                false,
		"pipeline \"p\" {\n  x = \"${\n" + stages + "  }\"\n}\n":                               false,
		"pipeline \"p\" {\n  x {\n" + stages + "  }\n}\n":                                      false,
		"pipeline \"p\" {\n/*\n" + stages + "*/\n}\n":                                          false,
		"x = <<EOT\n" + stages + "}\nEOT\n":                                                    false,
		stages:                                                                                 false,
	} {
		if got := checkPieces(t, []byte(src)); got != want {
			t.Errorf("in pieces: %v, want %v:\n%.300s", got, want, src)
		}
	}
}

func FuzzPieces(f *testing.F) {
	files, err := filepath.Glob("../../testdata/spec/ok/*.hcl")
	if err != nil || len(files) == 0 {
		f.Fatal(files, err)
	}
	for _, name := range files {
		src, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(string(src))
	}
	f.Add("p \"p\" {\n  x = \"${\n  stage \"a\" {\n  }\n  }\"\n  stage \"b\" {\n  }\n  y = <<A\n  stage \"c\" {\n  }\nA\n}\n/*\n}*/")
	f.Fuzz(func(t *testing.T, src string) { checkPieces(t, []byte(src)) })
}
