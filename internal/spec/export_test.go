package spec_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/org/deploy-action/internal/spec"
)

// TestExportGolden holds both formats of the example of the whole language, and
// of a spec that has every attribute.
func TestExportGolden(t *testing.T) {
	for _, name := range []string{"everything", "attributes"} {
		s := sound(t, name+".hcl")
		golden(t, filepath.Join(corpus, "export", name+".hcl"), exported(t, s.HCL))
		golden(t, filepath.Join(corpus, "export", name+".json"), exported(t, s.JSON))
	}
}

func exported(t testing.TB, format func() ([]byte, spec.Problems)) []byte {
	t.Helper()
	text, problems := format()
	if len(problems) > 0 {
		t.Fatalf("no export: %+v", problems)
	}
	return text
}

func TestExportKeepsTheSpec(t *testing.T) {
	for _, path := range files(t, "ok/*.hcl") {
		t.Run(filepath.Base(path), func(t *testing.T) {
			src, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			o := world()
			o.Vars = given(src, o)
			s, problems := spec.Parse(src, "deploy.hcl", o)
			if problems.Failed() {
				t.Fatal(problems)
			}
			checkExport(t, s, o)
		})
	}
}

// checkExport holds the exports of s against what they promise; o is what s was
// read with, values of variables without a default included.
func checkExport(t testing.TB, s *spec.Spec, o spec.Options) {
	t.Helper()
	text := exported(t, s.HCL)
	if formatted, problems := spec.Format(text, "export.hcl"); !bytes.Equal(formatted, text) {
		t.Errorf("not in the canonical layout: %v\n%s", problems, cmp.Diff(string(text), string(formatted)))
	}
	again, problems := spec.Parse(text, "export.hcl", o)
	if problems.Failed() {
		var told bytes.Buffer
		_ = problems.Write(&told, false)
		t.Fatalf("the export has mistakes:\n%s\n%s", &told, text)
	}
	if diff := cmp.Diff(s, again, sameSpec...); diff != "" {
		t.Errorf("another spec (-original +export):\n%s\n%s", diff, text)
	}
	if diff := cmp.Diff(string(text), string(exported(t, again.HCL))); diff != "" {
		t.Errorf("the export of the export (-first +second):\n%s", diff)
	}
	data := exported(t, s.JSON)
	if diff := cmp.Diff(string(data), string(exported(t, again.JSON))); diff != "" {
		t.Errorf("the JSON of the export (-first +second):\n%s", diff)
	}
	if !json.Valid(data) {
		t.Errorf("not JSON:\n%s", data)
	}
}

// sameSpec compares specs but for where things stand and for the variables,
// whose values may have been put in their place.
var sameSpec = cmp.Options{
	cmpopts.IgnoreTypes(spec.Pos{}),
	cmpopts.IgnoreUnexported(spec.Spec{}, spec.Preview{}, spec.Metric{}),
	cmpopts.IgnoreFields(spec.Spec{}, "File", "Variables"),
	cmp.FilterPath(func(p cmp.Path) bool { return p.String() == "Secrets" }, cmpopts.SortSlices(func(a, b string) bool { return a < b })),
	cmp.Comparer(func(a, b *spec.Text) bool {
		return a == b || a != nil && b != nil && a.Source == b.Source && strings.Join(a.Needs, " ") == strings.Join(b.Needs, " ")
	}),
	cmp.Comparer(func(a, b *spec.Condition) bool {
		return a == b || a != nil && b != nil && a.Source == b.Source && (a.Fixed == nil) == (b.Fixed == nil) && (a.Fixed == nil || *a.Fixed == *b.Fixed)
	}),
}

