package main

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/org/deploy-action/internal/proxy/proxytest"
)

const jobsSpec = `
pipeline "demo" {
  stage "build" {
    run = "mkdir -p dist && echo made >dist/a && echo tag=v1 >>$TURNOUT_OUTPUT"
  }

  stage "test" {
    needs  = [stage.build]
    matrix = { suite = ["unit", "slow"] }
    run    = "test $(cat dist/a) = made && echo seen=${matrix.suite}-${stage.build.outputs.tag} >>$TURNOUT_OUTPUT"
  }

  stage "audit" {
    needs      = [stage.build]
    run        = "exit 1"
    on_failure = "continue"
  }

  stage "docs" {
    needs = [stage.build]
    when  = stage.build.outputs.tag == "v2"
    run   = "true"
  }

  stage "ship" {
    needs = [stage.test, stage.audit]
    run   = "exit 3"
  }

  stage "after" {
    needs = [stage.ship]
    run   = "true"
  }

  artifact "app" {
    path = "dist"
    when = failed(stage.ship)
  }

  rollback "page" {
    when = failed(stage.ship)
    run  = "echo paged"
  }
}
`

// TestWorkflowDoesWhatARunDoes runs one pipeline twice, as a whole and as the
// workflow that is written of it, under act, which has no GitHub to get actions
// from: a folder stands in for what upload-artifact keeps.
func TestWorkflowDoesWhatARunDoes(t *testing.T) {
	proxytest.Need(t, "act")
	whole, jobs, kept := t.TempDir(), t.TempDir(), t.TempDir()
	for _, dir := range []string{whole, jobs} {
		if err := os.WriteFile(filepath.Join(dir, "deploy.hcl"), []byte(jobsSpec), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	in(t, whole, 1, "turnout", "run")
	in(t, jobs, 0, "turnout", "export", "workflow")
	in(t, jobs, 0, "turnout", "export", "workflow", "-check")
	standIn(t, filepath.Join(jobs, ".github", "workflows", "demo.yml"), kept)
	in(t, jobs, 0, "git", "init", "-q", "--initial-branch=main")
	in(t, jobs, 0, "git", "add", "--all")
	in(t, jobs, 0, "git", "-c", "user.name=t", "-c", "user.email=t@example.com", "commit", "-q", "-m", "t")
	logged := in(t, jobs, 1, "act", "push", "--platform", "ubuntu-latest=-self-hosted", "--concurrent-jobs", "2")

	want := lastReport(t, filepath.Join(whole, ".turnout", "runs"))
	got := lastReport(t, filepath.Join(kept, "report"))
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("a run (-) and its workflow (+):\n%s\n%s", diff, logged)
	}
	if len(want) != 10 {
		t.Errorf("the run tells of %d stages and artifacts, want 10: %v", len(want), want)
	}
}

// standIn has a workflow get along without GitHub.
func standIn(t *testing.T, path, kept string) {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, swap := range []struct{ step, run string }{
		{`uses: org/deploy-action/setup@\S+`, "run: 'true'"},
		{`uses: actions/download-artifact@(?s:.*?)merge-multiple: true`, "run: mkdir -p .turnout && cp -R " + kept + "/handed .turnout/needs"},
		{`uses: actions/upload-artifact@[^\n]*\n +with:\n +name: turnout-report(?s:.*?)overwrite: true`, "run: cp -R .turnout/runs " + kept + "/report"},
		{`uses: actions/upload-artifact@(?s:.*?)retention-days: 7`, "run: mkdir -p " + kept + "/handed && cp -R .turnout/handed/. " + kept + "/handed/"},
	} {
		found := regexp.MustCompile(swap.step)
		if !found.Match(text) {
			t.Fatalf("the workflow has no step %s:\n%s", swap.step, text)
		}
		text = found.ReplaceAllLiteral(text, []byte(swap.run))
	}
	if err := os.WriteFile(path, text, 0o644); err != nil {
		t.Fatal(err)
	}
}

// in runs a program in a folder and returns what it wrote.
func in(t *testing.T, dir string, code int, name string, args ...string) string {
	t.Helper()
	config := t.TempDir()
	if err := os.MkdirAll(filepath.Join(config, "act"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(config, "act", "actrc"), nil, 0o644); err != nil { // without it, act asks
		t.Fatal(err)
	}
	cmd := exec.Command(name, args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "XDG_CONFIG_HOME="+config, "XDG_CACHE_HOME="+t.TempDir(), "NO_COLOR=1")
	out, err := cmd.CombinedOutput()
	if cmd.ProcessState == nil || cmd.ProcessState.ExitCode() != code {
		t.Fatalf("%s %s: %v, want exit code %d\n%s", name, strings.Join(args, " "), err, code, out)
	}
	return string(out)
}

// lastReport is how the stages and artifacts of the newest run ended.
func lastReport(t *testing.T, runs string) []string {
	t.Helper()
	reports, err := filepath.Glob(filepath.Join(runs, "*", "events.jsonl"))
	if err != nil || len(reports) == 0 {
		t.Fatalf("%s: no runs (%v)", runs, err)
	}
	text, err := os.ReadFile(slices.Max(reports))
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for line := range strings.Lines(string(text)) {
		var e struct {
			Kind, Stage string
			Result      *struct {
				Outcome, Reason string
				Ignored         bool
			}
			Artifact *struct{ Name string }
		}
		if err := json.Unmarshal([]byte(line), &e); err != nil {
			t.Fatal(err)
		}
		switch {
		case e.Kind == "stage.finished" || e.Kind == "run.finished":
			all = append(all, fmt.Sprintf("%s %s: %s %s %v", e.Kind, e.Stage, e.Result.Outcome, e.Result.Reason, e.Result.Ignored))
		case e.Artifact != nil:
			all = append(all, "artifact "+e.Artifact.Name)
		}
	}
	slices.Sort(all)
	return all
}
