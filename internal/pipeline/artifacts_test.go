package pipeline_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/org/deploy-action/internal/artifact"
	"github.com/org/deploy-action/internal/event"
	"github.com/org/deploy-action/internal/pipeline"
)

const keepingSpec = `
pipeline "release" {
  stage "build" {
    run = "mkdir -p dist reports; echo hello > dist/app; echo kind=full >> $TURNOUT_OUTPUT"
  }
  stage "test" {
    needs = [stage.build]
    run   = "echo ok > reports/test.xml; %s"
  }
  artifact "app" {
    path = "dist"
  }
  artifact "reports" {
    path = ["reports/**/*.xml"]
    when = true
  }
  artifact "shots" {
    path = "reports"
    when = failed(stage.test)
  }
  artifact "full" {
    path = "dist"
    when = stage.build.outputs.kind == "full" && !cancelled()
  }
}
`

// kept lists the artifacts that a run has kept.
func (b *bench) kept(t *testing.T) []string {
	t.Helper()
	listed, err := artifact.In(b.dir).List("")
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, l := range listed {
		names = append(names, l.Name)
	}
	return names
}

func TestArtifactsOfARun(t *testing.T) {
	for end, want := range map[string][]string{
		"true":   {"app", "full", "reports"},
		"exit 1": {"full", "reports", "shots"},
	} {
		b := newBench(t)
		got := pipeline.Run(t.Context(), load(t, fmt.Sprintf(keepingSpec, end)), b.Options)
		if (got.Outcome == event.Succeeded) != (end == "true") || !slices.Equal(b.kept(t), want) {
			t.Errorf("%s: %+v, kept %q", end, got, b.kept(t))
		}
	}
}

func TestArtifactsAreTold(t *testing.T) {
	b := newBench(t)
	pipeline.Run(t.Context(), load(t, fmt.Sprintf(keepingSpec, "ln -s /etc dist/etc")), b.Options)
	var told []string
	for _, e := range b.events {
		switch {
		case e.Stage != "":
		case e.Kind == event.Notice:
			told = append(told, fmt.Sprintf("%s:%d %s", e.Note.Pos.File, e.Note.Pos.Line, e.Note.Text))
		case e.Kind == event.ArtifactDone:
			a := e.Artifact
			told = append(told, fmt.Sprintf("%s %s %d files, %d bytes, %s", e.Kind, a.Name, a.Files, a.Size, a.Path))
			if a.Run != b.RunID || len(a.SHA256) != 64 || a.Packed == 0 || a.Pos.Line == 0 {
				t.Errorf("%+v", a)
			}
		default:
			told = append(told, fmt.Sprintf("%s %s %s", e.Kind, e.Step.Name, e.Step.Error))
		}
	}
	const leads = "dist/etc is a link that leads out of the workspace or in circles (to /etc): it is kept, and unpacking will refuse it"
	want := []string{
		"step.started artifact app ", "deploy.hcl:10 artifact app: " + leads, "step.finished artifact app ",
		"artifact.done app 1 files, 6 bytes, .turnout/artifacts/app/r1/artifact.tar.zst",
		"step.started artifact reports ", "step.finished artifact reports ",
		"artifact.done reports 1 files, 3 bytes, .turnout/artifacts/reports/r1/artifact.tar.zst",
		"step.started artifact full ", "deploy.hcl:21 artifact full: " + leads, "step.finished artifact full ",
		"artifact.done full 1 files, 6 bytes, .turnout/artifacts/full/r1/artifact.tar.zst",
	}
	if diff := cmp.Diff(want, told); diff != "" {
		t.Errorf("want, got:\n%s", diff)
	}
}

const missingSpec = `
pipeline "release" {
  stage "build" {
    run = "%s"
  }
  artifact "app" {
    path = ["dist", "!dist/old"]
    required = %s
    when = true
  }
  artifact "kind" {
    path = "dist"
    when = stage.build.outputs.kind == "full"
  }
}
`

func TestMissingArtifacts(t *testing.T) {
	const missing, unanswered = "artifact app: nothing matches dist, !dist/old", `artifact kind: deploy.hcl:13,12: the stage build put out no "kind": it writes kind=… to the file $TURNOUT_OUTPUT; it is not kept`
	for name, test := range map[string]struct {
		run, required string
		want          event.Result
		notices       []string
	}{
		"optional": {"true", "false", event.Result{Outcome: event.Succeeded}, []string{missing + "; it is not kept", unanswered}},
		"required": {"true", "true", event.Result{Outcome: event.Failed, Reason: "deploy.hcl:6: " + missing}, []string{unanswered}},
		"required of a run that failed": {"exit 3", "true", event.Result{Outcome: event.Failed, Reason: "deploy.hcl:3: stage build: exit status 3"},
			[]string{missing + "; it is not kept", unanswered}},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			got := pipeline.Run(t.Context(), load(t, fmt.Sprintf(missingSpec, test.run, test.required)), b.Options)
			if got.Outcome != test.want.Outcome || got.Reason != test.want.Reason || got.Reason != "" && got.Pos.Line == 0 {
				t.Errorf("the run came to %+v", got)
			}
			var notices []string
			gone := 0
			for _, e := range b.events {
				if e.Kind == event.Notice {
					notices = append(notices, e.Note.Text)
				}
				if e.Kind == event.ArtifactDone && e.Artifact.Missing {
					gone++
				}
			}
			if diff := cmp.Diff(test.notices, notices); diff != "" || gone != 1 {
				t.Errorf("%d missing; want, got:\n%s", gone, diff)
			}
		})
	}
}

// TestArtifactsOfACancelledRun keeps what is small, and gives up what takes
// longer than there is time.
func TestArtifactsOfACancelledRun(t *testing.T) {
	b := newBench(t)
	p := load(t, `
pipeline "release" {
  stage "slow" {
    run = "mkdir reports; echo x > reports/x; truncate -s 64G big; echo up; sleep 600"
  }
  artifact "reports" {
    path = "reports"
    when = true
  }
  artifact "big" {
    path = "big"
    when = cancelled()
  }
}`)
	ctx, cancel := context.WithCancelCause(t.Context())
	ended := make(chan event.Result)
	go func() { ended <- pipeline.Run(ctx, p, b.Options) }()
	b.await(t, "slow", "up")
	began := time.Now()
	cancel(errStop)
	got := <-ended
	if took := time.Since(began); got.Outcome != event.Cancelled || took > time.Minute {
		t.Errorf("%+v after %s", got, took)
	}
	if !slices.Equal(b.kept(t), []string{"reports"}) {
		t.Errorf("kept %q", b.kept(t))
	}
	last := b.events[len(b.events)-1]
	if last.Note == nil || !strings.HasPrefix(last.Note.Text, "artifact big: big: no time left, 6s after the run was cancelled") {
		t.Errorf("told last: %+v", last)
	}
	if left, _ := filepath.Glob(filepath.Join(b.dir, artifact.Dir, "big", ".*.partial")); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

func TestArtifactsThatCannotBeKept(t *testing.T) {
	b := newBench(t)
	if err := os.WriteFile(filepath.Join(b.dir, ".turnout"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	got := pipeline.Run(t.Context(), load(t, fmt.Sprintf(missingSpec, "touch dist", "true")), b.Options)
	if got.Outcome != event.Failed || !strings.HasPrefix(got.Reason, "deploy.hcl:6: artifact app: ") || !strings.Contains(got.Reason, "not a directory") {
		t.Errorf("%+v", got)
	}
}
