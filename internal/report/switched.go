package report

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/org/deploy-action/internal/event"
)

// switches writes the accounts of all switches.
func (w *writer) switches() {
	all := w.account.switches
	w.some(len(all), "switch", "switches", func(i int) { w.switched(all[i]) })
}

// switched writes the account of one switch.
func (w *writer) switched(s switched) {
	w.para("### " + mark(s.Outcome) + " " + escape(path(s.Switch)))
	w.para(moved(s.Switch))
	if s.Traffic != nil {
		w.para("**" + figures(*s.Traffic) + "**" + escape(firstError(*s.Traffic)))
	}
	w.para(besides(s.Switch))
	w.canary(s.Switch)
	w.proxies(s.Switch)
	w.timeline(s)
	w.lines("Configuration diff of "+s.ConfigPath, "diff", head(split(s.Diff), w.cuts.diffs))
	w.lines("Last lines of "+logged(s.Switch), "text", tail(s.Logs, w.cuts.logs))
}

// path is what was switched from where to where.
func path(s event.Switch) string {
	return short(s.Environment) + ": " + slot(s.From) + " → " + slot(s.To)
}

// moved says what became of the traffic and what serves now.
func moved(s event.Switch) string {
	if s.Unseen() {
		return escape(became(s)) + ". What serves could not be told."
	}
	return escape(became(s)) + ". Now serving: **" + escape(slot(s.Serving)) + "**."
}

// became says what became of the traffic.
func became(s event.Switch) string {
	switch {
	case s.Outcome == event.Succeeded && s.Rollback:
		return "Rolled back in " + took(s.Took)
	case s.Outcome == event.Succeeded && s.From.Slot == "":
		return "First deploy, live in " + took(s.Took)
	case s.Outcome == event.Succeeded:
		return "Moved in " + took(s.Took)
	case s.Outcome == event.Stranded:
		return "Could not be put back" + because(s.Reason)
	case s.PutBack:
		return "Traffic was moved and put back" + because(s.Reason)
	}
	return "No traffic was moved" + because(s.Reason)
}

// brokenOff writes the steps of switches in whose middle the run ended.
func (w *writer) brokenOff() {
	all := w.account.brokenOff()
	w.some(len(all), "switch", "switches", func(i int) {
		w.para("### " + mark("") + " " + inline(all[i].environment) + ": the switch was not finished")
		var rows [][]string
		for _, s := range all[i].steps {
			rows = append(rows, []string{cell(s.Name), s.verdict(), s.lasted(), cell(s.say())})
		}
		w.table([]string{"step", "outcome", "took", "what"}, rows)
	})
}

// figures is what the prober saw, in a sentence.
func figures(t event.Traffic) string {
	return fmt.Sprintf("%s, %d failed, %s, longest gap %s",
		count(t.Requests, "request", "requests"), t.Failed, p99(t), millis(t.LongestGap))
}

func p99(t event.Traffic) string {
	switch {
	case t.P99Before == 0:
		return "p99 " + millis(t.P99After)
	case t.P99After == 0:
		return "p99 " + millis(t.P99Before) + " before the switch"
	}
	return "p99 " + latency(t.P99Before) + " → " + millis(t.P99After)
}

func firstError(t event.Traffic) string {
	if t.FirstError == "" {
		return ""
	}
	return ", the first: " + short(t.FirstError)
}

// besides is what the switch cost and left behind.
func besides(s event.Switch) string {
	parts := []string{escape(reloads(s))}
	if text := gap(s); text != "" {
		parts = append(parts, text)
	}
	if s.Drained != nil {
		parts = append(parts, escape(drained(*s.Drained)))
	}
	if s.URL != "" {
		parts = append(parts, inline(s.URL))
	}
	if at := place(s.Pos); at != "" {
		parts = append(parts, code(at))
	}
	return strings.Join(parts, " · ")
}

// gap says how far apart several proxies moved.
func gap(s event.Switch) string {
	if len(s.Proxies) < 2 || s.Gap == 0 {
		return ""
	}
	return fmt.Sprintf("%d proxies moved within %s", len(s.Proxies), millis(s.Gap))
}

