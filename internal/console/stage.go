package console

import (
	"fmt"
	"slices"
	"sort"
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
	doing
	id      string
	name    string // as it is shown
	task    bool
	servers []string // of a task: all it is for
	running bool
	beside  bool // another one has run beside it

	steps  []*step // running, in the order of servers, then as they began
	passed int     // servers of a task that are done
	failed int     // and those that failed
	lines  backlog // of its groups
}

// step is a step that is running.
type step struct {
	doing
	event.Step
	place    int // of its server among those of the stage, -1 where there is none
	progress event.Progress
}

// doing is what is known of something that takes its time and may be repeated.
type doing struct {
	began   time.Time
	retried *event.Attempt // the last attempt that failed
	next    time.Time      // when the one after it begins
	last    string         // line that it put out
}

func (d *doing) again(a *event.Attempt) { d.retried, d.next, d.last = a, time.Now().Add(a.Wait), "" }

// take notes an event of the stage.
func (s *stage) take(e event.Event) {
	switch e.Kind {
	case event.StageOutput:
		s.said(e.Output)
	case event.StageRetry:
		s.retry(e.Attempt)
	case event.StepStarted:
		s.start(*e.Step)
	case event.StepProgress:
		if at := s.step(*e.Step); at != nil {
			at.progress = *e.Progress
		}
	case event.CanaryShared:
		s.shows(*e.Step, shared(*e.Share))
	case event.CanaryLooked:
		s.shows(*e.Step, looked(*e.Look))
	case event.StepFinished:
		s.stepFinished(*e.Step)
	}
}

func (s *stage) start(begun event.Step) {
	at := &step{doing: doing{began: time.Now()}, Step: begun, place: slices.Index(s.servers, begun.Server)}
	i := sort.Search(len(s.steps), func(i int) bool { return s.steps[i].place > at.place })
	s.steps = slices.Insert(s.steps, i, at)
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

// shows notes what a step has come to last.
func (s *stage) shows(meant event.Step, line string) {
	if at := s.step(meant); at != nil {
		at.last = line
	}
}

// retry notes that an attempt failed: of a task on one server, or of the stage,
// which then begins anew on all of them.
func (s *stage) retry(a *event.Attempt) {
	if a.Server == "" {
		s.again(a)
		s.passed, s.failed = 0, 0
		return
	}
	for _, at := range s.steps {
		if at.Server == a.Server {
			at.again(a)
		}
	}
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
	dropped map[string]int // lines, by the server that wrote them
}

func (b *backlog) add(o event.Output) {
	b.chunks = append(b.chunks, o)
	b.bytes += len(o.Text) + 1
	for b.bytes > maxBacklog {
		first := b.chunks[0]
		if b.dropped == nil {
			b.dropped = make(map[string]int)
		}
		b.dropped[first.Server] += strings.Count(first.Text, "\n") + 1
		b.bytes -= len(first.Text) + 1
		b.chunks[0] = event.Output{}
		b.chunks = b.chunks[1:]
	}
}

// take removes what a server wrote, and tells how many lines of it are lost.
func (b *backlog) take(server string) (chunks []event.Output, dropped int) {
	b.chunks = slices.DeleteFunc(b.chunks, func(o event.Output) bool {
		if o.Server != server {
			return false
		}
		chunks = append(chunks, o)
		b.bytes -= len(o.Text) + 1
		return true
	})
	dropped = b.dropped[server]
	delete(b.dropped, server)
	return chunks, dropped
}

// group prints the output of a stage, or of a task on one server, as a closed
// group of GitHub's log.
func (c *Console) group(s *stage, server, log string) {
	chunks, dropped := s.lines.take(server)
	if len(chunks) == 0 && dropped == 0 {
		return
	}
	title := s.name
	if server != "" {
		title += " on " + strip(server)
	}
	fmt.Fprintf(&c.out, "::group::%s\n", unbracket(title))
	if dropped > 0 {
		fmt.Fprintf(&c.out, "  … %s before this left out; the whole log is in %s\n", count(dropped, "line"), unbracket(strip(log)))
	}
	prefix := "│ " + serverPrefix(server)
	for _, o := range chunks {
		for line := range strings.SplitSeq(o.Text, "\n") {
			c.relay(prefix, line)
		}
	}
	c.out.WriteString("::endgroup::\n")
}

// groups prints what is left of the output of a stage that is over.
func (c *Console) groups(s *stage, log string) {
	c.group(s, "", log)
	for len(s.lines.chunks) > 0 {
		c.group(s, s.lines.chunks[0].Server, log)
	}
}

// stageFinished tells how a stage ended.
func (c *Console) stageFinished(s *stage, r *event.Result) {
	c.groups(s, r.Log)
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
