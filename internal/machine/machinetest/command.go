package machinetest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/org/deploy-action/internal/machine"
)

func exitStatus(t *testing.T, m machine.Machine) {
	exit := do(t, m, machine.Run, machine.Command{Shell: "echo one; echo two >&2; exit 3"})
	if exit.Code != 3 || !slices.Equal(exit.Tail, []string{"one", "two"}) || exit.Took <= 0 {
		t.Errorf("exit = %+v", exit)
	}
	var failure *machine.CommandError
	if err := exit.Err(); !errors.As(err, &failure) || err.Error() != "exit status 3\n    one\n    two" {
		t.Errorf("Err = %v", err)
	}
	for _, c := range []machine.Command{{Shell: "true"}, {Script: "true"}, {Script: "true && true"}, {Script: ""}} {
		if err := do(t, m, machine.Run, c).Err(); err != nil {
			t.Errorf("status 0 of %v: %v", c, err)
		}
	}
	if exit := do(t, m, machine.Run, machine.Command{Script: "false\necho on"}); exit.Code != 1 || len(exit.Tail) != 0 {
		t.Errorf("a script whose first command fails: %+v", exit)
	}
}

func exitSignal(t *testing.T, m machine.Machine) {
	exit := do(t, m, machine.Run, machine.Command{Shell: "kill -KILL $$"})
	if exit.Code != 137 || exit.Signal != "killed" {
		t.Errorf("exit = %+v", exit)
	}
}

func cannotStart(t *testing.T, m machine.Machine) {
	missing := filepath.Join(t.TempDir(), "missing")
	for _, c := range []machine.Command{{Args: []string{missing}}, {Shell: "true", Dir: missing}} {
		_, err := machine.Run.On(context.Background(), m, c)
		if !errors.Is(err, os.ErrNotExist) || !strings.Contains(err.Error(), missing) {
			t.Errorf("%v: err = %v", c, err)
		}
	}
}

func arguments(t *testing.T, m machine.Machine) {
	exit := do(t, m, machine.Run, machine.Command{Args: []string{"printf", "%s\\n", "$HOME; echo `id`", ""}})
	if !slices.Equal(exit.Tail, []string{"$HOME; echo `id`"}) {
		t.Errorf("tail = %q", exit.Tail)
	}
}

func environment(t *testing.T, m machine.Machine) {
	dir := t.TempDir()
	c := machine.Command{Shell: `pwd; echo "$ADDED"; test -n "$PATH"`, Dir: dir, Env: map[string]string{"ADDED": "a b\tc"}}
	exit := do(t, m, machine.Run, c)
	if exit.Code != 0 || !slices.Equal(exit.Tail, []string{dir, "a b\tc"}) {
		t.Errorf("exit = %+v", exit)
	}
}

func stdin(t *testing.T, m machine.Machine) {
	text := strings.Repeat("0123456789abcde\n", 1<<14) // more than a pipe holds
	exit := do(t, m, machine.Run, machine.Command{Shell: "wc -c", Stdin: []byte(text)})
	if strings.TrimSpace(strings.Join(exit.Tail, "")) != strconv.Itoa(len(text)) {
		t.Errorf("tail = %q", exit.Tail)
	}
	unread := do(t, m, machine.Run, machine.Command{Shell: "true", Stdin: []byte(text)})
	if unread.Code != 0 {
		t.Errorf("a command that does not read: %+v", unread)
	}
}

func streams(t *testing.T, m machine.Machine) {
	gate := filepath.Join(t.TempDir(), "gate")
	r, w := io.Pipe()
	ended := make(chan error, 1)
	go func() {
		c := machine.Command{Shell: "echo first; while ! test -e " + gate + "; do sleep 0.01; done; echo second >&2; echo third"}
		_, err := machine.Run.Stream(context.Background(), m, c, w)
		w.Close()
		ended <- err
	}()
	first := make([]byte, 6)
	if _, err := io.ReadFull(r, first); err != nil || string(first) != "first\n" {
		t.Fatalf("while the command runs: %q, %v", first, err)
	}
	if err := os.WriteFile(gate, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	rest, _ := io.ReadAll(r)
	if err := <-ended; err != nil || string(rest) != "second\nthird\n" {
		t.Errorf("rest = %q, err = %v", rest, err)
	}
}

// A listener that is slower than the command loses nothing when that ends.
func slowListener(t *testing.T, m machine.Machine) {
	var all slow
	exit, err := machine.Run.Stream(context.Background(), m, machine.Command{Shell: "seq 1 100000; seq 1 100000"}, &all)
	if err != nil || exit.Code != 0 || all != 2*588895 {
		t.Errorf("%d bytes came, %+v, %v", all, exit, err)
	}
}

// slow counts bytes, at leisure.
type slow int

func (s *slow) Write(p []byte) (int, error) {
	time.Sleep(20 * time.Millisecond) // being slow is what it is for
	*s += slow(len(p))
	return len(p), nil
}

func boundedTail(t *testing.T, m machine.Machine) {
	var all bytes.Buffer
	exit, err := machine.Run.Stream(context.Background(), m, machine.Command{Shell: "seq 1 100000"}, &all)
	if err != nil {
		t.Fatal(err)
	}
	if len(exit.Tail) != 50 || exit.Tail[49] != "100000" || exit.Tail[0] != "99951" {
		t.Errorf("tail of %d lines: %q", len(exit.Tail), exit.Tail)
	}
	if all.Len() != 588895 { // 9·2 + 90·3 + 900·4 + 9000·5 + 90000·6 + 7
		t.Errorf("streamed %d bytes", all.Len())
	}
}

// family starts a shell with a child that writes its process id.
func family(dir, trap string) string {
	return fmt.Sprintf("%s(%s echo $$ >%s/parent; exec sleep 300) & echo $! >%s/child; wait", trap, trap, dir, dir)
}

func timeoutEndsGroup(t *testing.T, m machine.Machine) {
	dir := t.TempDir()
	exit := do(t, m, machine.Run, machine.Command{Shell: family(dir, ""), Timeout: 300 * time.Millisecond})
	if !exit.TimedOut || exit.Took > 4*time.Second {
		t.Errorf("exit = %+v", exit)
	}
	if err := exit.Err(); err == nil || !strings.Contains(err.Error(), "timed out after") {
		t.Errorf("Err = %v", err)
	}
	gone(t, filepath.Join(dir, "child"))
}

func cancelEndsGroup(t *testing.T, m machine.Machine) {
	dir := t.TempDir()
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() {
		_, err := machine.Run.On(ctx, m, machine.Command{Shell: family(dir, "")})
		ended <- err
	}()
	child := filepath.Join(dir, "child")
	soon(t, "the command has not started", func() bool { return pid(child) > 0 })
	cancel()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Errorf("err = %v", err)
	}
	gone(t, child)
}

