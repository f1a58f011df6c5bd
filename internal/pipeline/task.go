package pipeline

import (
	"context"
	"fmt"
	"maps"
	"strings"
	"sync"
	"time"

	"github.com/org/deploy-action/internal/event"
	"github.com/org/deploy-action/internal/fleet"
	"github.com/org/deploy-action/internal/machine"
	"github.com/org/deploy-action/internal/plan"
	"github.com/org/deploy-action/internal/spec"
)

const (
	// serversAtOnce bounds a wave: each server costs a connection and the CPU
	// of its handshake.
	serversAtOnce = 64
	// shownServers is how many servers a reason names.
	shownServers = 5
)

// task is a task being run, in one attempt of its stage.
type task struct {
	in    *run
	stage *plan.Stage

	mu     sync.Mutex
	failed []string // "web01: exit status 7", in the order of their ends
	tail   []string // last lines of the servers that failed
	log    string   // of the first that failed
}

// task is one attempt of a task stage.
func (r *run) task(ctx context.Context, s *plan.Stage) event.Result {
	limited, cancel := limit(ctx, s.Timeout)
	defer cancel()
	policy := fleet.Policy{AtOnce: serversAtOnce, Pause: s.Task.Pause, Failures: s.Task.MaxFailures}
	if s.Task.OnFailure != spec.Stop {
		policy.Failures = -1
	}
	t := &task{in: r, stage: s}
	tally := fleet.Visit(limited, s.Task.Waves, policy, t.visit)
	if ctx.Err() != nil {
		return cancelled(ctx)
	}
	if limited.Err() != nil {
		t.failed = append(t.failed, context.Cause(limited).Error())
	}
	return t.result(tally)
}

// visit runs the task on one server and reports whether it succeeded.
func (t *task) visit(ctx context.Context, server *spec.Server) bool {
	began := time.Now()
	step := event.Step{Name: t.stage.Task.Name, Server: string(server.Name)}
	begun := step
	t.in.emit(t.stage, event.Event{Kind: event.StepStarted, Step: &begun})
	l := newLog(t.in, t.stage)
	l.server = string(server.Name)
	defer l.close()
	what := trial{stage: t.stage, server: l.server, retry: t.stage.Task.Retry}
	result := t.in.repeat(ctx, what, func(ctx context.Context, attempt int) event.Result {
		return t.attempt(ctx, server, l, attempt)
	})
	step.Took, step.Log = time.Since(began), l.name()
	if result.Outcome == event.Succeeded {
		step.Text = "done"
	} else {
		step.Error = result.Reason
		t.note(l, result)
	}
	t.in.emit(t.stage, event.Event{Kind: event.StepFinished, Step: &step})
	return result.Outcome == event.Succeeded
}

// attempt is one attempt on one server.
func (t *task) attempt(ctx context.Context, server *spec.Server, l *log, number int) event.Result {
	m, err := t.in.Machines(ctx, server)
	if err != nil {
		return l.onServer(l.result(ctx, machine.Exit{}, err))
	}
	of := t.stage.Task
	request := machine.Command{
		Script: of.Run, Timeout: of.Timeout, Grace: t.in.grace(t.stage),
		Env: maps.Clone(of.Env),
	}
	if request.Env == nil {
		request.Env = make(map[string]string, 3)
	}
	request.Env["TURNOUT_TASK"], request.Env["TURNOUT_SERVER"], request.Env["TURNOUT_RUN_ID"] = of.Name, l.server, t.in.RunID
	exit, err := t.in.stream(ctx, m, request, l, attempt{number, of.Retry.Attempts + 1})
	return l.onServer(l.result(ctx, exit, err))
}

// onServer leaves out the name of a server that can't be reached, or no longer: it
// stands before the result wherever that is told.
func (l *log) onServer(result event.Result) event.Result {
	result.Reason = strings.TrimPrefix(result.Reason, l.server+": ")
	return result
}

// note remembers a server that failed.
func (t *task) note(l *log, result event.Result) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.failed = append(t.failed, l.server+": "+result.Reason)
	if t.log == "" {
		t.log = l.name()
	}
	for _, line := range result.Tail {
		t.tail = append(t.tail, l.server+" │ "+line)
	}
}

// result is what the attempt came to.
func (t *task) result(tally fleet.Tally) event.Result {
	if tally.Failed+tally.Left == 0 {
		return event.Result{Outcome: event.Succeeded}
	}
	reason := t.reason(tally)
	if t.stage.Task.OnFailure == spec.Ignore && tally.Left == 0 {
		t.in.emit(t.stage, event.Event{Kind: event.Notice, Note: &event.Note{
			Level: event.Warning, Text: fmt.Sprintf("task %s: %s", t.stage.Task.Name, reason), Pos: t.stage.Pos,
			Hint: `the run goes on, as on_failure = "ignore" says`,
		}})
		return event.Result{Outcome: event.Succeeded}
	}
	return event.Result{Outcome: event.Failed, Reason: reason, Tail: t.tail[max(0, len(t.tail)-tailLines):], Log: t.log}
}

// reason names the servers that failed, and counts those that were not visited.
func (t *task) reason(tally fleet.Tally) string {
	text := fmt.Sprintf("%d of %d servers failed", tally.Failed, tally.Succeeded+tally.Failed+tally.Left)
	if tally.Left > 0 {
		text += fmt.Sprintf(", %d not started", tally.Left)
	}
	text += ": " + strings.Join(t.failed[:min(len(t.failed), shownServers)], "; ")
	if more := len(t.failed) - shownServers; more > 0 {
		text += fmt.Sprintf("; and %d more", more)
	}
	return text
}
