package machine

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// Run runs a command on the machine. What it writes to stdout and stderr is
// streamed in one sequence as it comes. An exit status other than 0 is no error:
// ask Exit.Err. An error means that the command could not be started or that the
// context ended.
//
// The command leads its own session. When the context ends or the timeout
// passes, its whole process group gets SIGTERM and, after the grace, SIGKILL. A
// process that has left the group can neither hold Run up nor be ended by it.
var Run = Op[Command, Exit]{Name: "machine.run", Do: run}

// Command is a command to run. One of Shell, Args and Script is set; where none is,
// it is an empty script, which succeeds.
type Command struct {
	Shell  string            `json:"shell,omitempty"`  // run by /bin/sh -c
	Args   []string          `json:"args,omitempty"`   // run without a shell
	Script string            `json:"script,omitempty"` // run by the machine's shell for scripts
	Dir    string            `json:"dir,omitempty"`    // empty: that of turnout
	Env    map[string]string `json:"env,omitempty"`    // on top of Environ
	Stdin  []byte            `json:"stdin,omitempty"`  // then end of file

	Timeout time.Duration `json:"timeout_ns,omitempty"` // 0: none
	Grace   time.Duration `json:"grace_ns,omitempty"`   // between SIGTERM and SIGKILL; 0: DefaultGrace

	// LogFile takes the output instead of the stream. It is emptied first and
	// readable by its owner only.
	LogFile string `json:"log_file,omitempty"`

	// Leave lets processes that the command started outlive it, as a start
	// command needs; otherwise they are ended with it. A process left behind
	// loses its stdout unless there is a LogFile.
	Leave bool `json:"leave,omitempty"`
}

// DefaultGrace is how long a process group has to end after SIGTERM. GitHub
// kills a cancelled job 7.5 s after its first signal (runner, ProcessInvoker).
const DefaultGrace = 5 * time.Second

// drainTime is how long output is awaited once the command is done.
const drainTime = 200 * time.Millisecond

func run(ctx context.Context, at At, c Command) (Exit, error) {
	out, err := openOutput(c.LogFile, at.Out)
	if err != nil {
		return Exit{}, fmt.Errorf("%s: log: %w", c, err)
	}
	began := time.Now()
	p, err := c.start(out)
	if err != nil {
		out.close()
		return Exit{}, fmt.Errorf("%s: start: %w", c, err)
	}
	limited, cancel := c.limit(ctx)
	defer cancel()
	finished := p.wait(limited, c, out)
	exit := p.exit()
	exit.TimedOut = !finished && ctx.Err() == nil
	exit.Tail = out.close()
	exit.Took = time.Since(began)
	if !finished && ctx.Err() != nil {
		return exit, fmt.Errorf("%s: ended: %w", c, context.Cause(ctx))
	}
	return exit, nil
}

func (c Command) limit(ctx context.Context) (context.Context, context.CancelFunc) {
	if c.Timeout <= 0 {
		return context.WithCancel(ctx)
	}
	return context.WithTimeout(ctx, c.Timeout)
}

// start starts the command; out's write end is the child's alone afterwards.
func (c Command) start(out *output) (*process, error) {
	defer closeFD(out.child)
	stdin, err := openStdin(c.Stdin)
	defer closeFD(stdin)
	if err != nil {
		return nil, fmt.Errorf("stdin: %w", err)
	}
	p := &process{done: make(chan struct{})}
	attr := &syscall.ProcAttr{
		Dir: c.Dir, Env: environment(c.Env), Files: []uintptr{uintptr(stdin), uintptr(out.child), uintptr(out.child)},
		Sys: ownSession(&p.fd),
	}
	if knowsBash && c.Script != "" && c.startPlain(p, *attr) {
		return p, nil
	}
	program, args, err := c.call()
	if err != nil {
		return nil, err
	}
	if p.group, err = syscall.ForkExec(program, args, attr); err != nil {
		return nil, c.notStarted(program, err)
	}
	return p, nil
}

// startPlain starts a plain command without its shell and reports whether it did.
func (c Command) startPlain(p *process, attr syscall.ProcAttr) bool {
	program, words, environ, is := c.plain(attr.Env)
	if !is {
		return false
	}
	attr.Env = environ
	var err error
	p.group, err = syscall.ForkExec(program, words, &attr)
	return err == nil
}

// The shell for scripts is GitHub's for run steps: bash that stops at the first
// command that fails, also within a pipe; where there is no bash, sh that stops at
// the first command that fails.
func scriptShell() []string {
	if bash, found := findBash(); found {
		return []string{bash, "--noprofile", "--norc", "-e", "-o", "pipefail", "-c"}
	}
	return []string{"/bin/sh", "-e", "-c"}
}

func findBash() (path string, found bool) {
	path, err := exec.LookPath("bash")
	return path, err == nil
}

// call is the program to start and its arguments. A program whose name has a
// slash is seen from the command's directory.
func (c Command) call() (program string, args []string, err error) {
	args = c.Args
	switch {
	case c.Shell != "":
		args = []string{"/bin/sh", "-c", c.Shell}
	case len(args) == 0:
		args = append(scriptShell(), c.Script)
	}
	if strings.Contains(args[0], "/") {
		return args[0], args, nil
	}
	program, err = exec.LookPath(args[0])
	return program, args, err
}

// notStarted says which of program and directory it is about.
func (c Command) notStarted(program string, err error) error {
	if c.Dir != "" {
		if _, missing := os.Stat(c.Dir); missing != nil {
			return missing
		}
	}
	return &os.PathError{Op: "exec", Path: program, Err: err}
}

// openStdin is a file to read text from: one in memory, so that it is no matter
// how much of it the command reads.
func openStdin(text []byte) (int, error) {
	if len(text) == 0 {
		return unix.Open(os.DevNull, unix.O_RDONLY|unix.O_CLOEXEC, 0)
	}
	fd, err := memoryFile()
	for at := 0; err == nil && at < len(text); {
		var n int
		n, err = unix.Pwrite(fd, text[at:], int64(at))
		at += n
	}
	return fd, err
}

// environment is the machine's own with extra on top.
func environment(extra map[string]string) []string {
	own := Environ(os.Environ())
	environ := make([]string, 0, len(own)+len(extra))
	for _, variable := range own {
		name, _, _ := strings.Cut(variable, "=")
		if _, replaced := extra[name]; !replaced {
			environ = append(environ, variable)
		}
	}
	for name, value := range extra {
		environ = append(environ, name+"="+value)
	}
	return environ
}

// Environ is environ ("name=value") without what is meant for turnout alone: a
// GitHub action's inputs and its runtime token, which a "run" step would not
// get either, variables of the spec, and the token for GitHub's API.
func Environ(environ []string) []string {
	kept := make([]string, 0, len(environ))
	for _, variable := range environ {
		if !private(variable) {
			kept = append(kept, variable)
		}
	}
	return kept
}

func private(variable string) bool {
	for _, prefix := range []string{"INPUT_", "ACTIONS_RUNTIME_", "TURNOUT_VAR_", "TURNOUT_GITHUB_TOKEN="} {
		if strings.HasPrefix(variable, prefix) {
			return true
		}
	}
	return false
}

// String is the command as messages name it: its first line, cut to 60 bytes.
func (c Command) String() string {
	text := cmp.Or(c.Script, c.Shell)
	if text == "" {
		text = strings.Join(c.Args, " ")
	}
	first, _, more := strings.Cut(strings.TrimSpace(text), "\n")
	if len(first) > 60 {
		first, more = strings.ToValidUTF8(first[:60], ""), true
	}
	if more {
		first += " …"
	}
	return first
}
