package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/urfave/cli/v3"

	"github.com/org/deploy-action/internal/event"
	"github.com/org/deploy-action/internal/handover"
	"github.com/org/deploy-action/internal/pipeline"
	"github.com/org/deploy-action/internal/plan"
)

// needsVariable holds GitHub's needs object as JSON, for -finish: what became of
// jobs that could not hand anything over.
const needsVariable = "TURNOUT_NEEDS"

// jobFlags are those of a run that is one job of several.
func jobFlags() []cli.Flag {
	return []cli.Flag{
		&cli.StringFlag{Name: "stage"}, &cli.BoolFlag{Name: "finish"},
		&cli.StringFlag{Name: "needs", TakesFile: true}, &cli.StringFlag{Name: "hand-over", TakesFile: true},
	}
}

// job is a run of a part of a pipeline.
type job struct {
	app       *app
	handed    *handover.Handed
	handOver  string // folder; empty: nothing is handed over
	artifacts []*plan.Artifact
	record    handover.Record
}

// runPart runs one stage of the pipeline or, with -finish, what comes after all.
func (a *app) runPart(ctx context.Context, c *cli.Command, whole *plan.Plan) error {
	if err := partUsage(c); err != nil {
		return &usageError{err}
	}
	handed := &handover.Handed{}
	if from := c.String("needs"); from != "" {
		var err error
		if handed, err = handover.Read(a.abs(from), whole.Pipeline, a.commit()); err != nil {
			return &usageError{err}
		}
	}
	j := &job{app: a, handed: handed, artifacts: whole.Artifacts}
	if c.Bool("finish") {
		return j.finish(ctx, c, whole.Rest())
	}
	if to := c.String("hand-over"); to != "" {
		j.handOver = a.abs(to)
	}
	part, err := whole.Stage(c.String("stage"))
	if err != nil {
		return &usageError{err}
	}
	return j.stage(ctx, c, part)
}

// partUsage holds the flags of a part against each other.
func partUsage(c *cli.Command) error {
	switch {
	case c.Bool("finish") && c.String("stage") != "":
		return errors.New("run: -stage runs one stage, -finish what comes after all of them: write one of the two")
	case c.Bool("finish") && c.String("hand-over") != "":
		return errors.New("run: after -finish comes no job that -hand-over could be for")
	case c.Bool("finish") && c.String("needs") == "":
		return errors.New("run: -finish ends what other jobs have begun: name the folder with what they handed over, -needs DIR")
	}
	return nil
}

// commit is what the run is of, where it is known.
func (a *app) commit() string { return a.githubContext()["sha"] }

// stage runs one stage. Those it needs must have been handed over.
func (j *job) stage(ctx context.Context, c *cli.Command, p *plan.Plan) error {
	elsewhere := make(map[string]pipeline.Done, len(p.Elsewhere))
	for _, need := range p.Elsewhere {
		record, known := j.handed.Of(need.Name)
		if !known {
			return &usageError{fmt.Errorf("run: stage %s needs stage %s, and -needs %q has nothing of it; nothing was started", p.Stages[0].Name, need.Name, c.String("needs"))}
		}
		elsewhere[need.Name] = done(record)
	}
	if c.Bool("dry-run") {
		return j.app.showPlan(ctx, p, c.Bool("json"))
	}
	if err := j.handed.Unpack(ctx, j.app.dir, p.Elsewhere); err != nil {
		return err
	}
	var dir string
	err := j.app.execute(ctx, c, p, func(ctx context.Context, r *run) event.Result {
		dir = r.dir
		return j.runStage(ctx, r, elsewhere)
	})
	if dir == "" || j.handOver == "" || j.record.Stage == "" {
		return err
	}
	return errors.Join(err, handover.Write(j.handOver, dir, j.record))
}

// done is a record as a run takes it.
func done(r handover.Record) pipeline.Done {
	return pipeline.Done{Result: r.Result, Ended: r.Ended, Outputs: r.Outputs, Switches: r.Switches}
}

func (j *job) runStage(ctx context.Context, r *run, elsewhere map[string]pipeline.Done) event.Result {
	options := r.pipelineOptions()
	options.Elsewhere = elsewhere
	options.Ended = func(s *plan.Stage, done pipeline.Done) {
		j.record = handover.Record{
			Pipeline: r.plan.Pipeline, Stage: s.Name, Run: r.about.ID, Commit: r.about.Commit,
			Result: done.Result, Ended: done.Ended, Outputs: done.Outputs, Switches: r.switches(),
		}
	}
	result := pipeline.Run(ctx, r.plan, options)
	if err := j.pack(ctx, r); err != nil && result.Outcome == event.Succeeded {
		result = event.Result{Outcome: event.Failed, Reason: "hand over: " + err.Error(), Pos: r.plan.Stages[0].Pos}
		j.record.Result = result
	}
	return result
}

