package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// graces are how long processes get after each signal. The shop finishes what it
// has begun, at most 5 s of it.
var graces = []struct {
	signal syscall.Signal
	time   time.Duration
}{
	{syscall.SIGTERM, 8 * time.Second},
	{syscall.SIGKILL, 2 * time.Second},
}

// close ends every process of the demo, makes sure of it, and removes the folder.
func (s *stage) close() error {
	for _, grace := range graces {
		for deadline := time.Now().Add(grace.time); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
			running := s.processes()
			if len(running) == 0 {
				return os.RemoveAll(s.dir)
			}
			for _, pid := range running {
				_ = syscall.Kill(pid, grace.signal) // it may have ended meanwhile
			}
		}
	}
	return &leftoverError{processes: s.processes(), dir: s.dir}
}

// leftoverError is processes that could not be ended.
type leftoverError struct {
	processes []int
	dir       string
}

func (e *leftoverError) Error() string {
	return fmt.Sprintf("still running: processes %v; their files are in %s", e.processes, e.dir)
}

// processes are those that carry our mark or work in our folder: turnout and its
// stages, the proxy and its workers (nginx overwrites its environment), the shop.
func (s *stage) processes() []int {
	entries, err := filepath.Glob("/proc/[0-9]*")
	if err != nil {
		panic("demo: the pattern is one: " + err.Error())
	}
	var all []int
	for _, entry := range entries {
		pid, err := strconv.Atoi(filepath.Base(entry))
		if err == nil && pid != os.Getpid() && s.owns(entry) {
			all = append(all, pid)
		}
	}
	return all
}

func (s *stage) owns(entry string) bool {
	if status, err := os.ReadFile(entry + "/stat"); err != nil || bytes.Contains(status, []byte(") Z ")) {
		return false
	}
	dir, err := os.Readlink(entry + "/cwd")
	if err == nil && strings.HasPrefix(dir, s.dir) {
		return true
	}
	environ, err := os.ReadFile(entry + "/environ")
	if err != nil {
		return false // ended meanwhile, or somebody else's and so not ours
	}
	return bytes.Contains(environ, []byte(mark+"="+s.dir+"\x00"))
}
