package workflow

import (
	"fmt"
	"slices"
	"strings"

	"github.com/bmatcuk/doublestar/v4"

	"github.com/org/deploy-action/internal/plan"
	"github.com/org/deploy-action/internal/spec"
)

// GitHub's bound on the jobs of one matrix (docs.github.com, "Usage limits").
const maxLegs = 256

// check names what no workflow can say, and where jobs differ from a run.
func check(p *plan.Plan, o Options) spec.Problems {
	var all spec.Problems
	for _, text := range slices.Concat(o.Args, o.RunsOn, []string{o.Branch}) {
		if expression(text) || strings.ContainsAny(text, "\r\n") {
			all = append(all, problem(spec.Error, spec.Pos{}, "Expression in a name", "%q would be an expression of GitHub Actions, or break a line.", text))
		}
	}
	if p.FailFast {
		all = append(all, problem(spec.Warning, p.Stages[0].Pos, "Jobs do not fail fast", "fail_fast ends stages that run when another one fails. Jobs that run go on."))
	}
	for _, stage := range p.Stages {
		all = append(all, checkStage(p, stage)...)
	}
	for _, j := range jobs(p) {
		if len(j.Legs) > maxLegs {
			all = append(all, problem(spec.Error, p.Stages[0].Pos, "Too many legs", "Stage %q has %d legs, and GitHub runs up to %d jobs of a matrix.", j.ID, len(j.Legs), maxLegs))
		}
	}
	return all
}

func checkStage(p *plan.Plan, s *plan.Stage) spec.Problems {
	var all spec.Problems
	if s.Name == FinishID {
		all = append(all, problem(spec.Error, s.Pos, "Name of a job", "%q is the name of the job that ends the run; call the stage otherwise.", s.Name))
	}
	if expression(s.Name) {
		all = append(all, problem(spec.Error, s.Pos, "Expression in a name", "The leg %q would be an expression of GitHub Actions.", s.Name))
	}
	if s.Deploy != nil && len(s.Needs) > 0 && !strings.HasPrefix(s.Deploy.Release, spec.ArtifactPrefix) && !kept(s.Deploy.Release, p.Artifacts) {
		all = append(all, problem(spec.Warning, s.Pos, "Release of another job",
			"Stage %q ships %q, which no artifact of the pipeline takes: its job finds there what the repository has, not what jobs before it have made.", s.Name, s.Deploy.Release))
	}
	return all
}

func expression(text string) bool { return strings.Contains(text, "${{") }

// kept reports whether an artifact takes a path, or something in it.
func kept(path string, artifacts []*plan.Artifact) bool {
	path = strings.TrimSuffix(strings.TrimPrefix(path, "./"), "/")
	return slices.ContainsFunc(artifacts, func(a *plan.Artifact) bool {
		return slices.ContainsFunc(a.Patterns, func(pattern string) bool {
			pattern = strings.TrimSuffix(pattern, "/")
			within := strings.HasPrefix(pattern, path+"/") || strings.HasPrefix(path, pattern+"/")
			return within || !strings.HasPrefix(pattern, "!") && doublestar.MatchUnvalidated(pattern, path)
		})
	})
}

func problem(severity spec.Severity, at spec.Pos, summary, format string, args ...any) spec.Problem {
	return spec.Problem{Severity: severity, Summary: summary, Detail: fmt.Sprintf(format, args...), Pos: at}
}
