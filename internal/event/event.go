// Package event holds what happens in a run. Events are the only way out of a
// run: the console, the GitHub surface, the log file and the reports listen to
// them, and a log of them can be replayed into a report.
package event

import (
	"strings"
	"time"

	"github.com/org/deploy-action/internal/metrics"
	"github.com/org/deploy-action/internal/spec"
)

// Schema is the version of the event log's format. Fields are added within a
// version, never renamed or removed.
const Schema = 1

// Kind says which part of an Event is filled in.
type Kind string

const (
	RunStarted    Kind = "run.started"    // Run
	StageStarted  Kind = "stage.started"  // Stage
	StageOutput   Kind = "stage.output"   // Output
	StageRetry    Kind = "stage.retry"    // Attempt: one that failed and is tried again
	StageFinished Kind = "stage.finished" // Stage, Result
	StepStarted   Kind = "step.started"   // Step
	StepProgress  Kind = "step.progress"  // Step, Progress: how far a step has come
	StepFinished  Kind = "step.finished"  // Step
	CanaryShared  Kind = "canary.shared"  // Step, Share: of the requests, for the new release from now on
	CanaryLooked  Kind = "canary.looked"  // Step, Look: what both releases did, and what follows
	ArtifactDone  Kind = "artifact.done"  // Artifact: kept, or missing
	SwitchDone    Kind = "switch.done"    // Switch: the account of a deploy or rollback
	ServerSampled Kind = "server.sampled" // Server: how busy one is that the run has used
	Notice        Kind = "notice"         // Note
	RunFinished   Kind = "run.finished"   // Result
)

// Event is one thing that happened. Stage names the stage it belongs to; it is
// empty for the run itself and for commands without a pipeline.
type Event struct {
	Schema   int       `json:"schema"`
	Time     time.Time `json:"time"`
	Kind     Kind      `json:"kind"`
	Stage    string    `json:"stage,omitempty"`
	Run      *Run      `json:"run,omitempty"`
	Output   *Output   `json:"output,omitempty"`
	Attempt  *Attempt  `json:"attempt,omitempty"`
	Step     *Step     `json:"step,omitempty"`
	Progress *Progress `json:"progress,omitempty"`
	Share    *Share    `json:"share,omitempty"`
	Look     *Look     `json:"look,omitempty"`
	Switch   *Switch   `json:"switch,omitempty"`
	Artifact *Artifact `json:"artifact,omitempty"`
	Server   *Server   `json:"server,omitempty"`
	Note     *Note     `json:"note,omitempty"`
	Result   *Result   `json:"result,omitempty"`
}

// Sink takes events as they happen. It is called from several goroutines at
// once and must not block for long.
type Sink func(Event)

// Run describes a run before it starts.
type Run struct {
	ID       string `json:"id"`      // sortable by time, unique
	Command  string `json:"command"` // run, task, deploy, rollback, recover
	Spec     string `json:"spec"`    // path, as the user named it
	Pipeline string `json:"pipeline,omitempty"`
	Commit   string `json:"commit,omitempty"`
	Ref      string `json:"ref,omitempty"`
	Actor    string `json:"actor,omitempty"`
	URL      string `json:"url,omitempty"` // of the workflow run
	Version  string `json:"version"`       // of turnout

	MaxParallel int     `json:"max_parallel,omitempty"` // stages at once
	Stages      []Stage `json:"stages,omitempty"`       // then the rollback strategies
}

// Title is what runs: "pipeline release", "task warm", else the command.
func (r Run) Title() string {
	switch {
	case r.Pipeline != "":
		return "pipeline " + r.Pipeline
	case r.Command == "task" && len(r.Stages) == 1:
		return "task " + r.Stages[0].Name
	}
	return r.Command
}

// Stage describes a stage of a run. A rollback strategy is told as a stage too,
// under the name "rollback.<name>"; it only starts where its condition holds.
type Stage struct {
	Name     string   `json:"name"`
	Leg      string   `json:"leg_of,omitempty"` // the stage of the spec that this is a leg of
	Type     string   `json:"type,omitempty"`
	Body     string   `json:"body"` // "run", "deploy" or "task"
	Needs    []string `json:"needs,omitempty"`
	Servers  []string `json:"servers,omitempty"` // of a task: all it is for, in the order of its waves
	Rollback bool     `json:"rollback,omitempty"`
	Pos      spec.Pos `json:"pos"`
}

