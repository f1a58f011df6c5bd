package console

import (
	"slices"
	"time"

	"github.com/org/deploy-action/internal/event"
)

// run is what the console knows of a run.
type run struct {
	about    event.Run
	began    time.Time
	finished bool
	planned  map[string]event.Stage // stages and rollback strategies, by name
	stages   int                    // planned, without the rollback strategies
	width    int                    // of the longest name

	running   []*stage       // in the order they began
	loose     *stage         // stands for none: of steps that belong to no stage
	ended     int            // stages, whatever became of them
	tally     map[string]int // of stages, by what became of them
	rollbacks []rollback
	switches  []event.Switch
	artifacts []event.Artifact
}

// rollback is a rollback strategy that was followed.
type rollback struct {
	name   string
	result event.Result
}

func newRun() *run {
	return &run{planned: make(map[string]event.Stage), tally: make(map[string]int), loose: &stage{}}
}

// take notes an event and returns the stage that it belongs to.
func (r *run) take(e event.Event) *stage {
	switch e.Kind {
	case event.RunStarted:
		r.start(*e.Run)
	case event.StageStarted:
		return r.startStage(e.Stage)
	case event.StageFinished:
		return r.finishStage(e.Stage, *e.Result)
	case event.SwitchDone:
		r.switches = append(r.switches, *e.Switch)
	case event.ArtifactDone:
		r.artifacts = append(r.artifacts, *e.Artifact)
	case event.RunFinished:
		r.finished = true
	}
	s := r.stage(e.Stage)
	s.take(e)
	return s
}

func (r *run) start(about event.Run) {
	r.about, r.began = about, time.Now()
	for _, s := range about.Stages {
		r.planned[s.Name] = s
		r.width = max(r.width, columns(r.shown(s.Name)))
		if !s.Rollback {
			r.stages++
		}
	}
}

// shown is the name of a stage as it is printed. Legs have values of the spec in
// theirs.
func (r *run) shown(name string) string {
	if s := r.planned[name]; s.Rollback {
		name = "rollback " + s.Strategy()
	}
	return strip(name)
}

// stage is the running stage of that name, or one that stands for a stage that
// does not run.
func (r *run) stage(name string) *stage {
	if name == "" {
		return r.loose
	}
	for _, s := range r.running {
		if s.id == name {
			return s
		}
	}
	return &stage{id: name, name: r.shown(name)}
}

func (r *run) startStage(name string) *stage {
	planned := r.planned[name]
	s := &stage{
		doing: doing{began: time.Now()}, id: name, name: r.shown(name),
		task: planned.Body == "task", servers: planned.Servers, running: true,
	}
	r.running = append(r.running, s)
	if len(r.running) > 1 {
		for _, s := range r.running {
			s.beside = true
		}
	}
	return s
}

func (r *run) finishStage(name string, result event.Result) *stage {
	s := r.stage(name)
	r.running = slices.DeleteFunc(r.running, func(other *stage) bool { return other == s })
	if r.planned[name].Rollback {
		r.rollbacks = append(r.rollbacks, rollback{s.name, result})
		return s
	}
	r.ended++
	r.tally[ending(&result)]++
	return s
}

// failures counts the stages that failed, whatever the run makes of it.
func (r *run) failures() int {
	return r.tally["failed"] + r.tally["failed and ignored"] + r.tally["stranded"]
}