// TestExportWrites holds how one attribute is written in both formats.
func TestExportWrites(t *testing.T) {
	for name, test := range map[string]struct{ run, hcl, json string }{
		"one line":        {`"make all"`, `"make all"`, `"make all"`},
		"lines":           {`"a\n  b\n"`, "<<-EOT\n      a\n        b\n    EOT", `"a\n  b\n"`},
		"no last newline": {`"a\nb"`, `"a\nb"`, `"a\nb"`},
		"all indented":    {`"  a\n  b\n"`, "<<EOT\n  a\n  b\nEOT", `"  a\n  b\n"`},
		"blank lines":     {`"a\n\n\nb\n"`, "<<-EOT\n      a\n\n\n      b\n    EOT", `"a\n\n\nb\n"`},
		"blanks at ends":  {`"a \n\tb\t\n"`, "<<-EOT\n      a \n      \tb\t\n    EOT", `"a \n\tb\t\n"`},
		"CR":              {`"a\r\nb\r\n"`, `"a\r\nb\r\n"`, `"a\r\nb\r\n"`},
		"the end marker":  {`"cat <<EOT\nEOT\n"`, "<<-EOT2\n      cat <<EOT\n      EOT\n    EOT2", `"cat <<EOT\nEOT\n"`},
		"templates":       {`"$${A} %%{b} $$$${c}"`, `"$${A} %%{b} $$$${c}"`, `"${A} %{b} $$${c}"`},
		"template lines":  {`"$${A}\n%%{b}\n"`, "<<-EOT\n      $${A}\n      %%{b}\n    EOT", `"${A}\n%{b}\n"`},
		"quotes":          {`"\"\\"`, `"\"\\"`, `"\"\\"`},
		"unseen":          {`"a\u200bb\u001b"`, `"a\u200bb\u001b"`, `"a\u200bb\u001b"`},
		"markup":          {`"a && b > c"`, `"a && b > c"`, `"a && b > c"`},
		"a local":         {`"${local.a}-${1+1}"`, `"A-2"`, `"A-2"`},
		"from outside":    {`"${local.a}${env("B")}"`, `"${local.a}${env("B")}"`, `{"expression": "\"${local.a}${env(\"B\")}\""}`},
		"an index":        {`{ "" = "x" }[env("B")]`, `{ "" = "x" }[env("B")]`, `{"expression": "{ \"\" = \"x\" }[env(\"B\")]"}`},
		"an attempt":      {`can(regex("x", env("B"))) ? "a" : "b"`, `can(regex("x", env("B"))) ? "a" : "b"`, `{"expression": "can(regex(\"x\", env(\"B\"))) ? \"a\" : \"b\""}`},
		"by way of":       {`"x ${local.b}"`, `"x ${local.b}"`, `{"expression": "\"x ${local.b}\""}`},
		"layout":          {"\"b${ env( \"B\" ) /* b */ }\"", `"b${env("B")}"`, `{"expression": "\"b${env(\"B\")}\""}`},
		"known too early": {`stage.before.outputs.x == "" || true ? "a" : "a"`, `stage.before.outputs.x == "" || true ? "a" : "a"`, `{"expression": "stage.before.outputs.x == \"\" || true ? \"a\" : \"a\""}`},
	} {
		t.Run(name, func(t *testing.T) {
			src := "locals {\n  a = upper(\"a\")\n  b = try(regex(\"x\", env(\"B\")), \"none\")\n}\npipeline \"p\" {\n  stage \"before\" {\n    run = \"x\"\n  }\n  stage \"s\" {\n    needs = [stage.before]\n    run = " + test.run + "\n  }\n}\n"
			o := spec.Options{}
			s, problems := spec.Parse([]byte(src), "deploy.hcl", o)
			if problems.Failed() {
				t.Fatal(problems)
			}
			checkExport(t, s, o)
			if text := exported(t, s.HCL); !strings.Contains(regexp.MustCompile(` += `).ReplaceAllString(string(text), " = "), "    run = "+test.hcl+"\n") {
				t.Errorf("want run = %s, got\n%s", test.hcl, text)
			}
			var all struct {
				Pipeline []struct{ Stage []struct{ Run any } }
			}
			var want any
			if err := errors.Join(json.Unmarshal(exported(t, s.JSON), &all), json.Unmarshal([]byte(test.json), &want)); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, all.Pipeline[0].Stage[1].Run); diff != "" {
				t.Errorf("run (-want +got):\n%s", diff)
			}
		})
	}
}

func FuzzExport(f *testing.F) {
	for _, path := range files(f, "ok/*.hcl") {
		src, err := os.ReadFile(path)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(src)
	}
	for seed := range uint64(8) {
		f.Add([]byte(randomSpec(seed)))
	}
	f.Fuzz(func(t *testing.T, src []byte) {
		o := spec.Options{Dir: t.TempDir(), Version: "0.1.0", CPUs: 2, Getenv: func(name string) string { return "v-" + name }}
		o.Vars = given(src, o)
		s, problems := spec.Parse(src, "deploy.hcl", o)
		if problems.Failed() {
			return
		}
		if _, problems := s.HCL(); problems.Failed() {
			return // the file shows a secret
		}
		checkExport(t, s, o)
	})
}

// given are values for the sensitive variables of a spec, which an export leaves
// out.
func given(src []byte, o spec.Options) []spec.Assignment {
	s, _ := spec.Parse(src, "deploy.hcl", o)
	var all []spec.Assignment
	for _, v := range s.Variables {
		if v.Sensitive {
			all = append(all, spec.Assignment{Name: v.Name, Value: `"secret-` + v.Name + `"`, Origin: "TURNOUT_VAR_" + v.Name})
		}
	}
	return all
}
