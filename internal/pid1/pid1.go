// Package pid1 does what is process 1's to do where turnout is the first
// process of a container: GitHub runs container actions without an init.
//
// The kernel makes process 1 the parent of every orphan, and an orphan that
// nobody waits for stays a zombie for as long as the container lives. The
// program can't wait for them itself: a wait for any child would take away those
// that os/exec waits for. So process 1 starts the program again and is nothing
// but its parent.
package pid1

import (
	"fmt"
	"os"
	"os/signal"
	"syscall"
)

// Is reports whether this is process 1.
func Is() bool { return os.Getpid() == 1 }

// Run starts this program again with the same arguments, environment and files,
// passes on every signal, reaps every child, and returns the exit code when the
// program has ended: its own, or 128 + signal, as a shell has it. What is left
// then ends with process 1.
func Run(args, environ []string) int {
	signals := make(chan os.Signal, 64)
	signal.Notify(signals) // from before the start: a container may be stopped at once
	program, err := syscall.ForkExec("/proc/self/exe", args, &syscall.ProcAttr{Env: environ, Files: []uintptr{0, 1, 2}})
	if err != nil {
		fmt.Fprintf(os.Stderr, "turnout: error: process 1: start: /proc/self/exe: %v\n", err)
		return 1
	}
	go forward(signals, program)
	return reap(program)
}

// forward passes signals on, but for those that are about this process.
func forward(signals <-chan os.Signal, program int) {
	for s := range signals {
		switch s {
		case syscall.SIGCHLD, syscall.SIGURG, syscall.SIGPIPE: // SIGURG is how Go's runtime preempts goroutines
		default:
			_ = syscall.Kill(program, s.(syscall.Signal)) // the only failure is that it has just ended
		}
	}
}

// reap waits for whoever ends, until the program does.
func reap(program int) int {
	for {
		var status syscall.WaitStatus
		pid, err := syscall.Wait4(-1, &status, 0, nil)
		switch {
		case err == syscall.EINTR:
		case err != nil:
			fmt.Fprintf(os.Stderr, "turnout: error: process 1: wait: %v\n", err)
			return 1
		case pid == program && status.Signaled():
			return 128 + int(status.Signal())
		case pid == program:
			return status.ExitStatus()
		}
	}
}
