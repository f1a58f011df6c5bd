package report

import (
	"fmt"
	"slices"
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
	for _, family := range families(all) {
		if len(family) > 1 {
			rows = append(rows, legsRow(family))
		}
		for _, s := range family {
			rows = append(rows, s.row(len(family) > 1))
		}
	}
	w.table([]string{"#", "stage", "type", "outcome", "attempts", "duration", "reason"}, rows)
	if len(all) > maxNodes {
		w.para(fmt.Sprintf("_The charts are left out: %d stages are too many to read._", len(all)))
		return
	}
	if len(all) > 1 {
		w.para(fence("mermaid", flowchart(all)))
		w.para(fence("mermaid", stageChart(w.account)))
	}
}

// row is a row of the table of stages; a leg is set off under its stage.
func (s *stage) row(leg bool) []string {
	name := code(s.Name)
	if leg {
		name = "↳ " + name
	}
	return append([]string{strconv.Itoa(s.number), name, cell(s.kind())}, s.ran()...)
}

// ran is what a table says of how a stage went.
func (s *stage) ran() []string {
	duration, attempts := "–", "–"
	if !s.started.IsZero() && s.finished {
		duration, attempts = took(s.result.Took), strconv.Itoa(max(s.attempts(), 1))
	}
	return []string{mark(s.result.Outcome) + " " + inline(s.verdict()), attempts, duration, cell(s.why())}
}

// legsRow sums up the legs of a matrix.
func legsRow(legs []*stage) []string {
	duration := "–"
	if _, d := together(legs); d > 0 {
		duration = took(d)
	}
	return []string{
		"", code(legs[0].Leg) + ", " + count(len(legs), "leg", "legs"), cell(legs[0].kind()),
		mark(worst(legs)) + " " + inline(tally(legs)), "–", duration, "–",
	}
}

// flowchart is the graph of the stages, coloured by outcome, the longest chain
// in bold lines. Legs of one matrix share a frame.
func flowchart(all []*stage) string {
	var b strings.Builder
	b.WriteString("flowchart LR\n")
	for i, family := range families(all) {
		if len(family) > 1 {
			fmt.Fprintf(&b, "  subgraph g%d[\"%s\"]\n", i+1, mermaid(family[0].Leg))
		}
		for _, s := range family {
			fmt.Fprintf(&b, "  n%d[\"%s\"]:::%s\n", s.number, mermaid(s.Name), class(s))
		}
		if len(family) > 1 {
			b.WriteString("  end\n")
		}
	}
	for _, s := range all {
		for _, needed := range s.needed {
			arrow := "-->"
			if s.follows(needed) {
				arrow = "==>"
			}
			fmt.Fprintf(&b, "  n%d %s n%d\n", needed.number, arrow, s.number)
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

// stageChart shows when each stage ran, and the rollback strategies after them.
// What never started has no bar.
func stageChart(a *account) string {
	var b strings.Builder
	b.WriteString(ganttHead)
	for _, s := range a.stages {
		b.WriteString(s.bar(strconv.Itoa(s.number) + " " + ganttName(s.Name)))
	}
	rollbacks := ""
	for _, s := range a.rollbacks {
		rollbacks += s.bar(ganttName(s.Strategy()))
	}
	if rollbacks != "" {
		b.WriteString("  section rollback\n" + rollbacks)
	}
	return b.String()
}

// bar is a line of a Gantt chart.
func (s *stage) bar(name string) string {
	tag := ""
	switch {
	case s.started.IsZero():
		return ""
	case class(s) == "good":
		tag = "done, "
	case class(s) == "bad":
		tag = "crit, "
	}
	return fmt.Sprintf("  %s :%s%s\n", name, tag, span(s.started, s.result.Took))
}

// tails writes the last lines of what failed.
func (w *writer) tails() {
	var loud []*stage
	for _, s := range slices.Concat(w.account.stages, w.account.rollbacks) {
		if len(s.result.Tail) > 0 {
			loud = append(loud, s)
		}
	}
	w.some(len(loud), "stage's last lines", "stages' last lines", func(i int) {
		w.lines("Last lines of stage "+loud[i].Name, "text", tail(loud[i].result.Tail, w.cuts.tails))
	})
}