// pack hands over the artifacts, and refuses outputs with secrets in them: what
// is handed over lies where others can read it.
func (j *job) pack(ctx context.Context, r *run) error {
	if j.handOver == "" || j.record.Stage == "" {
		return nil
	}
	for name, text := range j.record.Outputs {
		if r.app.masker.String(text) != text {
			j.record.Outputs = nil
			return fmt.Errorf("output %s holds a secret, and what a stage puts out lies in an artifact between the jobs: have the stage that needs it read the secret itself", name)
		}
	}
	if r.plan.Stages[0].Run == nil {
		return nil // deploys and tasks leave nothing in the workspace
	}
	var err error
	j.record.Artifacts, err = handover.Pack(ctx, j.handOver, r.app.dir, r.about.ID, j.artifacts)
	return err
}

// switches are those that the run has told of.
func (r *run) switches() []event.Switch {
	var all []event.Switch
	for _, e := range r.events {
		if e.Kind == event.SwitchDone {
			all = append(all, *e.Switch)
		}
	}
	return all
}

// finish does what comes after all stages: strategies, artifacts, and the report
// of the whole.
func (j *job) finish(ctx context.Context, c *cli.Command, p *plan.Plan) error {
	elsewhere, err := j.ended(p)
	if err != nil {
		return &usageError{err}
	}
	if c.Bool("dry-run") {
		return j.app.showPlan(ctx, p, c.Bool("json"))
	}
	if err := j.handed.Unpack(ctx, j.app.dir, p.Elsewhere); err != nil {
		return err
	}
	r, err := j.app.newRun(c, p)
	if err != nil {
		return err
	}
	if began, any := j.handed.Began(); any {
		r.began = began
	}
	return r.execute(ctx, func(ctx context.Context, r *run) event.Result {
		if err := j.retell(r); err != nil {
			return event.Result{Outcome: event.Failed, Reason: "what the jobs handed over: " + err.Error()}
		}
		options := r.pipelineOptions()
		options.Elsewhere = elsewhere
		return pipeline.Run(ctx, p, options)
	})
}

// retell has the report and the event log, but not the terminal, tell what the
// jobs did.
func (j *job) retell(r *run) error {
	events, err := j.handed.Replay(r.dir)
	for _, e := range events {
		r.log.Event(e)
		r.remember(e)
	}
	return err
}

// ended is what became of every stage, as far as anyone knows.
func (j *job) ended(p *plan.Plan) (map[string]pipeline.Done, error) {
	jobs, err := j.app.jobResults()
	if err != nil {
		return nil, err
	}
	all := make(map[string]pipeline.Done, len(p.Elsewhere))
	for _, stage := range p.Elsewhere {
		if record, known := j.handed.Of(stage.Name); known {
			all[stage.Name] = done(record)
		} else if result, known := silent(jobs[stage.Origin()]); known {
			all[stage.Name] = pipeline.Done{Result: result, Ended: time.Now()}
		}
	}
	return all, nil
}

// jobResults are the results of jobs as GitHub has them, by the job's id.
func (a *app) jobResults() (map[string]string, error) {
	text := a.env.Getenv(needsVariable)
	if text == "" {
		return nil, nil
	}
	var needs map[string]struct {
		Result string `json:"result"`
	}
	if err := json.Unmarshal([]byte(text), &needs); err != nil {
		return nil, fmt.Errorf("%s: is not GitHub's needs object: %w", needsVariable, err)
	}
	results := make(map[string]string, len(needs))
	for id, need := range needs {
		results[id] = need.Result
	}
	return results, nil
}

// silent is what a stage came to whose job handed nothing over, by the job's
// result. It reports false where the stage did not run.
func silent(result string) (event.Result, bool) {
	switch result {
	case "success":
		return event.Result{Outcome: event.Failed, Reason: "its job succeeded, but handed nothing over"}, true
	case "failure":
		return event.Result{Outcome: event.Failed, Reason: "its job ended before it could hand anything over; its log in the workflow run says more"}, true
	case "cancelled":
		return event.Result{Outcome: event.Cancelled, Reason: "its job was cancelled"}, true
	}
	return event.Result{}, false
}
