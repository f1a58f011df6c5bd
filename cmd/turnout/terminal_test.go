package main

import (
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/charmbracelet/x/vt"
	"github.com/creack/pty"
)

// terminal is a person's: a command on a real pseudo-terminal, and what can be
// seen of it.
type terminal struct {
	t       *testing.T
	dir     string
	keys    *os.File
	cmd     *exec.Cmd
	changed chan struct{} // closed when the command has let go of it

	mu     sync.Mutex
	screen *vt.Emulator
	raw    strings.Builder
}

// openTerminal starts turnout on a terminal, in a directory with that spec.
func openTerminal(t *testing.T, spec string, environ []string, args ...string) *terminal {
	t.Helper()
	s := &terminal{t: t, dir: t.TempDir(), changed: make(chan struct{}, 1), screen: vt.NewEmulator(80, 24)}
	if err := os.WriteFile(filepath.Join(s.dir, "deploy.hcl"), []byte(spec), 0o644); err != nil {
		t.Fatal(err)
	}
	s.cmd = exec.Command("turnout", args...)
	s.cmd.Dir = s.dir
	s.cmd.Env = slices.DeleteFunc(os.Environ(), func(v string) bool {
		return strings.HasPrefix(v, "CI=") || strings.HasPrefix(v, "GITHUB_ACTIONS=") || strings.HasPrefix(v, "NO_COLOR=")
	})
	s.cmd.Env = append(append(s.cmd.Env, "TERM=xterm-256color"), environ...)
	keys, err := pty.StartWithSize(s.cmd, &pty.Winsize{Cols: 80, Rows: 24})
	if err != nil {
		t.Fatal(err)
	}
	s.keys = keys
	t.Cleanup(func() { keys.Close() })
	go s.show()
	return s
}

// show takes what the command prints until it lets go of the terminal.
func (s *terminal) show() {
	defer close(s.changed)
	buffer := make([]byte, 64<<10)
	for {
		n, err := s.keys.Read(buffer)
		s.mu.Lock()
		s.raw.Write(buffer[:n])
		s.screen.Write(buffer[:n])
		s.mu.Unlock()
		if err != nil {
			return // EIO: nobody has the other end
		}
		select {
		case s.changed <- struct{}{}:
		default:
		}
	}
}

// text is what can be seen, row by row.
func (s *terminal) text() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var rows []string
	for row := range strings.Lines(s.screen.String()) {
		rows = append(rows, strings.TrimRight(row, " \n"))
	}
	return strings.TrimRight(strings.Join(rows, "\n"), "\n")
}

func (s *terminal) cursorHidden() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.screen.CursorHidden()
}

// await waits until what can be seen is as it should be.
func (s *terminal) await(what string, reached func(text string) bool) {
	s.t.Helper()
	late := time.After(30 * time.Second)
	for !reached(s.text()) {
		select {
		case _, open := <-s.changed:
			if !open && !reached(s.text()) {
				s.t.Fatalf("ended before %s:\n%s", what, s.text())
			}
		case <-late:
			s.t.Fatalf("waited in vain for %s:\n%s", what, s.text())
		}
	}
}

// end waits for the command and returns its exit code and all that it printed.
func (s *terminal) end() (code int, raw string) {
	s.t.Helper()
	err := s.cmd.Wait()
	for range s.changed {
	}
	return exitCode(err), s.raw.String()
}

func (s *terminal) touch(name string) {
	s.t.Helper()
	if err := os.WriteFile(filepath.Join(s.dir, name), nil, 0o644); err != nil {
		s.t.Fatal(err)
	}
}

// waiting has stages that run until the test lets them end.
const waiting = `
pipeline "release" {
  max_parallel = 4

  stage "build" {
    run = "echo compiling $(printf %0200d 7); until test -e built; do sleep 0.02; done"
  }

  stage "test" {
    run = "printf '\\033[2J\\033[5A日本語\\n'; until test -e built; do sleep 0.02; done; echo it broke; exit 3"
  }

  stage "notify" {
    needs = [stage.test]
    run   = "true"
  }
}
`

var (
	moving = regexp.MustCompile(`\x1b\[[^m]*[A-Za-ln-z]`) // control sequences that are no colours
	took   = regexp.MustCompile(` +\d[\d.]* m?s\b`)
	runID  = regexp.MustCompile(`\d{8}t\d{6}z-[a-z0-9]{6}`)
)

func steady(text string) string {
	return runID.ReplaceAllString(took.ReplaceAllString(text, " TIME"), "RUN")
}

