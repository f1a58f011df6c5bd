package report

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/org/deploy-action/internal/event"
)

// maxNodes is how many nodes a chart may have before nobody can read it.
const maxNodes = 49

// ganttHead begins a Gantt chart whose times are milliseconds since 1970 and
// are shown in the reader's own time zone.
const ganttHead = "gantt\n  dateFormat x\n  axisFormat %H:%M:%S\n"

// stages writes the table of stages and its charts.
func (w *writer) stages() {
	all := w.account.stages
	if len(all) == 0 {
		return
	}
	w.para("### Stages")
	var rows [][]string
	for _, s := range all {
		rows = append(rows, s.row())
	}
	w.table([]string{"#", "stage", "type", "outcome", "attempts", "duration", "reason"}, rows)
	if len(all) > maxNodes {
		w.para(fmt.Sprintf("_The charts are left out: %d stages are too many to read._", len(all)))
		return
	}
	if len(all) > 1 {
		w.para(fence("mermaid", flowchart(all)))
		w.para(fence("mermaid", stageChart(all)))
	}
}

func (s *stage) row() []string {
	duration, attempts := "–", "–"
	if !s.started.IsZero() && s.finished {
		duration, attempts = took(s.result.Took), strconv.Itoa(max(s.attempts(), 1))
	}
	return []string{
		strconv.Itoa(s.number), code(s.Name), cell(s.kind()), s.verdict(), attempts, duration, cell(s.why()),
	}
}

// kind is the label of the spec, or what the stage does.
func (s *stage) kind() string {
	if s.Type != "" {
		return s.Type
	}
	return s.Body
}

func (s *stage) verdict() string {
	text := mark(s.result.Outcome) + " " + s.outcome()
	if s.result.Ignored {
		text += ", ignored"
	}
	return text
}

// why is the reason, or what earlier attempts died of.
func (s *stage) why() string {
	if s.result.Reason != "" || len(s.retries) == 0 {
		return s.result.Reason
	}
	last := s.retries[len(s.retries)-1]
	return fmt.Sprintf("attempt %d of %d: %s", last.Number, last.Of, last.Error)
}

// flowchart is the graph of the stages, coloured by outcome.
func flowchart(all []*stage) string {
	var b strings.Builder
	b.WriteString("flowchart LR\n")
	number := make(map[string]int, len(all))
	for _, s := range all {
		number[s.Name] = s.number
		fmt.Fprintf(&b, "  n%d[\"%s\"]:::%s\n", s.number, mermaid(s.Name), class(s))
	}
	for _, s := range all {
		for _, need := range s.Needs {
			if number[need] > 0 {
				fmt.Fprintf(&b, "  n%d --> n%d\n", number[need], s.number)
			}
		}
	}
	b.WriteString(classes)
	return b.String()
}

// classes colour a flowchart legibly on light and dark pages.
const classes = `  classDef good fill:#1a7f37,color:#fff,stroke:#116329
  classDef bad fill:#cf222e,color:#fff,stroke:#a40e26
  classDef left fill:#6e7781,color:#fff,stroke:#57606a
`

func class(s *stage) string {
	switch s.result.Outcome {
	case event.Succeeded:
		return "good"
	case event.Failed, event.Stranded:
		return "bad"
	}
	return "left"
}

// stageChart shows when each stage ran. Stages that never started have no bar.
func stageChart(all []*stage) string {
	var b strings.Builder
	b.WriteString(ganttHead)
	for _, s := range all {
		if s.started.IsZero() {
			continue
		}
		tag := ""
		switch class(s) {
		case "good":
			tag = "done, "
		case "bad":
			tag = "crit, "
		}
		fmt.Fprintf(&b, "  %d %s :%s%s\n", s.number, ganttName(s.Name), tag, span(s.started, s.result.Took))
	}
	return b.String()
}

// tails writes the last lines of failed stages.
func (w *writer) tails() {
	shown := 0
	for _, s := range w.account.stages {
		if len(s.result.Tail) == 0 {
			continue
		}
		if shown++; shown > w.cuts.rows {
			continue
		}
		title := "Last lines of stage " + s.Name
		w.lines(title, "text", tail(s.result.Tail, w.cuts.tails))
	}
	if left := shown - w.cuts.rows; left > 0 {
		w.para(pointer(fmt.Sprintf("The last lines of %s are left out", count(left, "more stage", "more stages")), w.full))
	}
}

// notes writes what the run wanted the reader to know.
func (w *writer) notes() {
	var rows [][]string
	for _, n := range w.account.notes {
		text := cell(n.Text)
		if n.Hint != "" {
			text += "<br>" + inline(n.Hint)
		}
		rows = append(rows, []string{string(n.Level), code(place(n.Pos)), text})
	}
	if len(rows) > 0 {
		w.para("### Notices")
		w.table([]string{"level", "where", "what"}, rows)
	}
}
