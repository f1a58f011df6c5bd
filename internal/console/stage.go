package console

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/org/deploy-action/internal/event"
)

const (
	// maxBacklog is how much of a stage's output is kept for its group; GitHub's
	// log viewer gives up on far less.
	maxBacklog = 4 << 20
	// shownTail is how many of a failed stage's last lines are shown where its
	// output is not: on a live terminal, or folded as GitHub does it.
	shownTail = 20
	// maxLast is how much of a last line is kept: no terminal is wider.
	maxLast = 1 << 10
)

// stage is a stage, as far as the console follows it.
type stage struct {
	id      string
	name    string // as it is shown
	task    bool
	running bool
	beside  bool // another one has run beside it
	began   time.Time

	retried *event.Attempt // the last attempt that failed
	next    time.Time      // when the one after it begins
	last    string         // line that it put out
	steps   []*step        // running, in the order they began
	passed  int            // servers of a task that are done
	failed  int            // and those that failed
	lines   backlog        // of a group
}

// step is a step that is running.
type step struct {
	event.Step
	began    time.Time
	progress event.Progress
	last     string // line that its server put out
}

// take notes an event of the stage.
func (s *stage) take(e event.Event) {
	switch e.Kind {
	case event.StageOutput:
		s.said(e.Output)
	case event.StageRetry:
		s.retried, s.next = e.Attempt, time.Now().Add(e.Attempt.Wait)
		s.last, s.passed, s.failed = "", 0, 0
	case event.StepStarted:
		s.steps = append(s.steps, &step{Step: *e.Step, began: time.Now()})
	case event.StepProgress:
		if at := s.step(*e.Step); at != nil {
			at.progress = *e.Progress
		}
	case event.StepFinished:
		s.stepFinished(*e.Step)
	}
}

// step is the running step that is meant, nil where there is none.
func (s *stage) step(meant event.Step) *step {
	for _, at := range s.steps {
		if at.Environment == meant.Environment && at.Name == meant.Name && at.Server == meant.Server {
			return at
		}
	}
	return nil
}

func (s *stage) stepFinished(done event.Step) {
	at := s.step(done)
	s.steps = slices.DeleteFunc(s.steps, func(other *step) bool { return other == at })
	switch {
	case done.Server == "":
	case done.Error != "":
		s.failed++
	default:
		s.passed++
	}
}

// said notes the last line of a text that can be long: only its end is looked
// at. Blank lines tell nothing.
func (s *stage) said(o *event.Output) {
	line := strings.TrimRight(o.Text, "\r\n\t ")
	if line == "" {
		return
	}
	line = lastOverwrite(line[strings.LastIndexByte(line, '\n')+1:])
	line = strings.ToValidUTF8(strings.Clone(line[:min(len(line), maxLast)]), "")
	for _, at := range s.steps {
		if o.Server != "" && at.Server == o.Server {
			at.last = line
			return
		}
	}
	s.last = line
}

// label names a step of the stage: in a task, which does the same everywhere, by
// its server.
func (s *stage) label(at *event.Step) string {
	switch {
	case at.Server == "":
		return at.Name
	case s.task:
		return at.Server
	}
	return at.Name + " " + at.Server
}

// backlog is the end of a stage's output, as it came.
type backlog struct {
	chunks  []event.Output
	bytes   int
	dropped int // lines
}

func (b *backlog) add(o event.Output) {
	b.chunks = append(b.chunks, o)
	b.bytes += len(o.Text) + 1
	for b.bytes > maxBacklog {
		first := b.chunks[0]
		b.bytes -= len(first.Text) + 1
		b.dropped += strings.Count(first.Text, "\n") + 1
		b.chunks[0] = event.Output{}
		b.chunks = b.chunks[1:]
	}
}

// group prints the output of a stage as a closed group of GitHub's log.
func (c *Console) group(s *stage, log string) {
	if len(s.lines.chunks) == 0 {
		return
	}
	fmt.Fprintf(&c.out, "::group::%s\n", unbracket(s.name))
	if s.lines.dropped > 0 {
		fmt.Fprintf(&c.out, "  … %s before this left out; the whole log is in %s\n", count(s.lines.dropped, "line"), unbracket(strip(log)))
	}
	for _, o := range s.lines.chunks {
		prefix := "│ " + serverPrefix(o.Server)
		for line := range strings.SplitSeq(o.Text, "\n") {
			c.relay(prefix, line)
		}
	}
	c.out.WriteString("::endgroup::\n")
}

// stageFinished tells how a stage ended.
func (c *Console) stageFinished(s *stage, r *event.Result) {
	c.group(s, r.Log)
	text := c.line(s, r)
	if c.live != nil {
		text = c.tableLine(s, r)
	}
	c.own("", outcomeMark(r), text)
	if r.Outcome == event.Failed && (c.live != nil || c.grouped() || c.options.Quiet) {
		for _, line := range r.Tail[max(0, len(r.Tail)-shownTail):] {
			c.relay("    │ ", line)
		}
	}
}

// line is a stage that ended among the lines of others.
func (c *Console) line(s *stage, r *event.Result) string {
	text := c.bold(s.name)
	if r.Outcome != event.Succeeded {
		text += fmt.Sprintf("  %s: %s", outcomeText(r), r.Reason)
	}
	if r.Attempts > 1 {
		text += fmt.Sprintf(", %s", count(r.Attempts, "attempt"))
	}
	if r.Attempts > 0 {
		text += "  " + c.dim(human(r.Took))
	}
	return text
}

// tableLine is a stage that ended in the columns of the view, above which it
// scrolls up.
func (c *Console) tableLine(s *stage, r *event.Result) string {
	took := ""
	if r.Attempts > 0 {
		took = human(r.Took)
	}
	text := c.bold(pad(s.name, min(c.run.width, maxName))) + c.dim(fmt.Sprintf("  %*s", tookColumns, took))
	if r.Attempts > 1 {
		text += "  " + count(r.Attempts, "attempt")
	}
	if r.Outcome != event.Succeeded {
		text += fmt.Sprintf("  %s: %s", outcomeText(r), r.Reason)
	}
	return text
}

// ending is what a stage counts as.
func ending(r *event.Result) string {
	if r.Ignored {
		return "failed and ignored"
	}
	return string(r.Outcome)
}

func outcomeText(r *event.Result) string {
	if r.Ignored {
		return string(r.Outcome) + ", and the run goes on"
	}
	return string(r.Outcome)
}
