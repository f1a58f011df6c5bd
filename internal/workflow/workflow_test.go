package workflow_test

import (
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/org/deploy-action/internal/plan"
	"github.com/org/deploy-action/internal/spec"
	"github.com/org/deploy-action/internal/workflow"
)

var update = flag.Bool("update", false, "write the golden files")

// planned is the spec at path and the plan of its only pipeline.
func planned(t *testing.T, path string) (*spec.Spec, *plan.Plan) {
	t.Helper()
	s, problems := spec.Load(path, spec.Options{
		Dir: t.TempDir(), Version: "0.1.0", CPUs: 2, Vars: []spec.Assignment{{Name: "version", Value: "1"}},
	})
	if problems.Failed() {
		t.Fatal(problems)
	}
	p, problems := plan.New(s, s.Pipelines[0])
	if problems.Failed() {
		t.Fatal(problems)
	}
	return s, p
}

var options = workflow.Options{
	Command: "turnout export workflow", Args: []string{"-f", "ci/it's.hcl"}, Branch: "main",
	RunsOn: []string{"self-hosted", "linux"}, Settings: []string{"SSH_KEY"}, Version: "v1",
}

func TestWorkflow(t *testing.T) {
	s, p := planned(t, "testdata/shop.hcl")
	text, problems := workflow.Write(s, p, options)
	if len(problems) > 0 {
		t.Errorf("problems: %v", problems)
	}
	const golden = "testdata/shop.yml"
	if *update {
		if err := os.WriteFile(golden, text, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(text)); diff != "" {
		t.Errorf("%s (-) and what is written (+):\n%s", golden, diff)
	}
	again, _ := workflow.Write(s, p, options)
	if string(again) != string(text) {
		t.Error("written twice, it is not the same")
	}
	lint(t, text)
}

// lint holds a workflow against actionlint, which also reads its shell.
func lint(t *testing.T, text []byte) {
	t.Helper()
	if _, err := exec.LookPath("actionlint"); err != nil {
		if os.Getenv("CI") != "" || slices.Contains(strings.Split(os.Getenv("TURNOUT_MUST_RUN"), ","), "actionlint") {
			t.Fatal("actionlint is not installed, and it must be here")
		}
		t.Skip("actionlint is not installed")
	}
	path := filepath.Join(t.TempDir(), "workflow.yml")
	if err := os.WriteFile(path, text, 0o644); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command("actionlint", path).CombinedOutput(); err != nil {
		t.Errorf("actionlint: %v\n%s", err, out)
	}
}

func TestProblems(t *testing.T) {
	_, p := planned(t, "testdata/shop.hcl")
	s, odd := planned(t, "testdata/odd.hcl")
	hostile := options
	hostile.Branch = "${{ github.head_ref }}"
	for name, check := range map[string]struct {
		plan *plan.Plan
		o    workflow.Options
		want []string
	}{
		"warned": {odd, options, []string{
			"warning: Jobs do not fail fast", "error: Expression in a name", "error: Name of a job", "warning: Release of another job",
		}},
		"branch": {p, hostile, []string{"error: Expression in a name"}},
	} {
		t.Run(name, func(t *testing.T) {
			text, problems := workflow.Write(s, check.plan, check.o)
			var got []string
			for _, problem := range problems {
				got = append(got, string(problem.Severity)+": "+problem.Summary)
			}
			if diff := cmp.Diff(check.want, got); diff != "" {
				t.Errorf("problems: want (-), got (+):\n%s", diff)
			}
			if text != nil {
				t.Errorf("a workflow with errors was written:\n%s", text)
			}
		})
	}
}
