package pipeline_test

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/org/deploy-action/internal/event"
	"github.com/org/deploy-action/internal/pipeline"
	"github.com/org/deploy-action/internal/secret"
)

// marked lists the processes that have a variable in their environment, zombies left
// out.
func marked(t *testing.T, variable string) []string {
	t.Helper()
	mark := []byte(variable + "\x00")
	files, err := filepath.Glob("/proc/[0-9]*/environ")
	if err != nil {
		t.Fatal(err)
	}
	var found []string
	for _, file := range files {
		environ, err := os.ReadFile(file) // of one that has gone: empty
		if err == nil && bytes.Contains(environ, mark) && file != fmt.Sprintf("/proc/%d/environ", os.Getpid()) {
			cmdline, _ := os.ReadFile(filepath.Join(filepath.Dir(file), "cmdline"))
			found = append(found, file+" "+string(bytes.ReplaceAll(cmdline, []byte{0}, []byte{' '})))
		}
	}
	return found
}

// checkGone sees that nothing of the bench's stages is left running.
func (b *bench) checkGone(t *testing.T) {
	t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(time.Minute); ; <-tick.C { // what is killed takes a while to die
		left := marked(t, "TURNOUT_RUN_ID="+b.RunID)
		if len(left) == 0 {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("left running:\n%s", strings.Join(left, "\n"))
		}
	}
}

// family is a script with a child and a grandchild, that says when all are up.
const family = `bash -c 'sleep 600 & echo up; sleep 600' & wait`

func TestTimeoutEndsTheWholeGroup(t *testing.T) {
	b := newBench(t)
	b.RunID = t.Name()
	s := stage(1, "slow", "trap 'sleep 0.4; exit 1' TERM; "+family)
	s.Timeout = 300 * time.Millisecond
	pipeline.Run(t.Context(), planOf(s), b.Options)
	if r := b.result(t, "slow"); r.Outcome != event.Failed || r.Reason != "timed out after 300ms" || r.Took > time.Minute {
		t.Errorf("%+v", r)
	}
	b.checkGone(t)
}

func TestTimeoutIsTriedAgain(t *testing.T) {
	b := newBench(t)
	s := stage(1, "slow", `[ -e been ] && exit 0; touch been; sleep 600`)
	s.Timeout, s.Retry.Attempts = 300*time.Millisecond, 1
	pipeline.Run(t.Context(), planOf(s), b.Options)
	if r := b.result(t, "slow"); r.Outcome != event.Succeeded || r.Attempts != 2 {
		t.Errorf("%+v", r)
	}
}

func TestCancelEndsEverything(t *testing.T) {
	for name, script := range map[string]string{
		"TERM is enough":  family,
		"TERM is ignored": `trap '' TERM; bash -c 'trap "" TERM; echo up; while :; do sleep 1; done'`,
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			b.RunID = strings.ReplaceAll(t.Name(), " ", "-")
			ctx, cancel := context.WithCancelCause(t.Context())
			p := planOf(stage(1, "a", script), stage(2, "b", script))
			p.Stages = append(p.Stages, stage(3, "later", "true", p.Stages[0]))
			ended := make(chan event.Result)
			go func() { ended <- pipeline.Run(ctx, p, b.Options) }()
			b.await(t, "a", "up")
			b.await(t, "b", "up")
			began := time.Now()
			cancel(errStop)
			got := <-ended
			if took := time.Since(began); took > time.Minute {
				t.Errorf("it took %s to end", took)
			}
			b.checkGone(t)
			if got.Outcome != event.Cancelled || got.Reason != "deploy.hcl:1: stage a: interrupt signal received" {
				t.Errorf("the run came to %+v", got)
			}
			if r := b.result(t, "later"); r.Outcome != event.Cancelled {
				t.Errorf("the stage that had not begun: %+v", r)
			}
		})
	}
}

