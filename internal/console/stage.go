package console

import (
	"fmt"
	"strings"

	"github.com/org/deploy-action/internal/event"
)

const (
	// maxBacklog is how much of a stage's output is kept for its group; GitHub's
	// log viewer gives up on far less.
	maxBacklog = 4 << 20
	// shownTail is how many of a failed stage's last lines stand outside its
	// group, which GitHub shows folded.
	shownTail = 20
)

// backlog is the end of a stage's output.
type backlog struct {
	lines   []string
	bytes   int
	dropped int
}

func (b *backlog) add(line string) {
	b.lines = append(b.lines, line)
	b.bytes += len(line) + 1
	for b.bytes > maxBacklog {
		b.bytes -= len(b.lines[0]) + 1
		b.lines[0] = ""
		b.lines = b.lines[1:]
		b.dropped++
	}
}

// stageFinished tells how a stage ended.
func (c *Console) stageFinished(name string, r *event.Result) {
	c.tally[ending(r)]++
	if s := c.running[name]; s != nil {
		c.group(name, s, r.Log)
		delete(c.running, name)
	}
	text := c.bold(name)
	if r.Outcome != event.Succeeded {
		text += fmt.Sprintf("  %s: %s", outcomeText(r), r.Reason)
	}
	if r.Attempts > 1 {
		text += fmt.Sprintf(", %s", count(r.Attempts, "attempt"))
	}
	if r.Attempts > 0 {
		text += "  " + c.dim(human(r.Took))
	}
	c.own("", outcomeMark(r), text)
	if r.Outcome == event.Failed && c.options.GitHub {
		for _, line := range r.Tail[max(0, len(r.Tail)-shownTail):] {
			c.relay("    │ ", line)
		}
	}
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

// group prints the output of a stage as a closed group of GitHub's log.
func (c *Console) group(name string, s *stage, log string) {
	if len(s.lines.lines) == 0 {
		return
	}
	var b strings.Builder
	fmt.Fprintf(&b, "::group::%s\n", c.clean(name))
	if s.lines.dropped > 0 {
		fmt.Fprintf(&b, "  … %s before this left out; the whole log is in %s\n", count(s.lines.dropped, "line"), c.clean(log))
	}
	for _, line := range s.lines.lines {
		b.WriteString("│ " + c.clean(line) + "\n")
	}
	b.WriteString("::endgroup::\n")
	c.write(b.String())
}
