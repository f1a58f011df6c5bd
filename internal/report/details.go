package report

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/org/deploy-action/internal/event"
)

// attempts writes every attempt of the stages that were repeated.
func (w *writer) attempts() {
	var rows [][]string
	for _, s := range w.account.everything() {
		for _, t := range s.tries() {
			rows = append(rows, t.row(s))
		}
	}
	if len(rows) > 0 {
		w.para("### Attempts")
		w.table([]string{"stage", "attempt", "outcome", "took", "then waited", "reason"}, rows)
	}
}

func (t attempt) row(s *stage) []string {
	outcome, lasted, wait := "unfinished", "–", "–"
	if t.outcome != "" {
		outcome, lasted = string(t.outcome), took(t.took)
	}
	if t.wait > 0 {
		wait = took(t.wait)
	}
	return []string{
		code(s.Name), fmt.Sprintf("%d of %d", t.number, t.of), mark(t.outcome) + " " + inline(outcome), lasted, wait, cell(t.reason),
	}
}

// rollbacks writes what each rollback strategy did, or why it did nothing.
func (w *writer) rollbacks() {
	if len(w.account.rollbacks) == 0 {
		return
	}
	w.para("### Rollback strategies")
	var rows [][]string
	for _, s := range w.account.rollbacks {
		ran := s.ran()
		if s.idle() {
			ran = []string{"– did nothing", "–", "–", w.account.idleBecause()}
		}
		rows = append(rows, append([]string{code(s.Strategy()), cell(s.kind())}, ran...))
	}
	w.table([]string{"strategy", "type", "outcome", "attempts", "duration", "reason"}, rows)
}

// servers writes how the tasks went, server by server.
func (w *writer) servers() {
	var tasks []*stage
	for _, s := range w.account.everything() {
		if len(s.servers()) > 0 {
			tasks = append(tasks, s)
		}
	}
	w.some(len(tasks), "task", "tasks", func(i int) {
		servers := tasks[i].servers()
		w.para("### Servers of " + inline(tasks[i].Name) + ": " + tallySteps(servers))
		var rows [][]string
		for _, s := range servers {
			rows = append(rows, []string{code(s.Server), s.verdict(), s.lasted(), cell(s.say())})
		}
		w.table([]string{"server", "outcome", "took", "what"}, rows)
	})
}

// artifacts writes what was kept of what the stages made.
func (w *writer) artifacts() {
	var rows [][]string
	for _, f := range w.account.artifacts {
		rows = append(rows, artifactRow(f))
	}
	if len(rows) > 0 {
		w.para("### Artifacts")
		w.table([]string{"artifact", "files", "size", "kept as", "SHA-256", "let go"}, rows)
	}
}

func artifactRow(f event.Artifact) []string {
	if f.Missing {
		return []string{code(f.Name), "–", "–", missing, "–", "–"}
	}
	removed := "–"
	if len(f.Removed) > 0 {
		removed = escape(enumerate(shorts(f.Removed)))
	}
	return []string{code(f.Name), strconv.Itoa(f.Files), packed(f), code(f.Path), code(clip(f.SHA256, 12)), removed}
}

// missing is what became of an artifact that there was nothing of.
const missing = "missing: nothing matched its path"

// packed is the size of an artifact's files and of its archive.
func packed(f event.Artifact) string {
	return fmt.Sprintf("%s, packed %s", size(f.Size), size(f.Packed))
}

// notes writes what the run wanted the reader to know.
func (w *writer) notes() {
	var rows [][]string
	for _, n := range w.account.notes {
		text := cell(n.Text)
		if n.Hint != "" {
			text += "<br>" + inline(n.Hint)
		}
		rows = append(rows, []string{inline(string(n.Level)), code(place(n.Pos)), text})
	}
	if len(rows) > 0 {
		w.para("### Notices")
		w.table([]string{"level", "where", "what"}, rows)
	}
}

// shorts makes each text fit for a sentence.
func shorts(texts []string) []string {
	all := make([]string, len(texts))
	for i, text := range texts {
		all[i] = strings.TrimSpace(short(text))
	}
	return all
}