func TestChildrenThatStayBehind(t *testing.T) {
	for name, script := range map[string]string{
		"in the group":           `sleep 600 & echo done`,
		"in a session of theirs": `setsid bash -c 'echo up > up; exec sleep 600' & until [ -s up ]; do sleep 0.01; done; echo done`,
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			b.RunID = strings.ReplaceAll(t.Name(), " ", "-")
			began := time.Now()
			got := pipeline.Run(t.Context(), planOf(stage(1, "a", script)), b.Options)
			if took := time.Since(began); got.Outcome != event.Succeeded || took > time.Minute || b.lines("a")[0] != "done" {
				t.Errorf("%+v after %s with %q", got, took, b.lines("a"))
			}
			if name == "in the group" {
				b.checkGone(t)
				return
			}
			killDaemon(t, b)
		})
	}
}

// killDaemon ends the process that a test's script has let go of on purpose.
func killDaemon(t *testing.T, b *bench) {
	t.Helper()
	for _, line := range marked(t, "TURNOUT_RUN_ID="+b.RunID) {
		var pid int
		if _, err := fmt.Sscanf(line, "/proc/%d/", &pid); err != nil {
			t.Fatal(err)
		}
		process, err := os.FindProcess(pid)
		if err != nil {
			t.Fatal(err)
		}
		if err := process.Kill(); err != nil {
			t.Error(err)
		}
	}
}

func TestOutput(t *testing.T) {
	b := newBench(t)
	b.Masker = secret.New([]string{"hunter2"})
	s := stage(1, "talk", `
		printf 'hun'; sleep 0.05; printf 'ter2\r\n'
		for i in $(seq 300); do echo "line $i"; done >&2
		for i in $(seq 30000); do printf 'é€'; done; echo
		printf 'bad \377 byte\nlast, without newline'
		exit 1`)
	got := pipeline.Run(t.Context(), planOf(s), b.Options)
	lines := b.lines("talk")
	if lines[0] != "***" || lines[300] != "line 300" || lines[len(lines)-2] != "bad \uFFFD byte" || lines[len(lines)-1] != "last, without newline" {
		t.Errorf("said %q … %q", lines[:3], lines[len(lines)-2:])
	}
	if long := lines[301 : len(lines)-2]; len(long) < 3 || strings.Join(long, "") != strings.Repeat("é€", 30000) {
		t.Errorf("a long line came in %d pieces that do not make it up", len(long))
	}
	for _, line := range lines {
		if len(line) > 64<<10 {
			t.Errorf("a line of %d bytes was told in one piece", len(line))
		}
	}
	r := b.result(t, "talk")
	if len(r.Tail) != 200 || r.Tail[199] != "last, without newline" || len(strings.Join(r.Tail, "")) > 20_000 {
		t.Errorf("the tail has %d lines, the last is %q", len(r.Tail), r.Tail[len(r.Tail)-1])
	}
	checkLog(t, r.Log)
	if !strings.Contains(got.Hint, r.Log) {
		t.Errorf("the run's hint %q does not name the log", got.Hint)
	}
}

func checkLog(t *testing.T, path string) {
	t.Helper()
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Fatalf("%s: %v, %v", path, info, err)
	}
	text, err := os.ReadFile(path)
	if err != nil || !strings.HasPrefix(string(text), "***\r\nline 1\n") || !strings.HasSuffix(string(text), "last, without newline") {
		t.Errorf("%v; the log begins %.40q", err, text)
	}
}

func TestAttempts(t *testing.T) {
	b := newBench(t)
	s := stage(1, "flaky", `echo "x=$(wc -l < tries)" >> "$TURNOUT_OUTPUT"; echo try >> tries; [ "$(wc -l < tries)" = 3 ]`)
	s.Retry.Attempts = 4
	if err := os.WriteFile(filepath.Join(b.dir, "tries"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if got := pipeline.Run(t.Context(), planOf(s), b.Options); got.Outcome != event.Succeeded {
		t.Fatalf("%+v", got)
	}
	var told []string
	for _, e := range b.events {
		if e.Kind == event.StageRetry {
			told = append(told, fmt.Sprintf("%d of %d: %s", e.Attempt.Number, e.Attempt.Of, e.Attempt.Error))
		}
	}
	if want := "1 of 5: exit status 1, 2 of 5: exit status 1"; strings.Join(told, ", ") != want || b.result(t, "flaky").Attempts != 3 {
		t.Errorf("told %q, ended %+v", told, b.result(t, "flaky"))
	}
}