func stubbornGroup(t *testing.T, m machine.Machine) {
	dir := t.TempDir()
	c := machine.Command{Shell: family(dir, "trap '' TERM; "), Timeout: 300 * time.Millisecond, Grace: 300 * time.Millisecond}
	exit := do(t, m, machine.Run, c)
	if !exit.TimedOut || exit.Signal != "killed" {
		t.Errorf("exit = %+v", exit)
	}
	gone(t, filepath.Join(dir, "child"))
}

func escapedChild(t *testing.T, m machine.Machine) {
	file := filepath.Join(t.TempDir(), "child")
	began := time.Now()
	exit := do(t, m, machine.Run, machine.Command{Shell: "setsid sh -c 'echo $$ >" + file + "; exec sleep 300' & while ! test -s " + file + "; do :; done; echo done"})
	t.Cleanup(func() { _ = syscall.Kill(pid(file), syscall.SIGKILL) })
	if took := time.Since(began); took > 4*time.Second {
		t.Errorf("held up for %s", took)
	}
	if !slices.Equal(exit.Tail, []string{"done"}) || exit.Code != 0 {
		t.Errorf("exit = %+v", exit)
	}
}

func leftoversEnd(t *testing.T, m machine.Machine) {
	file := filepath.Join(t.TempDir(), "child")
	exit := do(t, m, machine.Run, machine.Command{Shell: "sleep 300 & echo $! >" + file})
	if exit.Code != 0 || exit.TimedOut {
		t.Errorf("exit = %+v", exit)
	}
	gone(t, file)
}

func leftoversStay(t *testing.T, m machine.Machine) {
	dir := t.TempDir()
	file, log := filepath.Join(dir, "child"), filepath.Join(dir, "log")
	c := machine.Command{Shell: "(while :; do echo tick; sleep 0.05; done) & echo $! >" + file, Leave: true, LogFile: log}
	do(t, m, machine.Run, c)
	t.Cleanup(func() { _ = syscall.Kill(pid(file), syscall.SIGKILL) })
	size := func() int64 {
		info, err := os.Stat(log)
		if err != nil {
			return 0
		}
		return info.Size()
	}
	before := size()
	soon(t, "what was left does not write", func() bool { return size() > before+10 })
}

func logFile(t *testing.T, m machine.Machine) {
	log := filepath.Join(t.TempDir(), "log")
	if err := os.WriteFile(log, []byte("of an earlier start\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	exit, err := machine.Run.Stream(context.Background(), m, machine.Command{Shell: "echo started", LogFile: log}, &out)
	if err != nil || out.Len() > 0 || !slices.Equal(exit.Tail, []string{"started"}) {
		t.Errorf("exit = %+v, streamed %q, err = %v", exit, out.String(), err)
	}
	data, _ := os.ReadFile(log)
	info, err := os.Stat(log)
	if err != nil || string(data) != "started\n" || info.Mode().Perm() != 0o600 {
		t.Errorf("log = %q, mode %v, err = %v", data, info.Mode(), err)
	}
}

func sideBySide(t *testing.T, m machine.Machine) {
	dir := t.TempDir()
	var all sync.WaitGroup
	for i := range 4 { // each waits for the others
		all.Go(func() {
			c := machine.Command{Shell: fmt.Sprintf("touch %d; while test $(ls | wc -l) -lt 4; do sleep 0.01; done; echo %d", i, i), Dir: dir, Timeout: 20 * time.Second}
			exit, err := machine.Run.On(context.Background(), m, c)
			if err != nil || exit.Code != 0 || !slices.Equal(exit.Tail, []string{strconv.Itoa(i)}) {
				t.Errorf("command %d: %+v, %v", i, exit, err)
			}
		})
	}
	all.Wait()
}

// pid is the process id in file, 0 while there is none.
func pid(file string) int {
	data, _ := os.ReadFile(file)
	id, _ := strconv.Atoi(strings.TrimSpace(string(data)))
	return id
}

// gone fails the test if the process whose id is in file is alive.
func gone(t *testing.T, file string) {
	t.Helper()
	id := pid(file)
	if id == 0 {
		t.Fatal("the child has not written its id")
	}
	soon(t, fmt.Sprintf("process %d still lives", id), func() bool { return !alive(id) })
}

// alive reports whether a process exists and is no zombie.
func alive(id int) bool {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", id))
	if err != nil {
		return false
	}
	_, state, _ := strings.Cut(string(stat), ") ")
	return !strings.HasPrefix(state, "Z")
}
