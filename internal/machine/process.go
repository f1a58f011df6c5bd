package machine

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// process is a started command and the process group it leads.
type process struct {
	cmd   *exec.Cmd
	group int
	done  chan struct{} // closed once the command itself is reaped
}

// watch reaps a command that was started as the leader of its group.
func watch(cmd *exec.Cmd) *process {
	p := &process{cmd: cmd, group: cmd.Process.Pid, done: make(chan struct{})}
	go func() {
		defer close(p.done)
		_ = cmd.Wait() // exit reads the state
	}()
	return p
}

// wait returns once the command is done and, unless they may stay, the
// processes it left behind. It reports whether the command ended by itself.
func (p *process) wait(ctx context.Context, c Command) bool {
	finished := true
	select {
	case <-p.done:
	case <-ctx.Done():
		finished = false
	}
	if finished && c.Leave {
		return true
	}
	p.end(c.Grace)
	<-p.done
	return finished
}

// end ends the group: SIGTERM, the grace, SIGKILL.
func (p *process) end(grace time.Duration) {
	if grace <= 0 {
		grace = DefaultGrace
	}
	_ = syscall.Kill(-p.group, syscall.SIGTERM) // the only failure is that nobody is left
	if !p.gone(grace) {
		_ = syscall.Kill(-p.group, syscall.SIGKILL)
	}
}

// gone waits until nobody is left in the group and reports whether that came in
// time.
func (p *process) gone(within time.Duration) bool {
	if p.empty() {
		return true
	}
	deadline := time.After(within)
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-deadline:
			return p.empty()
		case <-tick.C:
			if p.empty() {
				return true
			}
		}
	}
}

// empty reports whether the group has no process left.
func (p *process) empty() bool {
	select {
	case <-p.done:
	default:
		return false
	}
	return errors.Is(syscall.Kill(-p.group, 0), syscall.ESRCH) || !living(p.group)
}

// living reports whether a process of the group is more than a zombie. In a
// container often nobody reaps orphans, and the kernel counts them as members
// for ever.
func living(group int) bool {
	stats, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil {
		panic("machine: a constant pattern: " + err.Error())
	}
	for _, name := range stats {
		text, err := os.ReadFile(name)
		if err != nil {
			continue // it has just ended
		}
		if state, of := stateAndGroup(string(text)); of == group && state != "Z" && state != "X" {
			return true
		}
	}
	return false
}

// stateAndGroup reads a line of /proc/<pid>/stat (proc(5)): "pid (name) state
// ppid pgrp …", where the name may hold anything.
func stateAndGroup(stat string) (state string, group int) {
	fields := strings.Fields(stat[strings.LastIndexByte(stat, ')')+1:])
	if len(fields) < 3 {
		return "", 0
	}
	group, _ = strconv.Atoi(fields[2])
	return fields[0], group
}

// exit is how the command ended; it must be done.
func (p *process) exit() Exit {
	status := p.cmd.ProcessState.Sys().(syscall.WaitStatus)
	if status.Signaled() {
		return Exit{Code: 128 + int(status.Signal()), Signal: status.Signal().String()}
	}
	return Exit{Code: status.ExitStatus()}
}
