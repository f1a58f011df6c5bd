// Package report turns the events of a run into what a person or a program
// reads afterwards. It is pure: the same events give the same bytes.
package report

import (
	"fmt"
	"sort"
	"strings"

	"github.com/org/deploy-action/internal/event"
)

// Options bounds a Markdown report.
type Options struct {
	// Limit is the most bytes the report may have; 0 is no limit, and at least
	// 8 KiB are taken. Past it, logs of failed slots are cut first, the longest
	// ones first, then the last lines of failed stages, then configuration
	// diffs, then rows of tables.
	Limit int

	// Full is where the report without cuts is kept, named where something was
	// cut; empty: nowhere.
	Full string
}

const (
	minLimit = 8 << 10
	maxBlock = 1 << 30 // no block of text is longer
	maxRows  = 1 << 30 // no table is longer
)

// cuts are the most bytes of each block of a kind, and the most rows of each
// table.
type cuts struct {
	logs, tails, diffs, rows int
}

// Markdown is the report of a run as GitHub-flavoured Markdown. The first line
// says how the run ended. Events of a run that was killed give a report too.
func Markdown(events []event.Event, o Options) string {
	a := read(events)
	whole := cuts{logs: maxBlock, tails: maxBlock, diffs: maxBlock, rows: maxRows}
	text := write(a, whole, o.Full)
	if o.Limit <= 0 {
		return text
	}
	limit := max(o.Limit, minLimit)
	if len(text) <= limit {
		return text
	}
	all := tighter(whole)
	mildest := sort.Search(len(all), func(i int) bool { return len(write(a, all[i], o.Full)) <= limit })
	if mildest < len(all) {
		return write(a, all[mildest], o.Full)
	}
	return shortest(a, limit, o.Full)
}

// shortest is the first line alone, or how the run ended where even that is
// too long.
func shortest(a *account, limit int, full string) string {
	where := "\n\n" + pointer("The report is too long for this place", full)
	if text := "## " + mark(a.result.Outcome) + " " + escape(a.headline()) + where; len(text) <= limit {
		return text
	}
	return "## " + mark(a.result.Outcome) + " The run " + inline(string(a.result.Outcome))
}

// tighter lists cuts from the mildest on, one kind after the other.
func tighter(c cuts) []cuts {
	var all []cuts
	for _, field := range []*int{&c.logs, &c.tails, &c.diffs} {
		for _, size := range []int{128 << 10, 32 << 10, 8 << 10, 2 << 10, 512} {
			*field = size
			all = append(all, c)
		}
	}
	for _, rows := range []int{1000, 200, 40, 10} {
		c.rows = rows
		all = append(all, c)
	}
	return all
}

func write(a *account, c cuts, full string) string {
	w := &writer{account: a, cuts: c, full: full}
	w.para("## " + mark(a.result.Outcome) + " " + escape(a.headline()))
	w.origin()
	w.recommendations()
	w.brokenOff()
	w.switches()
	w.stages()
	w.attempts()
	w.rollbacks()
	w.servers()
	w.load()
	w.artifacts()
	w.tails()
	w.notes()
	return w.String()
}

// origin writes what to do next and where the run comes from.
func (w *writer) origin() {
	if next := w.account.next(); next != "" {
		w.para("**Next:** " + inline(next))
	}
	var parts []string
	for _, f := range shortFacts(w.account.origin()) {
		parts = append(parts, f.Name+" "+code(f.Value))
	}
	if url := w.account.run.URL; url != "" {
		parts = append(parts, inline(url))
	}
	w.para(strings.Join(parts, " · "))
}

// writer builds a report of an account within cuts.
type writer struct {
	strings.Builder
	account *account
	cuts    cuts
	full    string // path of the report without cuts
}

// para writes a block of Markdown, unless it is empty, and the empty line after it.
func (w *writer) para(text string) {
	if text != "" {
		w.WriteString(text)
		w.WriteString("\n\n")
	}
}

// table writes rows of cells under a head. Cells are Markdown already.
func (w *writer) table(head []string, rows [][]string) {
	if len(rows) == 0 {
		return
	}
	w.row(head)
	w.WriteString(strings.Repeat("| --- ", len(head)) + "|\n")
	for _, row := range rows[:min(len(rows), w.cuts.rows)] {
		w.row(row)
	}
	w.WriteString("\n")
	if left := len(rows) - w.cuts.rows; left > 0 {
		w.para(pointer(fmt.Sprintf("%d more rows are left out", left), w.full))
	}
}

func (w *writer) row(cells []string) {
	w.WriteString("| " + strings.Join(cells, " | ") + " |\n")
}

// folded writes lines as a code block that opens on a click.
func (w *writer) folded(title, language string, lines []string) {
	w.para("<details><summary>" + inline(title) + "</summary>")
	w.para(fence(language, strings.Join(lines, "\n")))
	w.para("</details>")
}

// some gives each of n sections to write, as many as tables may have rows, and
// says what is left out.
func (w *writer) some(n int, one, many string, section func(i int)) {
	for i := range min(n, w.cuts.rows) {
		section(i)
	}
	if left := n - w.cuts.rows; left > 0 {
		w.para(pointer(count(left, one+" is", many+" are")+" left out", w.full))
	}
}

// pointer says that something was left out and where it is.
func pointer(what, full string) string {
	if full == "" {
		return "_" + what + "._"
	}
	return fmt.Sprintf("_%s; the full report is %s._", what, code(full))
}