// Strategy is the name that the spec has for a rollback strategy.
func (s Stage) Strategy() string { return strings.TrimPrefix(s.Name, "rollback.") }

// Output is what a stage's command wrote: whole lines, at least one and up to
// 64 KiB, parted by newlines, without the last newline, as valid UTF-8, with
// secrets masked already.
type Output struct {
	Text   string `json:"text"`
	Server string `json:"server,omitempty"` // of a task: who wrote it
}

// Attempt is a try of a stage that failed and will be repeated.
type Attempt struct {
	Server string        `json:"server,omitempty"` // of a task
	Number int           `json:"number"`           // from 1
	Of     int           `json:"of"`
	Error  string        `json:"error"`
	Took   time.Duration `json:"took_ns"`
	Wait   time.Duration `json:"wait_ns"` // before the next one
}

// Outcome is how a stage or a run ended.
type Outcome string

const (
	Succeeded Outcome = "succeeded"
	Failed    Outcome = "failed"
	Skipped   Outcome = "skipped"   // when was false, here or for a stage it needs; of a deploy: superseded by a later run
	Blocked   Outcome = "blocked"   // a stage it needs did not succeed
	Cancelled Outcome = "cancelled" // by a signal, or by fail_fast
	Stranded  Outcome = "stranded"  // failed, and something could not be put back
)

// Result is the end of a stage or of the run.
type Result struct {
	Outcome  Outcome       `json:"outcome"`
	Reason   string        `json:"reason,omitempty"`  // why, unless it succeeded
	Hint     string        `json:"hint,omitempty"`    // what to type or look at next
	Ignored  bool          `json:"ignored,omitempty"` // a failure the spec says to continue past
	Attempts int           `json:"attempts,omitempty"`
	Took     time.Duration `json:"took_ns"`
	ExitCode int           `json:"exit_code"`      // of the command (stage) or of turnout (run)
	Tail     []string      `json:"tail,omitempty"` // last lines (at most 200) of a failed stage
	Log      string        `json:"log,omitempty"`  // path of a stage's whole output; empty when there was none
	Pos      spec.Pos      `json:"pos"`
}

// Step is one step of a switch, such as "health" or "commit", one server of a
// task, or the packing of an artifact.
type Step struct {
	Environment string        `json:"environment,omitempty"` // of a switch
	Name        string        `json:"name"`
	Server      string        `json:"server,omitempty"`
	Text        string        `json:"text,omitempty"`  // what was done or found
	Error       string        `json:"error,omitempty"` // set when it failed
	Log         string        `json:"log,omitempty"`   // path of what a server of a task put out
	Took        time.Duration `json:"took_ns,omitempty"`
}

// Progress is how far a step has come. It is told at most a few times a second,
// and by no step that is done at once.
type Progress struct {
	Done  int64  `json:"done"`
	Total int64  `json:"total,omitempty"` // 0: not known
	Unit  string `json:"unit"`            // "bytes", or a plural such as "servers"
}

// Artifact is what became of an artifact of the pipeline.
type Artifact struct {
	Name    string        `json:"name"`
	Run     string        `json:"run"`               // under which it is kept
	Missing bool          `json:"missing,omitempty"` // nothing matched its path, and nothing was kept
	Path    string        `json:"path,omitempty"`    // of the archive
	Files   int           `json:"files,omitempty"`
	Size    int64         `json:"size,omitempty"`    // bytes of the files
	Packed  int64         `json:"packed,omitempty"`  // bytes of the archive
	SHA256  string        `json:"sha256,omitempty"`  // of the archive, in hex
	Removed []string      `json:"removed,omitempty"` // runs whose artifact was let go
	Took    time.Duration `json:"took_ns"`
	Pos     spec.Pos      `json:"pos"`
}

// Server is how busy a server was at the end of a run that has used it.
type Server struct {
	Name   string          `json:"name"`
	Error  string          `json:"error,omitempty"` // why there is no sample
	Sample *metrics.Sample `json:"sample,omitempty"`
}

// Level of a Note.
type Level string

const (
	Info    Level = "info"
	Warning Level = "warning"
	Problem Level = "error"
)

