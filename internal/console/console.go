// Package console tells a run to a person, line by line as it happens.
package console

import (
	"cmp"
	"fmt"
	"io"
	"strings"

	"github.com/org/deploy-action/internal/event"
)

// Options says where the lines are read.
type Options struct {
	Colour bool
	GitHub bool // in the log of a GitHub Actions job
}

// Console prints a run. Stages that run alone have their output beneath them;
// those that run side by side have their name before each line. In GitHub's log,
// where groups can't overlap, a stage's output comes as one closed group when
// the stage ends.
//
// What others wrote is made harmless: no control sequence but colours reaches
// the terminal, and no line can give GitHub's runner a command.
type Console struct {
	w        io.Writer
	options  Options
	err      error // of the first write that failed
	about    event.Run
	width    int // of the longest stage name
	running  map[string]*stage
	tally    map[string]int // of stages, by what became of them
	switches []event.Switch
}

// stage is a stage that is running.
type stage struct {
	beside bool    // another one has run beside it
	lines  backlog // GitHub only
}

// New returns a console that prints to w. It belongs behind an event.Fan.
func New(w io.Writer, options Options) *Console {
	return &Console{w: w, options: options, running: make(map[string]*stage), tally: make(map[string]int)}
}

// Close prints what is left of stages that never ended and returns the error of
// the first write that failed. It leaves w open.
func (c *Console) Close() error {
	for name, s := range c.running {
		c.group(name, s, "")
	}
	c.running = nil
	if c.err != nil {
		return fmt.Errorf("console: %w", c.err)
	}
	return nil
}

// Event prints one event.
func (c *Console) Event(e event.Event) {
	switch e.Kind {
	case event.RunStarted:
		c.runStarted(*e.Run)
	case event.StageStarted:
		c.stageStarted(e.Stage)
	case event.StageOutput:
		for line := range strings.SplitSeq(e.Output.Text, "\n") {
			c.output(e.Stage, line)
		}
	case event.StageRetry:
		c.retry(e.Stage, e.Attempt)
	case event.StageFinished:
		c.stageFinished(e.Stage, e.Result)
	case event.StepFinished:
		c.step(e.Stage, e.Step)
	case event.SwitchDone:
		c.switches = append(c.switches, *e.Switch)
	case event.Notice:
		c.notice(e.Stage, e.Note)
	case event.RunFinished:
		c.runFinished(e.Result)
	}
}

func (c *Console) runStarted(about event.Run) {
	c.about = about
	for _, s := range about.Stages {
		c.width = max(c.width, len(s.Name))
	}
	title := about.Command
	if about.Pipeline != "" {
		title = fmt.Sprintf("pipeline %s, %s", about.Pipeline, count(len(about.Stages), "stage"))
	}
	c.own("", mark{}, fmt.Sprintf("%s  %s", c.bold(title), c.dim(about.Spec+", run "+about.ID)))
}

func (c *Console) stageStarted(name string) {
	c.running[name] = &stage{}
	if len(c.running) > 1 {
		for _, s := range c.running {
			s.beside = true
		}
	}
	c.own("", begun, c.bold(name))
}

func (c *Console) output(name, line string) {
	s := c.running[name]
	if s != nil && c.options.GitHub {
		s.lines.add(line)
		return
	}
	c.relay(c.prefix(name), line)
}

func (c *Console) retry(name string, a *event.Attempt) {
	c.own(c.prefix(name), again, fmt.Sprintf("attempt %d of %d failed: %s; next in %s", a.Number, a.Of, a.Error, human(a.Wait)))
}

func (c *Console) step(name string, s *event.Step) {
	if s.Text == "" && s.Error == "" {
		return // it had nothing to do
	}
	m, text := done, s.Text
	if s.Error != "" {
		m, text = failed, s.Error
	}
	title := s.Name
	if s.Server != "" {
		title += " " + s.Server
	}
	first, more, _ := strings.Cut(text, "\n")
	text = fmt.Sprintf("%-8s  %s  %s\n%s", title, first, c.dim(human(s.Took)), more)
	c.own(c.prefix(name), m, strings.TrimSuffix(text, "\n"))
}

func (c *Console) notice(name string, n *event.Note) {
	m := map[event.Level]mark{event.Info: info, event.Warning: warning, event.Problem: failed}[n.Level]
	c.own(c.prefix(name), m, place(n.Pos)+n.Text)
	c.hint(c.prefix(name), n.Hint)
}

func (c *Console) hint(prefix, text string) {
	if text != "" {
		c.own(prefix, mark{}, "  "+c.dim("hint: "+text))
	}
}

// prefix stands before a line of a stage: its name where stages run side by
// side, else what sets the line off from the stage's own.
func (c *Console) prefix(name string) string {
	s := c.running[name]
	switch {
	case name == "":
		return ""
	case c.options.GitHub || s == nil || s.beside:
		return fmt.Sprintf("%-*s │ ", c.width, name)
	}
	return "  │ "
}

// write is the only way out.
func (c *Console) write(text string) {
	if _, err := io.WriteString(c.w, text); err != nil {
		c.err = cmp.Or(c.err, err)
	}
}
