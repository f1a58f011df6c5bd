package plan_test

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/org/deploy-action/internal/plan"
	"github.com/org/deploy-action/internal/spec"
)

// TestExportPlansTheSame holds that every pipeline of a spec is planned, or
// refused, from its export as from itself.
func TestExportPlansTheSame(t *testing.T) {
	paths, err := filepath.Glob("../../testdata/spec/ok/*.hcl")
	if err != nil || len(paths) == 0 {
		t.Fatalf("%d specs, %v", len(paths), err)
	}
	planned := 0
	for _, path := range paths {
		original := load(t, path)
		text, problems := original.HCL()
		if len(problems) > 0 {
			t.Fatalf("%s: %+v", path, problems)
		}
		copied := filepath.Join(t.TempDir(), "deploy.hcl")
		if err := os.WriteFile(copied, text, 0o600); err != nil {
			t.Fatal(err)
		}
		again := load(t, copied)
		for i, pipeline := range original.Pipelines {
			planned++
			want, got := planOf(t, original, pipeline), planOf(t, again, again.Pipelines[i])
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("%s, pipeline %s (-original +export):\n%s", path, pipeline.Name, diff)
			}
		}
	}
	if planned < 4 {
		t.Errorf("only %d pipelines", planned)
	}
}

func load(t *testing.T, path string) *spec.Spec {
	t.Helper()
	s, problems := spec.Load(path, spec.Options{
		Vars: []spec.Assignment{
			{Name: "pager_token", Value: "hunter2-pager", Origin: "TURNOUT_VAR_pager_token"},
			{Name: "token", Value: "hunter2-token", Origin: "TURNOUT_VAR_token"},
		},
		Dir: "../../testdata/spec", Version: "0.1.0", CPUs: 2, GitHub: map[string]string{"sha": "0123abc", "ref": "refs/heads/main"},
	})
	if problems.Failed() {
		t.Fatalf("%s: %+v", path, problems)
	}
	return s
}

// planOf is the JSON of the plan, or why there is none, without what says where
// in which file something stands.
func planOf(t *testing.T, s *spec.Spec, pipeline *spec.Pipeline) map[string]any {
	t.Helper()
	p, problems := plan.New(s, pipeline)
	if p == nil {
		var told []string
		for _, problem := range problems {
			told = append(told, problem.Detail)
		}
		return map[string]any{"refused": strings.Join(told, "\n")}
	}
	var out bytes.Buffer
	if err := p.WriteJSON(&out); err != nil {
		t.Fatal(err)
	}
	var all map[string]any
	if err := json.Unmarshal(out.Bytes(), &all); err != nil {
		t.Fatal(err)
	}
	delete(all, "spec")
	forgetPlaces(all)
	return all
}

func forgetPlaces(v any) {
	switch v := v.(type) {
	case map[string]any:
		delete(v, "pos")
		for _, inner := range v {
			forgetPlaces(inner)
		}
	case []any:
		for _, inner := range v {
			forgetPlaces(inner)
		}
	}
}