// Note is something the reader should know.
type Note struct {
	Level Level    `json:"level"`
	Text  string   `json:"text"`
	Hint  string   `json:"hint,omitempty"`
	Pos   spec.Pos `json:"pos"`
}

// Switch is the account of one deploy or rollback of an environment.
type Switch struct {
	Environment string         `json:"environment"`
	Proxy       string         `json:"proxy"` // nginx, haproxy
	URL         string         `json:"url,omitempty"`
	From        SlotRelease    `json:"from"` // zero at the first deploy
	To          SlotRelease    `json:"to"`
	Serving     SlotRelease    `json:"serving"` // what serves now
	Outcome     Outcome        `json:"outcome"`
	Reason      string         `json:"reason,omitempty"`
	Rollback    bool           `json:"rollback,omitempty"` // a rollback was asked for
	PutBack     bool           `json:"put_back,omitempty"` // traffic was moved and put back
	Reloads     int            `json:"reloads"`
	Servers     []string       `json:"servers,omitempty"` // that run the application
	Proxies     []ProxyAccount `json:"proxies,omitempty"` // of each proxy
	Gap         time.Duration  `json:"gap_ns,omitempty"`  // from the first proxy that served the new slot to the last
	Traffic     *Traffic       `json:"traffic,omitempty"` // through all proxies
	Canary      *Canary        `json:"canary,omitempty"`  // nil: traffic was to move in one step
	Timeline    []TimelineItem `json:"timeline,omitempty"`
	Diff        string         `json:"diff,omitempty"` // unified, of the proxy's configuration
	ConfigPath  string         `json:"config_path,omitempty"`
	Logs        []string       `json:"logs,omitempty"`    // last lines of a new slot that failed
	LogsOf      string         `json:"logs_of,omitempty"` // the server that they are from
	Drained     *Drain         `json:"drained,omitempty"`
	Took        time.Duration  `json:"took_ns"`
	Pos         spec.Pos       `json:"pos"`
}

// Unseen says that the switch failed before anyone could tell what serves.
func (s Switch) Unseen() bool { return s.Serving.Slot == "" && s.To.Slot == "" }

// SlotRelease is a slot and the release in it.
type SlotRelease struct {
	Slot    string `json:"slot,omitempty"`
	Release string `json:"release,omitempty"`
}

// String is the slot, and the release where it is known: "green (20261124t…)".
func (s SlotRelease) String() string {
	if s.Release == "" {
		return s.Slot
	}
	return s.Slot + " (" + s.Release + ")"
}

// ProxyAccount is what became of one proxy in a switch.
type ProxyAccount struct {
	Server  string         `json:"server"`
	Kind    string         `json:"kind"`              // nginx, haproxy
	Serving string         `json:"serving,omitempty"` // slot, as far as is known; empty: none
	Doubt   string         `json:"doubt,omitempty"`   // why that is not certain: what the proxy was last told, and that it can't be asked
	Reloads int            `json:"reloads"`
	After   *time.Duration `json:"after_ns,omitempty"` // when it served the new slot, from the first proxy that did
	Traffic *Traffic       `json:"traffic,omitempty"`  // through this proxy
}

// Now says what the proxy serves, as far as is known: "serves green".
func (p ProxyAccount) Now() string {
	switch {
	case p.Doubt != "":
		return p.Doubt
	case p.Serving == "":
		return "serves nothing"
	}
	return "serves " + p.Serving
}

// TimelineItem is a step of a switch and when it began, counted from the
// switch's start.
type TimelineItem struct {
	At   time.Duration `json:"at_ns"`
	Name string        `json:"name"`
	Text string        `json:"text,omitempty"`
}

// Traffic is what the built-in prober saw through the real listener.
type Traffic struct {
	Requests   int           `json:"requests"`
	Failed     int           `json:"failed"`
	FirstError string        `json:"first_error,omitempty"`
	P99Before  time.Duration `json:"p99_before_ns"` // up to the commit; 0 without requests
	P99After   time.Duration `json:"p99_after_ns"`
	LongestGap time.Duration `json:"longest_gap_ns"` // between two good answers
}

// Drain is how the slot that served before let go of its connections.
type Drain struct {
	Slot   string        `json:"slot"`
	Before int           `json:"before"` // connections at the start
	After  int           `json:"after"`  // connections at the end
	Took   time.Duration `json:"took_ns"`
}
