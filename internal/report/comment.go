package report

import (
	"slices"
	"strings"
	"time"

	"github.com/org/deploy-action/internal/event"
	"github.com/org/deploy-action/internal/plan"
)

// Comment is what a pull request is told of a switch, as GitHub-flavoured
// Markdown: what became of it, where it is reached, and how to read more.
func Comment(run event.Run, s event.Switch, ended time.Time) string {
	w := &writer{cuts: cuts{rows: maxRows}}
	w.para("### " + mark(s.Outcome) + " " + escape(path(s)))
	w.para(moved(s))
	w.facts([]fact{
		{"url", inline(s.URL)},
		{"commit", code(run.Commit)},
		{"health", inline(healthOf(s))},
		{"traffic", escape(trafficOf(s))},
		{"ended", ended.UTC().Format("2006-01-02 15:04:05 UTC")},
		{"run", inline(run.URL)},
		{"by", inline(run.Actor)},
	})
	return w.String()
}

// facts writes what is known as a table; values are Markdown already.
func (w *writer) facts(all []fact) {
	var rows [][]string
	for _, f := range all {
		if f.Value != "" && f.Value != "–" {
			rows = append(rows, []string{f.Name, f.Value})
		}
	}
	w.table([]string{"", ""}, rows)
}

// healthOf is what the step that waited for health has found.
func healthOf(s event.Switch) string {
	for _, item := range s.Timeline {
		if item.Name == "health" {
			return item.Text
		}
	}
	return ""
}

func trafficOf(s event.Switch) string {
	if s.Traffic == nil {
		return ""
	}
	return figures(*s.Traffic) + firstError(*s.Traffic)
}

// PlanComment is what a pull request is told of a plan: where traffic would go,
// how configurations change, and the whole plan, as far as limit bytes reach. A
// plan has its secrets still: mask takes them out of what is shown.
func PlanComment(p *plan.Plan, run string, limit int, mask func(string) string) string {
	var text strings.Builder
	if p.Write(&text) != nil {
		panic("report: a Builder takes everything")
	}
	for _, c := range planCuts() {
		shown := &planWriter{writer: &writer{cuts: c}, plan: p, mask: mask}
		if comment := shown.write(run, text.String()); len(comment) <= limit {
			return comment
		}
	}
	return "### The plan is too long for a comment\n\n" + inline(run)
}

// planCuts are from the mildest on: the whole plan first, as the diffs are what a
// review is about.
func planCuts() []cuts {
	c := cuts{diffs: maxBlock, logs: maxBlock, rows: maxRows}
	all := []cuts{c}
	for _, field := range []*int{&c.logs, &c.diffs} {
		for _, size := range []int{32 << 10, 8 << 10, 2 << 10, 0} {
			*field = size
			all = append(all, c)
		}
	}
	c.rows = 20
	return append(all, c)
}

type planWriter struct {
	*writer
	plan *plan.Plan
	mask func(string) string
}

func (w *planWriter) write(run, text string) string {
	w.para("### Plan of " + inline(planned(w.plan)))
	var rows [][]string
	for _, d := range w.plan.Deploys {
		if d.Preview != nil {
			rows = append(rows, w.deploy(d))
		}
	}
	w.table([]string{"environment", "traffic", "configuration", "problems"}, rows)
	for _, d := range w.plan.Deploys[:min(len(w.plan.Deploys), w.cuts.rows)] {
		if d.Preview != nil {
			title := "Changes of " + w.mask(d.Preview.Config) + " for " + string(d.Environment.Name)
			w.lines(title, "diff", head(split(w.mask(d.Preview.Diff)), w.cuts.diffs))
		}
	}
	w.lines("The whole plan", "text", head(split(w.mask(text)), w.cuts.logs))
	w.para(inline(run))
	return w.String()
}

// planned is what a plan is of.
func planned(p *plan.Plan) string {
	switch {
	case p.Pipeline != "":
		return "pipeline " + p.Pipeline
	case len(p.Deploys) == 1:
		return string(p.Deploys[0].Environment.Name)
	case len(p.Stages) == 1:
		return "task " + p.Stages[0].Name
	}
	return p.Spec
}

func (w *planWriter) deploy(d *plan.Deploy) []string {
	v := d.Preview
	from := "nothing"
	if !v.First {
		from = slot(event.SlotRelease{Slot: v.From, Release: v.FromID})
	}
	config := "stays as it is"
	switch {
	case v.Diff != "" && v.Reload:
		config = "changes, with a reload"
	case v.Diff != "":
		config = "changes"
	}
	to := slot(event.SlotRelease{Slot: v.To, Release: v.ToID})
	return []string{cell(string(d.Environment.Name)), inline(from + " → " + to), config, cell(w.mask(strings.Join(slices.Concat(v.Problems, v.Drift), "; ")))}
}
