package plan

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/org/deploy-action/internal/spec"
)

// Task is a command to run on servers, wave after wave.
type Task struct {
	Name        string
	Strategy    spec.Strategy
	Waves       [][]*spec.Server
	Pause       time.Duration // between waves
	Run         string
	Env         map[string]string
	Timeout     time.Duration // of each attempt on each server
	Retry       spec.Retry
	OnFailure   spec.OnFailure
	MaxFailures int // servers that may fail before no other is started; with on_failure = "stop"

	Batch, Bearable spec.Quantity // what Waves and MaxFailures come from, as the spec has it
	Pos             spec.Pos
}

func newTask(from *spec.Task) *Task {
	servers := len(from.Target)
	batch := servers // parallel: one wave of all
	switch from.Strategy {
	case spec.Sequential:
		batch = 1
	case spec.Rolling:
		batch = max(1, part(from.Batch, servers, true))
	}
	return &Task{
		Name: string(from.Name), Strategy: from.Strategy, Waves: slices.Collect(slices.Chunk(from.Target, max(1, batch))), Pause: from.Pause,
		Run: from.Run, Env: from.Env, Timeout: from.Timeout, Retry: from.Retry, OnFailure: from.OnFailure,
		MaxFailures: part(from.MaxFailures, servers, false), Batch: from.Batch, Bearable: from.MaxFailures, Pos: from.Pos,
	}
}

// part is a quantity of a whole. Of a percentage a batch gets the next whole
// server, or 10 % of 5 would be none; failures are allowed in full only.
func part(q spec.Quantity, whole int, up bool) int {
	switch {
	case !q.Percent:
		return q.Number
	case up:
		return (whole*q.Number + 99) / 100
	}
	return whole * q.Number / 100
}

// Servers are all servers of the task, in the order they are visited.
func (t *Task) Servers() []*spec.Server { return slices.Concat(t.Waves...) }

// waves are the names of the servers of each wave.
func (t *Task) waves() [][]string {
	var all [][]string
	for _, wave := range t.Waves {
		var servers []string
		for _, server := range wave {
			servers = append(servers, string(server.Name))
		}
		all = append(all, servers)
	}
	return all
}

func (t *Task) write(b *strings.Builder) {
	fmt.Fprintf(b, "    task     %s on %s: %s\n", t.Name, count(len(t.Servers()), "server"), t.order())
	for i, wave := range t.waves() {
		fmt.Fprintf(b, "      %2d     %s\n", i+1, join(wave))
	}
	fmt.Fprintf(b, "    run      %s\n", indented(t.Run))
	fmt.Fprintf(b, "    failure  %s\n", t.failure())
}

func (t *Task) order() string {
	text := string(t.Strategy)
	if t.Strategy == spec.Rolling {
		text += fmt.Sprintf(", %d at a time%s", len(t.Waves[0]), t.arithmetic(t.Batch))
	}
	if len(t.Waves) > 1 && t.Pause > 0 {
		text += fmt.Sprintf(", %s, %s between them", count(len(t.Waves), "wave"), t.Pause)
	}
	return text
}

// arithmetic shows what a percentage is of.
func (t *Task) arithmetic(q spec.Quantity) string {
	if !q.Percent {
		return ""
	}
	return fmt.Sprintf(" (%d%% of %s)", q.Number, count(len(t.Servers()), "server"))
}

// failure says what a server that fails does to the others.
func (t *Task) failure() string {
	switch {
	case t.OnFailure == spec.Continue:
		return "the others go on, then the stage fails"
	case t.OnFailure == spec.Ignore:
		return "the others go on, and so does the run"
	case t.Bearable.Number > 0:
		return fmt.Sprintf("past %s%s no other server is started, and the stage fails", count(t.MaxFailures, "failure"), t.arithmetic(t.Bearable))
	}
	return "no other server is started, and the stage fails"
}
