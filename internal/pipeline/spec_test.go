package pipeline_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/org/deploy-action/internal/pipeline"
	"github.com/org/deploy-action/internal/plan"
	"github.com/org/deploy-action/internal/spec"
)

const outputsSpec = `
pipeline "release" {
  stage "build" {
    run = "echo tag=v1.2 >> $TURNOUT_OUTPUT; echo 'odd=$(id)' >> $TURNOUT_OUTPUT"
  }
  stage "tell" {
    needs = [stage.build]
    when  = stage.build.outputs.tag == "v1.2"
    env   = { ODD = stage.build.outputs.odd }
    run   = "echo \"${stage.build.outputs.tag} $ODD\""
  }
  stage "beta" {
    needs = [stage.build]
    when  = stage.build.outputs.tag == "v2"
    run   = "echo must not run"
  }
}
`

// Outputs go all the way: from a command through the facts into conditions,
// scripts and the environment of stages of a real spec.
func TestOutputsThroughTheLanguage(t *testing.T) {
	s, problems := spec.Parse([]byte(outputsSpec), "deploy.hcl", spec.Options{CPUs: 2})
	if problems.Failed() {
		t.Fatal(problems)
	}
	p, problems := plan.New(s, s.Pipelines[0])
	if problems.Failed() {
		t.Fatal(problems)
	}
	b := newBench(t)
	pipeline.Run(t.Context(), p, b.Options)
	want := []string{"build succeeded", "tell succeeded", `beta skipped: when is false: stage.build.outputs.tag == "v2"`}
	if diff := cmp.Diff(want, b.ends(t, p)); diff != "" {
		t.Errorf("want, got:\n%s", diff)
	}
	if diff := cmp.Diff([]string{"v1.2 $(id)"}, b.lines("tell")); diff != "" {
		t.Errorf("want, got:\n%s", diff)
	}
}
