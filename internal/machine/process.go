package machine

import (
	"context"
	"errors"
	"sync"
	"syscall"
	"time"
)

// pollTime is how often those are looked at that nothing tells about.
const pollTime = 10 * time.Millisecond

// process is a started command and the process group it leads.
//
// One goroutine sees a command through: it copies the output and reaps the
// command, and waits for both in one poll(2). That is a thread of its own per
// command, and still half of what goroutines around os/exec cost.
type process struct {
	group  int
	fd     int           // tells that the command has ended; -1 where the kernel has no such file
	done   chan struct{} // closed once the command itself is reaped
	status syscall.WaitStatus
}

// wait copies the output until the command is done and, unless they may stay,
// the processes it left behind. It reports whether the command ended by itself.
func (p *process) wait(ctx context.Context, c Command, out *output) bool {
	end := sync.OnceFunc(func() { p.end(c.Grace) })
	stop := context.AfterFunc(ctx, end)
	p.await(out)
	finished := stop()
	if finished && (c.Leave || p.empty()) {
		return true
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		end()
	}()
	out.copyUntil(ended)
	return finished
}

// await copies the output until the command is reaped.
func (p *process) await(out *output) {
	defer close(p.done)
	defer func() { closeFD(p.fd) }()
	for !out.over() || p.fd >= 0 {
		patience := time.Duration(-1)
		if p.fd < 0 {
			patience = pollTime
		}
		told := poll([2]int{p.fd, out.reader}, patience)
		if told[1] != 0 {
			out.copy(told[1])
		}
		if (told[0] != 0 || p.fd < 0) && p.reap(syscall.WNOHANG) {
			return
		}
		if told[0] != 0 { // Linux 5.2 gives a pidfd that can't be polled
			closeFD(p.fd)
			p.fd = -1
		}
	}
	p.reap(0)
}

// reap takes the status of the command and reports whether it has ended.
func (p *process) reap(options int) bool {
	for {
		pid, err := syscall.Wait4(p.group, &p.status, options, nil)
		if err != syscall.EINTR {
			return pid == p.group || err != nil
		}
	}
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
	tick := time.NewTicker(pollTime)
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
	if errors.Is(syscall.Kill(-p.group, 0), syscall.ESRCH) {
		return true
	}
	// Looking through /proc takes a while: a member that forks and dies within it
	// is seen dead, and its child not at all. A second look sees the child.
	return !living(p.group) && !living(p.group)
}

// exit is how the command ended; it must be done.
func (p *process) exit() Exit {
	if p.status.Signaled() {
		return Exit{Code: 128 + int(p.status.Signal()), Signal: p.status.Signal().String()}
	}
	return Exit{Code: p.status.ExitStatus()}
}
