// Package console tells a run as it happens: to a person, as a live tree or line
// by line, or to a program as JSON.
package console

import (
	"bytes"
	"cmp"
	"fmt"
	"io"
	"strings"
	"sync"

	"github.com/org/deploy-action/internal/event"
)

// Options says where the console is read, and how much is wanted.
type Options struct {
	Colour  bool
	GitHub  bool // in the log of a GitHub Actions job
	Quiet   bool // only what failed, and the summary
	Verbose bool // every line as it comes, whatever the place

	// Terminal returns the size of the terminal that the console writes to, and
	// on which it may move the cursor. No rows: not at present. It is nil where
	// there is no such terminal.
	Terminal func() (columns, rows int)
}

// Console prints a run. On a terminal what has finished scrolls up and what runs
// is drawn in place beneath. Elsewhere everything comes as lines: stages that
// run alone have their output beneath them; those that run side by side have
// their name before each line. In GitHub's log, where groups can't overlap, a
// stage's output comes as one closed group when the stage ends.
//
// What others wrote is made harmless: no control sequence but colours reaches
// the terminal, and no line can give GitHub's runner a command.
type Console struct {
	w       io.Writer
	options Options
	live    *live // nil where there are only lines

	mu  sync.Mutex // frames are drawn while events come
	run *run
	out bytes.Buffer // told, and not written yet
	err error        // of the first write that failed
}

// New returns a console that prints to w. It belongs behind an event.Fan and is
// closed in the end.
func New(w io.Writer, options Options) *Console {
	c := &Console{w: w, options: options, run: newRun()}
	if options.Terminal != nil && !options.GitHub && !options.Quiet && !options.Verbose {
		c.live = newLive(c)
	}
	return c
}

// Close prints what is left of stages that never ended and returns the error of
// the first write that failed. It leaves the writer open, and a terminal as it
// was.
func (c *Console) Close() error {
	if c.live != nil {
		c.live.close()
	}
	for _, s := range c.run.running {
		c.groups(s, "")
	}
	c.flush()
	if c.err != nil {
		return fmt.Errorf("console: %w", c.err)
	}
	return nil
}

// Event tells one event. Where a live tree is drawn it only notes it: a slow
// terminal holds nobody up.
func (c *Console) Event(e event.Event) {
	c.mu.Lock()
	defer c.mu.Unlock()
	s := c.run.take(e)
	if !c.options.Quiet || grave(e) {
		c.tell(s, e)
	}
	if c.live == nil {
		c.flush()
	}
}

// grave reports whether an event is told even where only failures are wanted.
func grave(e event.Event) bool {
	switch e.Kind {
	case event.StageFinished:
		return e.Result.Outcome == event.Failed || e.Result.Outcome == event.Stranded
	case event.StepFinished:
		return e.Step.Error != "" && (e.Stage == "" || e.Step.Server != "")
	case event.Notice:
		return e.Note.Level == event.Problem
	}
	return e.Kind == event.RunFinished
}

// tell prints an event of stage s.
func (c *Console) tell(s *stage, e event.Event) {
	switch e.Kind {
	case event.RunStarted:
		c.runStarted()
	case event.StageStarted:
		if c.live == nil {
			c.own("", begun, c.bold(s.name))
		}
	case event.StageOutput:
		c.output(s, e.Output)
	case event.StageRetry:
		c.retry(s, e.Attempt)
	case event.StageFinished:
		c.stageFinished(s, e.Result)
	case event.StepFinished:
		c.step(s, e.Step)
	case event.CanaryShared:
		c.own(c.prefix(s), info, pad("share", 8)+"  "+shared(*e.Share))
	case event.CanaryLooked:
		c.look(s, e.Look)
	case event.ArtifactDone:
		c.artifact(s, e.Artifact)
	case event.Notice:
		c.notice(s, e.Note)
	case event.RunFinished:
		c.runFinished(e.Result)
	}
}

func (c *Console) runStarted() {
	about := c.run.about
	title := about.Title()
	if about.Pipeline != "" {
		title += ", " + count(c.run.stages, "stage")
	}
	c.own("", mark{}, fmt.Sprintf("%s  %s", c.bold(title), c.dim(about.Spec+", run "+about.ID)))
}

// output prints what a stage has put out, unless only its last line is of
// interest: it can be any amount.
func (c *Console) output(s *stage, o *event.Output) {
	switch {
	case c.live != nil:
		return
	case c.grouped() && s.running:
		s.lines.add(*o)
		return
	}
	prefix := c.prefix(s) + serverPrefix(o.Server)
	for line := range strings.SplitSeq(o.Text, "\n") {
		c.relay(prefix, line)
	}
}

// grouped reports whether a stage's output waits for the stage to end.
func (c *Console) grouped() bool { return c.options.GitHub && !c.options.Verbose }

func (c *Console) retry(s *stage, a *event.Attempt) {
	text := fmt.Sprintf("attempt %d of %d failed: %s; next in %s", a.Number, a.Of, a.Error, human(a.Wait))
	switch {
	case a.Server != "":
		c.own(c.prefix(s), again, pad(a.Server, 8)+"  "+text)
	case c.live != nil:
		c.own("", again, c.bold(s.name)+"  "+text)
	default:
		c.own(c.prefix(s), again, text)
	}
}

func (c *Console) step(s *stage, at *event.Step) {
	if at.Server != "" {
		c.group(s, at.Server, at.Log)
	}
	if at.Text == "" && at.Error == "" && at.Server == "" {
		return // it had nothing to do
	}
	m, text := done, at.Text
	if at.Error != "" {
		m, text = failed, at.Error
	}
	first, more, _ := strings.Cut(text, "\n")
	if first != "" {
		first += "  "
	}
	text = fmt.Sprintf("%s  %s%s\n%s", pad(s.label(at), 8), first, c.dim(human(at.Took)), more)
	c.own(c.prefix(s), m, strings.TrimSuffix(text, "\n"))
}

func (c *Console) artifact(s *stage, a *event.Artifact) {
	if a.Missing {
		c.own(c.prefix(s), warning, place(a.Pos)+kept(*a))
		return
	}
	c.own(c.prefix(s), done, kept(*a)+"  "+c.dim(human(a.Took)))
}

func (c *Console) notice(s *stage, n *event.Note) {
	m := map[event.Level]mark{event.Info: info, event.Warning: warning, event.Problem: failed}[n.Level]
	c.own(c.prefix(s), m, place(n.Pos)+n.Text)
	c.hint(c.prefix(s), n.Hint)
}

func (c *Console) hint(prefix, text string) {
	if text != "" {
		c.own(prefix, mark{}, "  "+c.dim("hint: "+text))
	}
}

// prefix stands before a line of a stage: its name where stages run side by
// side, else what sets the line off from the stage's own.
func (c *Console) prefix(s *stage) string {
	switch {
	case s == c.run.loose:
		return ""
	case c.live != nil:
		return c.dim(s.name + " │ ")
	case !c.options.GitHub && s.running && !s.beside:
		return "  │ "
	}
	return pad(s.name, c.run.width) + " │ "
}

// flush is the only way out, but for frames.
func (c *Console) flush() {
	if c.out.Len() > 0 {
		c.write(c.out.Bytes())
		c.out.Reset()
	}
}

func (c *Console) write(text []byte) {
	if _, err := c.w.Write(text); err != nil {
		c.err = cmp.Or(c.err, err)
	}
}
