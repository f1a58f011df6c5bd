package machine

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"syscall"
)

// Child is the machine that runs turnout, through an agent that is a process of
// its own there.
type Child struct {
	*Remote
	process *exec.Cmd
}

// StartChild starts cmd, which is to be an agent, in a session of its own: what
// ends or stops this process, such as Ctrl-C at a terminal, does not reach it.
func StartChild(ctx context.Context, name string, cmd *exec.Cmd) (*Child, error) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	in, errIn := cmd.StdinPipe()
	out, errOut := cmd.StdoutPipe()
	if err := errors.Join(errIn, errOut, cmd.Start()); err != nil {
		return nil, fmt.Errorf("%s: agent: %w", name, err)
	}
	remote, err := Dial(ctx, name, out, in)
	if err != nil {
		_ = cmd.Process.Kill()
		return nil, errors.Join(err, cmd.Wait())
	}
	return &Child{Remote: remote, process: cmd}, nil
}

// Close ends the agent's session and waits for the process.
func (c *Child) Close() error {
	err := c.Remote.Close()
	return errors.Join(err, c.process.Wait())
}

// IsHere reports whether m is the machine that runs turnout.
func IsHere(m Machine) bool {
	switch m.(type) {
	case *Local, *Child:
		return true
	}
	return false
}