func TestOnATerminal(t *testing.T) {
	s := openTerminal(t, waiting, nil, "run")
	s.await("both stages", func(text string) bool {
		return strings.Contains(text, "日本語") && strings.Contains(text, "compiling 000") && strings.Contains(text, "2 running")
	})
	rows := strings.Split(s.text(), "\n")
	if len(rows) != 4 || !strings.HasPrefix(rows[3], "0/3 stages, 2 running") || !s.cursorHidden() {
		t.Errorf("cursor hidden %v:\n%s", s.cursorHidden(), s.text())
	}
	s.touch("built")
	code, _ := s.end()
	text := steady(s.text())
	for _, want := range []string{
		"\n✓ build TIME\n", "\n✗ test TIME  failed: exit status 3\n    │ 日本語\n    │ it broke\n",
		"\n– notify            blocked: stage test failed\n", "\n✗ pipeline release failed in TIME: 1 succeeded, 1 failed, 1 blocked\n",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is not in\n%s", want, text)
		}
	}
	if code != 1 || s.cursorHidden() || strings.Contains(text, "running") || !strings.HasSuffix(text, "\nReport: .turnout/runs/RUN/report.md") {
		t.Errorf("exit code %d, cursor hidden %v:\n%s", code, s.cursorHidden(), text)
	}
}

func TestATerminalIsLeftCleanOnCancel(t *testing.T) {
	s := openTerminal(t, waiting, nil, "run")
	s.await("a stage", func(text string) bool { return strings.Contains(text, "2 running") })
	if _, err := io.WriteString(s.keys, "\x03"); err != nil {
		t.Fatal(err)
	}
	code, _ := s.end()
	text := steady(s.text())
	if code != 130 || s.cursorHidden() || strings.Contains(text, "running") || strings.Contains(text, "^C") || !strings.Contains(text, "– pipeline release cancelled in TIME: 3 cancelled") {
		t.Errorf("exit code %d, cursor hidden %v:\n%s", code, s.cursorHidden(), text)
	}
}

func TestATerminalIsGivenBackWhileStopped(t *testing.T) {
	s := openTerminal(t, waiting, nil, "run")
	s.await("a stage", func(text string) bool { return strings.Contains(text, "2 running") })
	if _, err := io.WriteString(s.keys, "\x1a"); err != nil {
		t.Fatal(err)
	}
	var status syscall.WaitStatus
	if _, err := syscall.Wait4(s.cmd.Process.Pid, &status, syscall.WUNTRACED, nil); err != nil || !status.Stopped() {
		t.Fatalf("not stopped: %v, %v", status, err)
	}
	s.await("a clean screen", func(text string) bool { return !strings.Contains(text, "running") && !s.cursorHidden() })
	if err := s.cmd.Process.Signal(syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
	s.await("the stages again", func(text string) bool { return strings.Contains(text, "2 running") })
	s.touch("built")
	if code, _ := s.end(); code != 1 || s.cursorHidden() {
		t.Errorf("exit code %d, cursor hidden %v:\n%s", code, s.cursorHidden(), s.text())
	}
}

// TestATerminalThatIsReadAsALog has nothing drawn in place, for four reasons.
func TestATerminalThatIsReadAsALog(t *testing.T) {
	for name, test := range map[string]struct{ environ, args []string }{
		"verbose":    {nil, []string{"run", "-verbose"}},
		"quiet":      {nil, []string{"run", "-quiet"}},
		"TERM=dumb":  {[]string{"TERM=dumb"}, []string{"run"}},
		"CI":         {[]string{"CI=true"}, []string{"run"}},
		"-json":      {nil, []string{"run", "-json"}},
		"no command": {nil, []string{"plan"}},
	} {
		t.Run(name, func(t *testing.T) {
			s := openTerminal(t, waiting, test.environ, test.args...)
			s.touch("built")
			if _, raw := s.end(); moving.MatchString(raw) {
				t.Errorf("%q", raw)
			}
		})
	}
}

func TestATerminalWithoutColour(t *testing.T) {
	s := openTerminal(t, waiting, []string{"NO_COLOR=1"}, "run")
	s.await("a stage", func(text string) bool { return strings.Contains(text, "2 running") })
	s.touch("built")
	_, raw := s.end()
	if regexp.MustCompile(`\x1b\[[0-9;]*m`).MatchString(raw) || !moving.MatchString(raw) {
		t.Errorf("%q", raw)
	}
}
