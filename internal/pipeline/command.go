package pipeline

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"github.com/org/deploy-action/internal/event"
	"github.com/org/deploy-action/internal/machine"
	"github.com/org/deploy-action/internal/plan"
)

// command is the body of a run stage.
type command struct {
	in      *run
	stage   *plan.Stage
	request machine.Command
	log     *log
	outputs map[string]string // of the last attempt
}

// newCommand fills in what s runs with what stages before it have put out.
func (r *run) newCommand(s *plan.Stage) (*command, error) {
	facts := r.known(s)
	script, err := s.Run.Value(facts)
	if err != nil {
		return nil, err
	}
	c := &command{in: r, stage: s, log: newLog(r, s)}
	c.request = machine.Command{
		Script:  script,
		Dir:     filepath.Join(r.Workspace, s.Dir),
		Timeout: s.Timeout, Grace: r.grace(s),
		Env: make(map[string]string, len(s.Env)+6),
	}
	for name, text := range s.Env {
		if c.request.Env[name], err = text.Value(facts); err != nil {
			return nil, err
		}
	}
	c.request.Env["TURNOUT_STAGE"] = s.Name
	c.request.Env["TURNOUT_RUN_ID"] = r.RunID
	c.request.Env["TURNOUT_OUTPUT"] = c.outputFile()
	if s.Rollback {
		r.tellWhy(c.request.Env)
	}
	return c, nil
}

// outputFile is where the stage's command leaves its outputs.
func (c *command) outputFile() string {
	return filepath.Join(c.in.LogDir, fileName(c.stage.Name)+".output")
}

// run is one attempt.
func (c *command) run(ctx context.Context, number int) event.Result {
	exit, err := c.in.stream(ctx, c.in.Machine, c.request, c.log, attempt{number, c.stage.Retry.Attempts + 1})
	var wrong error
	if c.outputs, wrong = takeOutputs(c.outputFile()); err == nil {
		err = wrong
	}
	return c.log.result(ctx, exit, err)
}

// attempt is the how-manieth it is, of how many.
type attempt struct{ number, of int }

// stream runs a command and has what it puts out masked and logged. A command
// that did not succeed is an error.
func (r *run) stream(ctx context.Context, m machine.Machine, request machine.Command, l *log, a attempt) (machine.Exit, error) {
	l.attempt(a)
	out := r.Masker.Writer(l)
	exit, err := machine.Run.Stream(ctx, m, request, out)
	_ = out.Close() // the log tells itself what it could not write
	l.flush()
	exit.Tail = nil // the log has more
	if exit.TimedOut {
		exit.Took = request.Timeout // not with what it took to end the group
	}
	if err == nil {
		err = exit.Err()
	}
	return exit, err
}

// result is what an attempt came to.
func (l *log) result(ctx context.Context, exit machine.Exit, err error) event.Result {
	switch {
	case err == nil:
		return event.Result{Outcome: event.Succeeded}
	case ctx.Err() != nil && errors.Is(err, context.Cause(ctx)):
		return cancelled(ctx)
	}
	return event.Result{Outcome: event.Failed, Reason: err.Error(), ExitCode: exit.Code, Tail: l.tail.lines()}
}

func limit(ctx context.Context, timeout time.Duration) (context.Context, context.CancelFunc) {
	if timeout <= 0 {
		return context.WithCancel(ctx)
	}
	return context.WithTimeoutCause(ctx, timeout, fmt.Errorf("timed out after %s", timeout))
}