// proxies writes what became of each proxy, where there are several.
func (w *writer) proxies(s event.Switch) {
	if len(s.Proxies) < 2 {
		return
	}
	var rows [][]string
	for _, p := range s.Proxies {
		after, requests, failed := "", "", ""
		if p.After != nil {
			after = "+" + millis(*p.After)
		}
		if p.Traffic != nil {
			requests, failed = strconv.Itoa(p.Traffic.Requests), strconv.Itoa(p.Traffic.Failed)
		}
		rows = append(rows, []string{cell(p.Server), cell(p.Kind), cell(p.Now()), after, requests, failed})
	}
	w.table([]string{"proxy", "kind", "now", "moved", "requests", "failed"}, rows)
}

// logged is the slot whose last lines are shown, and where it runs.
func logged(s event.Switch) string {
	if s.LogsOf == "" || len(s.Servers) < 2 {
		return "slot " + s.To.Slot
	}
	return "slot " + s.To.Slot + " on " + s.LogsOf
}

func reloads(s event.Switch) string {
	if s.Proxy == "aws_elb" {
		return "aws_elb: nothing to reload"
	}
	return short(s.Proxy) + ": " + count(s.Reloads, "reload", "reloads")
}

func drained(d event.Drain) string {
	return fmt.Sprintf("drain of %s: %d → %s in %s", short(d.Slot), d.Before, count(d.After, "connection", "connections"), took(d.Took))
}

// timeline writes the moments of a switch as a table and as a chart.
func (w *writer) timeline(s switched) {
	var rows [][]string
	for _, item := range s.Timeline {
		rows = append(rows, []string{took(item.At), cell(item.Name), cell(item.Text)})
	}
	w.table([]string{"at", "step", "what"}, rows)
	if len(s.Timeline) > 1 && len(s.Timeline) <= maxNodes {
		w.para(fence("mermaid", timelineChart(s)))
	}
}

// timelineChart is a Gantt chart in which each step lasts until the next one.
func timelineChart(s switched) string {
	var b strings.Builder
	b.WriteString(ganttHead)
	began := s.at.Add(-s.Took)
	fmt.Fprintf(&b, "  section %s\n", ganttName(s.Environment))
	for i, item := range s.Timeline {
		until := max(s.Took, item.At)
		if i+1 < len(s.Timeline) {
			until = s.Timeline[i+1].At
		}
		fmt.Fprintf(&b, "  %d %s :%s\n", i+1, ganttName(item.Name), span(began.Add(item.At), until-item.At))
	}
	return b.String()
}

// span is a start and a duration as Mermaid's Gantt reads them with
// "dateFormat x"; a bar of no length would not show.
func span(start time.Time, d time.Duration) string {
	return fmt.Sprintf("%d, %dms", start.UnixMilli(), max(d.Milliseconds(), 1))
}

// lines writes kept lines folded, unless there are none.
func (w *writer) lines(title, language string, k kept) {
	if len(k.lines) == 0 && k.left == 0 {
		return
	}
	w.folded(title, language, k.lines)
	if k.left > 0 {
		w.para(pointer(count(k.left, "line is", "lines are")+" left out or cut above", w.full))
	}
}

// kept is what a cut left of a text.
type kept struct {
	lines []string
	left  int // lines left out or cut
}

// head keeps whole lines from the start, at most size bytes.
func head(lines []string, size int) kept {
	for i, line := range lines {
		if size -= len(line) + 1; size < 0 {
			return kept{lines[:i], len(lines) - i}
		}
	}
	return kept{lines, 0}
}

// tail keeps lines from the end, at most size bytes. The last line is never
// left out: of one that is too long by itself, the beginning stays.
func tail(lines []string, size int) kept {
	room := size
	for i := len(lines) - 1; i >= 0; i-- {
		if room -= len(lines[i]) + 1; room >= 0 {
			continue
		}
		if i == len(lines)-1 {
			return kept{[]string{lines[i][:size] + "…"}, i + 1}
		}
		return kept{lines[i+1:], i + 1}
	}
	return kept{lines, 0}
}

func split(text string) []string {
	if text == "" {
		return nil
	}
	return strings.Split(strings.TrimRight(text, "\n"), "\n")
}
