package main

import (
	"bytes"
	"context"
	"os/exec"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// goFloor runs a command n times, so many at once, with what a stage is promised and
// os/exec has: a session of its own, its output taken, a timeout.
func goFloor(args []string) int {
	n, err := strconv.ParseInt(args[0], 10, 64)
	if err != nil {
		return 2
	}
	atOnce, err := strconv.Atoi(args[1])
	if err != nil {
		return 2
	}
	var begun, failed atomic.Int64
	var all sync.WaitGroup
	for range atOnce {
		all.Go(func() {
			for begun.Add(1) <= n {
				if goRun(args[2:]) != nil {
					failed.Add(1)
				}
			}
		})
	}
	all.Wait()
	return int(min(failed.Load(), 1))
}

func goRun(args []string) error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	var out bytes.Buffer
	cmd := exec.CommandContext(ctx, args[0], args[1:]...)
	cmd.Stdout, cmd.Stderr = &out, &out
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	return cmd.Run()
}
