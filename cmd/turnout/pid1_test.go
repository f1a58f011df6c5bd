package main

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/org/deploy-action/internal/proxy/proxytest"
)

// orphans leaves processes behind that have let go of their stage, and looks
// for zombies after they have ended.
const orphans = `
pipeline "p" {
  stage "leave" {
    run = "for i in 1 2 3; do (setsid sh -c 'exec >/dev/null 2>&1; : >ended' &) done; echo I am $$ of $PPID"
  }

  stage "look" {
    needs = [stage.leave]
    run   = <<-EOT
      until [ -e ended ]; do sleep 0.01; done
      for try in $(seq 500); do
        grep -lE '^[0-9]+ \(.*\) Z' /proc/[0-9]*/stat >/dev/null 2>&1 || exit 0
        sleep 0.01
      done
      echo zombies are left
      exit 1
    EOT
  }
}
`

const endless = `
pipeline "p" {
  stage "wait" {
    run = "echo waiting; sleep 600"
  }
}
`

// asProcess1 prepares a command that is process 1 of its own namespace.
func asProcess1(t *testing.T, spec string) *exec.Cmd {
	t.Helper()
	proxytest.Need(t, "unshare")
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "deploy.hcl"), []byte(spec), 0o644); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("unshare", "--map-root-user", "--pid", "--fork", "--kill-child", "--mount-proc", "turnout", "run")
	cmd.Dir = dir
	return cmd
}

func TestProcess1LeavesNoZombies(t *testing.T) {
	t.Parallel()
	output, err := asProcess1(t, orphans).CombinedOutput()
	if err != nil || !strings.Contains(string(output), "2 succeeded") || strings.Contains(string(output), " of 1\n") {
		t.Errorf("%v\n%s", err, output)
	}
}

func TestProcess1PassesSignalsOn(t *testing.T) {
	t.Parallel()
	cmd := asProcess1(t, endless)
	output, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	var said strings.Builder
	var sent time.Time
	lines := bufio.NewScanner(output)
	for lines.Scan() {
		said.WriteString(lines.Text() + "\n")
		if sent.IsZero() && strings.Contains(lines.Text(), "│ waiting") {
			sent = time.Now()
			if err := syscall.Kill(childOf(t, cmd.Process.Pid), syscall.SIGINT); err != nil {
				t.Error(err)
			}
		}
	}
	if code, took := exitCode(cmd.Wait()), time.Since(sent); code != 130 || took > time.Minute {
		t.Errorf("exit code %d after %s\n%s", code, took, said.String())
	}
}

// childOf is the only child of a process (proc(5), /proc/pid/task/tid/children).
func childOf(t *testing.T, pid int) int {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%[1]d/children", pid))
	if err != nil {
		t.Fatal(err)
	}
	child, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil {
		t.Fatal(err)
	}
	return child
}
