package spec_test

import (
	"bytes"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/org/deploy-action/internal/spec"
)

func TestVarFile(t *testing.T) {
	hclFile := writeFile(t, "prod.tfvars", "release = \"v1\"\nports = [1, 2]\n")
	jsonFile := writeFile(t, "prod.json", `{"release": "v$${1}", "ports": [1, 2], "on": true}`)
	for _, test := range []struct {
		path string
		want []spec.Assignment
	}{
		{hclFile, []spec.Assignment{{Name: "release", Value: "v1", Origin: hclFile + ":1"}, {Name: "ports", Value: "[1, 2]", Origin: hclFile + ":2"}}},
		{jsonFile, []spec.Assignment{{Name: "release", Value: "v$${1}", Origin: jsonFile + ":1"}, {Name: "ports", Value: "[1,2]", Origin: jsonFile + ":1"}, {Name: "on", Value: "true", Origin: jsonFile + ":1"}}},
	} {
		got, problems := spec.VarFile(test.path)
		if diff := cmp.Diff(test.want, got); diff != "" || len(problems) > 0 {
			t.Errorf("%s: %v (-want +got):\n%s", test.path, problems, diff)
		}
	}
}

func TestBadVarFiles(t *testing.T) {
	for _, text := range []string{"variable \"a\" {\n}\n", "a = local.b\n", "a = \"x\n", "a = 1\na = 2\n"} {
		if _, problems := spec.VarFile(writeFile(t, "bad.tfvars", text)); !problems.Failed() {
			t.Errorf("%q is read without a problem", text)
		}
	}
	if _, problems := spec.VarFile(writeFile(t, "bad.json", "{")); !problems.Failed() {
		t.Error("bad JSON is read without a problem")
	}
}

const portVariable = `variable "port" {
  type = number
}

variable "name" {
  default = "x"
}

variable "hosts" {
  type    = list(string)
  default = []
}
`

func TestAssignmentsByPrecedence(t *testing.T) {
	s, problems := spec.Parse([]byte(portVariable), "x.hcl", spec.Options{Vars: []spec.Assignment{
		{Name: "port", Value: "1", Origin: "TURNOUT_VAR_port"},
		{Name: "port", Value: "8080", Origin: "-var"},
		{Name: "name", Value: "${not.parsed}", Origin: "-var"},
		{Name: "hosts", Value: `["a", "b"]`, Origin: "-var"},
	}})
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	var got []string
	for _, v := range s.Variables {
		got = append(got, v.Value)
	}
	if diff := cmp.Diff([]string{"8080", "${not.parsed}", `["a","b"]`}, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

func TestBadAssignments(t *testing.T) {
	for _, test := range []struct {
		assignment spec.Assignment
		severity   spec.Severity
		detail     string
	}{
		{spec.Assignment{Name: "port", Value: "http", Origin: "-var"}, spec.Error, `The value "http" that -var gives to the variable "port" does not fit its type number`},
		{spec.Assignment{Name: "prot", Value: "1", Origin: "-var"}, spec.Error, `-var gives a value to "prot", and the spec has no variable of that name. Did you mean "port"?`},
		{spec.Assignment{Name: "prot", Value: "1", Origin: "TURNOUT_VAR_prot"}, spec.Warning, `TURNOUT_VAR_prot gives a value to "prot"`},
	} {
		vars := []spec.Assignment{{Name: "port", Value: "1", Origin: "-var"}, test.assignment}
		_, problems := spec.Parse([]byte(portVariable), "x.hcl", spec.Options{Vars: vars})
		if len(problems) != 1 || problems[0].Severity != test.severity || !strings.HasPrefix(problems[0].Detail, test.detail) {
			t.Errorf("%v: %+v, want %s: %s", test.assignment, problems, test.severity, test.detail)
		}
	}
}

func TestSecretsNeverShow(t *testing.T) {
	src := "variable \"token\" {\n  type = number\n  sensitive = true\n}\n" +
		"variable \"other\" {\n  default = \"hunter2-literal\"\n  sensitive = true\n}\nlocals {\n  a = \"hunter2-literal\" + 1\n}\n"
	_, problems := spec.Parse([]byte(src), "x.hcl", spec.Options{Vars: []spec.Assignment{{Name: "token", Value: "hunter2-assigned", Origin: "-var"}}})
	var out bytes.Buffer
	if err := problems.Write(&out, true); err != nil {
		t.Fatal(err)
	}
	if len(problems) != 2 || strings.Contains(out.String(), "hunter2") {
		t.Errorf("%d problems:\n%s", len(problems), &out)
	}
}

func TestWriteInColour(t *testing.T) {
	_, problems := spec.Parse([]byte("server \"a\" {\n\thost = \"a b\"\n}\n"), "x.hcl", spec.Options{})
	var out bytes.Buffer
	if err := problems.Write(&out, true); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"\x1b[1m\x1b[31mError:", "(x.hcl:2,9)", "\x1b[4m\"a b\"\x1b[0m", `in server "a"`} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("no %q in\n%q", want, &out)
		}
	}
}
