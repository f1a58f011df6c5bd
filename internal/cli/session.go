package cli

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/urfave/cli/v3"

	"github.com/org/deploy-action/internal/event"
	"github.com/org/deploy-action/internal/github"
	"github.com/org/deploy-action/internal/machine"
	"github.com/org/deploy-action/internal/pipeline"
	"github.com/org/deploy-action/internal/plan"
	"github.com/org/deploy-action/internal/report"
	"github.com/org/deploy-action/internal/rollout"
	"github.com/org/deploy-action/internal/spec"
	"github.com/org/deploy-action/internal/version"
)

// runsDir is where runs leave their report, logs and events, below the working
// directory.
const runsDir = ".turnout/runs"

// keepRuns is how many runs stay in runsDir.
const keepRuns = 20

// run is one execution of a plan and those who listen to it.
type run struct {
	app      *app
	about    event.Run
	began    time.Time
	dir      string
	plan     *plan.Plan
	machines *machines
	log      *event.Log
	told     teller
	words    io.Writer        // for people, beside what is told
	actions  *github.Listener // nil outside GitHub Actions
	events   []event.Event    // what the report is made of
	emit     event.Sink
}

func (a *app) newRun(c *cli.Command, p *plan.Plan) (*run, error) {
	r := &run{app: a, plan: p, machines: a.newMachines(), began: time.Now().UTC()}
	r.about = a.about(c.Name, p, r.began)
	r.dir = filepath.Join(a.dir, runsDir, r.about.ID)
	if err := makeRunDir(r.dir); err != nil {
		return nil, err
	}
	_ = r.handOver() // finish tells; a run that is killed must not leave what only root can remove
	file, err := os.OpenFile(filepath.Join(r.dir, event.LogName), os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	r.log = event.NewLog(file)
	r.told, r.words = a.teller(c)
	sinks := []event.Sink{r.log.Event, r.told.Event, r.remember}
	if a.actions != nil {
		r.actions = github.NewListener(a.actions)
		sinks = append(sinks, r.actions.Event, r.comment)
	}
	fan := event.Fan(sinks...)
	r.emit = func(e event.Event) { fan(event.Masked(e, a.masker.String)) }
	return r, nil
}

// about describes the run before it starts.
func (a *app) about(command string, p *plan.Plan, began time.Time) event.Run {
	about := event.Run{
		ID: runID(began), Command: command, Spec: p.Spec, Pipeline: p.Pipeline,
		Version: version.Number, MaxParallel: p.MaxParallel, Stages: stages(p),
	}
	about.Actor = a.actor()
	if a.actions != nil {
		context := a.actions.Context()
		about.Commit, about.Ref, about.URL = context["sha"], context["ref"], a.actions.RunURL()
	}
	return about
}

// runID sorts by time and is unique: "20261123t184501z-k3v9qz".
func runID(now time.Time) string {
	return now.UTC().Format("20060102t150405z") + "-" + strings.ToLower(rand.Text()[:6])
}

func stages(p *plan.Plan) []event.Stage {
	var all []event.Stage
	for _, stage := range slices.Concat(p.Told(), p.Rollbacks) {
		described := event.Stage{
			Name: stage.Name, Leg: stage.Leg, Type: stage.Type, Body: stage.Body(), Rollback: stage.Rollback, Pos: stage.Pos,
		}
		if stage.Task != nil {
			for _, server := range stage.Task.Servers() {
				described.Servers = append(described.Servers, string(server.Name))
			}
		}
		for _, need := range told(p, stage.Needs) {
			described.Needs = append(described.Needs, need.Name)
		}
		all = append(all, described)
	}
	return all
}

// told are those of the stages that the run tells of.
func told(p *plan.Plan, stages []*plan.Stage) []*plan.Stage {
	if len(p.Stages) == 0 {
		return stages
	}
	return p.Here(stages)
}

func (r *run) remember(e event.Event) {
	if e.Kind != event.StageOutput && e.Kind != event.StepProgress { // the logs have the one, nobody asks for the other
		r.events = append(r.events, e)
	}
}

// do runs what is to be done between the first and the last event.
func (r *run) do(ctx context.Context, do func(context.Context, *run) event.Result) event.Result {
	r.emit(event.Event{Kind: event.RunStarted, Time: r.began, Run: &r.about})
	result := do(ctx, r)
	if ctx.Err() == nil { // else there are seconds left
		r.sampleServers(ctx)
	}
	result.Took = time.Since(r.began)
	result.ExitCode = exitCode(result.Outcome)
	r.emit(event.Event{Kind: event.RunFinished, Result: &result})
	err := r.finish()
	if r.actions != nil {
		r.app.actions.Close(ctx)
	}
	if err != nil {
		fmt.Fprintf(r.app.stderr, "turnout: error: report: %s\n", r.app.masker.String(err.Error()))
	}
	return result
}

// finish writes the reports and lets go of everything. A report that can't be
// written does not change what the run came to.
func (r *run) finish() error {
	path := filepath.Join(r.dir, "report.md")
	errs := []error{writeReports(r.dir, r.events)}
	if r.actions != nil {
		summary := report.Markdown(r.events, report.Options{Limit: github.SummaryLimit, Full: r.relative(path)})
		errs = append(errs, r.actions.Finish(summary, r.relative(path)))
	}
	errs = append(errs, r.log.Close(), r.machines.Close(), pruneRuns(filepath.Dir(r.dir)), r.told.Close(), r.handOver())
	fmt.Fprintf(r.words, "Report: %s\n", r.relative(path))
	return errors.Join(errs...)
}

// handOver gives what runs leave to the owner of the working directory.
func (r *run) handOver() error { return machine.HandOver(r.app.dir, filepath.Dir(runsDir)) }

// relative is path as seen from the working directory.
func (r *run) relative(path string) string {
	if short, err := filepath.Rel(r.app.dir, path); err == nil {
		return short
	}
	return path
}

func (r *run) pipelineOptions() pipeline.Options {
	return pipeline.Options{
		RunID: r.about.ID, Workspace: r.app.dir, LogDir: r.dir,
		Masker: r.app.masker, Machine: r.machines.local, Machines: r.machines.Get, Emit: r.emit, Deploy: r.deploy,
	}
}

// deploy moves an environment, as a stage of a pipeline or on its own.
func (r *run) deploy(ctx context.Context, d *plan.Deploy, emit event.Sink) event.Switch {
	request, err := r.app.request(d, r.machines)
	if err != nil {
		return rollout.Refused(d, err)
	}
	if strings.HasPrefix(d.Release, spec.ArtifactPrefix) {
		dir, done, err := r.unpackFor(ctx, d)
		if err != nil {
			return rollout.Refused(d, err)
		}
		defer func() { _ = done() }() // the folder of the run goes with the run
		request.Release = dir
	}
	request.Emit, request.Machines = emit, r.machines.ForSwitch
	command := r.about.Command
	if d.Rollback {
		command = "rollback" // also as a strategy of a pipeline
	}
	request.Run = rollout.Identity{
		ID: r.about.ID, Command: command, Commit: r.about.Commit, Actor: r.about.Actor, URL: r.about.URL, Began: r.began,
	}
	return rollout.Run(ctx, request)
}

// makeRunDir makes the folder of a run. Nothing of it belongs into a commit.
func makeRunDir(dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	ignore := filepath.Join(filepath.Dir(filepath.Dir(dir)), ".gitignore")
	if _, err := os.Stat(ignore); err == nil {
		return nil
	}
	return machine.WriteFile(ignore, []byte("*\n"), 0o644)
}

// pruneRuns removes the oldest runs; run ids sort by time.
func pruneRuns(dir string) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	var errs []error
	for i := 0; i < len(entries)-keepRuns; i++ {
		errs = append(errs, os.RemoveAll(filepath.Join(dir, entries[i].Name())))
	}
	return errors.Join(errs...)
}
