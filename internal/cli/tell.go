package cli

import (
	"context"
	"errors"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/urfave/cli/v3"
	"golang.org/x/sys/unix"
	"golang.org/x/term"

	"github.com/org/deploy-action/internal/console"
	"github.com/org/deploy-action/internal/event"
)

// tellOptions is the part of the help texts that lists the flags of tellFlags.
const tellOptions = `
  -quiet           print only what failed, and the summary
  -verbose         print every line of output as it comes
  -json            print every event as a line of JSON, for programs`

// tellFlags say how a run is told. They exclude one another.
func tellFlags() []cli.MutuallyExclusiveFlags {
	return []cli.MutuallyExclusiveFlags{{Flags: [][]cli.Flag{
		{&cli.BoolFlag{Name: "quiet"}}, {&cli.BoolFlag{Name: "verbose"}}, {&cli.BoolFlag{Name: "json"}},
	}}}
}

// speak has what is printed from here on masked, and made harmless for a terminal
// and for GitHub's runner: it holds what titles, servers and commands have said.
// It is masked before, as a secret may look like what is taken out, and after, as
// one may have been parted by it.
func (a *app) speak() {
	_ = a.flush() // nobody misses a line that could not be written
	var open []io.Closer
	opened := func(w io.WriteCloser) io.Writer {
		open = append([]io.Closer{w}, open...)
		return w
	}
	harmless := func(w io.Writer) io.Writer {
		return opened(a.masker.Writer(opened(console.NewPlain(w, console.Options{Colour: a.colour, GitHub: a.actions != nil}))))
	}
	a.data = opened(a.masker.Writer(a.env.Stdout))
	a.stdout, a.stderr = harmless(a.data), harmless(opened(a.masker.Writer(a.env.Stderr)))
	a.flush = func() error {
		var errs []error
		for _, w := range open {
			errs = append(errs, w.Close())
		}
		return errors.Join(errs...)
	}
}

// beforeRun keeps standard output for the events where a program reads them.
func (a *app) beforeRun(ctx context.Context, c *cli.Command) (context.Context, error) {
	if c.Bool("json") {
		a.spareStdout()
	}
	return ctx, nil
}

// teller tells a run on standard output, to a person or to a program.
type teller interface {
	Event(event.Event)
	Close() error
}

// teller is what tells a run as the flags of c ask for, and where words for
// people go that are no events.
func (a *app) teller(c *cli.Command) (told teller, words io.Writer) {
	if c.Bool("json") {
		return console.NewJSON(a.data), a.stderr
	}
	terminal := a.terminal()
	told = console.New(a.data, console.Options{
		Colour: a.colour, GitHub: a.actions != nil, Quiet: c.Bool("quiet"), Verbose: c.Bool("verbose"), Terminal: terminal,
	})
	if terminal != nil && !signal.Ignored(syscall.SIGTSTP) {
		told = newStoppable(told.(*console.Console))
	}
	return told, a.stdout
}

// terminal returns the size of standard output, or nil where that is no terminal
// whose cursor can be moved. A CI system's is none: it is kept as a log.
func (a *app) terminal() func() (columns, rows int) {
	kind := a.env.Getenv("TERM")
	if !isTerminal(a.env.Stdout) || kind == "" || kind == "dumb" || a.env.Getenv("CI") != "" {
		return nil
	}
	fd := int(a.env.Stdout.(*os.File).Fd())
	return func() (columns, rows int) {
		if group, err := unix.IoctlGetInt(fd, unix.TIOCGPGRP); err == nil && group != unix.Getpgrp() {
			return 0, 0 // in the background the terminal is somebody else's
		}
		columns, rows, err := term.GetSize(fd)
		if err != nil || columns == 0 || rows == 0 {
			return 80, 24
		}
		return columns, rows
	}
}

// stoppable is a console that gives the terminal back while the program is
// stopped by the terminal's stop key.
type stoppable struct {
	*console.Console
	signals chan os.Signal
	done    chan struct{}
}

func newStoppable(c *console.Console) *stoppable {
	s := &stoppable{Console: c, signals: make(chan os.Signal, 1), done: make(chan struct{})}
	signal.Notify(s.signals, syscall.SIGTSTP)
	go func() {
		defer close(s.done)
		for range s.signals {
			c.Away(func() { _ = syscall.Kill(os.Getpid(), syscall.SIGSTOP) }) // returns when continued
		}
	}()
	return s
}

func (s *stoppable) Close() error {
	signal.Stop(s.signals)
	close(s.signals)
	<-s.done
	return s.Console.Close()
}
