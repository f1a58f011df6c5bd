// Package plan decides, without touching anything, what a run will do. A plan is
// data: the command "plan" prints it, "plan -json" gives it to tools, and "run"
// executes exactly it.
package plan

import (
	"time"

	"github.com/org/deploy-action/internal/spec"
)

// Plan is a run before it starts.
type Plan struct {
	Spec        string
	Pipeline    string
	MaxParallel int
	FailFast    bool
	Stages      []*Stage   // to run here, each after those it needs
	Elsewhere   []*Stage   // that ran elsewhere, each after those it needs; Stages may need them
	Waves       [][]string // stages that can run side by side, by name
	Rollbacks   []*Stage   // for a run that fails or is cancelled, in the order of the spec
	Deploys     []*Deploy  // of Stages, in the same order
	Artifacts   []*Artifact
}

// Stage is a stage to run, or a rollback strategy, which is named
// "rollback.<name>" and needs nothing. Exactly one of Run, Deploy and Task is set.
type Stage struct {
	Name      string // of a leg: "test[unit]"
	Leg       string // the stage of the spec that this is a leg of; empty for others
	Matrix    map[string]string
	Type      string
	Needs     []*Stage
	When      *spec.Condition
	Run       *spec.Text
	Env       map[string]*spec.Text
	Dir       string
	Deploy    *Deploy
	Task      *Task
	Timeout   time.Duration // 0: none of the stage's own
	Retry     spec.Retry
	OnFailure spec.OnFailure
	Rollback  bool
	Pos       spec.Pos
}

// Origin is the name that the spec has for the stage, the same for all legs.
func (s *Stage) Origin() string {
	if s.Leg != "" {
		return s.Leg
	}
	return s.Name
}

// Body says what the stage does: "run", "deploy" or "task".
func (s *Stage) Body() string {
	switch {
	case s.Deploy != nil:
		return "deploy"
	case s.Task != nil:
		return "task"
	}
	return "run"
}

// Deploy is one switch of one environment.
type Deploy struct {
	Environment *spec.Environment
	Release     string    // directory, archive or artifact to ship; empty in a rollback
	Made        *Artifact // of this run, that Release names; nil: Release is something else
	Rollback    bool
	To          string       // release that a rollback goes to; empty: the newest good one
	Canary      *spec.Canary // nil: all traffic moves in one step
	Hurried     bool         // the run was cancelled and has seconds left: see rollout.Request
	Preview     *Preview     // what is known of the switch beforehand; nil where the machine was not asked
	Planned     []Fact       // what must be live for the switch to start; nil: anything
	Pos         spec.Pos
}

// Preview is what a switch would do, judged by what is live when it is planned.
type Preview struct {
	First    bool     // nothing serves yet
	From     string   // slot
	FromID   string   // release in From
	To       string   // slot
	ToID     string   // release that a rollback goes to
	Servers  []string // that run the application
	Proxies  []string // "nginx on edge01", in the order of the spec
	Config   string   // path of the proxy's file; of several, parted by commas
	Diff     string   // unified; empty when the file stays as it is
	Reload   bool     // the proxy must reload before traffic moves
	Cost     string   // what the switch costs clients, in a sentence; where proxies differ, a line for each
	Changes  []string // servers that have joined or left since the last deploy
	Drift    []string // what is not as we left it
	Problems []string // what would keep the switch from starting
	Live     []Fact   // what the hosts have and serve
}
