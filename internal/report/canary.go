package report

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/org/deploy-action/internal/event"
)

// canary writes what a canary has come to: each look as a row, and a chart.
func (w *writer) canary(s event.Switch) {
	c := s.Canary
	if c == nil {
		return
	}
	w.para(escape(canaryText(*c)))
	var rows [][]string
	for _, l := range c.Looks {
		row := []string{took(l.At), fmt.Sprintf("%d %%", l.Percent)}
		row = append(append(row, sideCells(l.New, l.SyntheticNew)...), sideCells(l.Old, l.SyntheticOld)...)
		rows = append(rows, append(row, cell(said(l))))
	}
	w.table([]string{"at", "share", "new: requests", "errors", "p95", "old: requests", "errors", "p95", "verdict"}, rows)
	if len(c.Looks) > 1 {
		w.para(fence("mermaid", canaryChart(*c)))
	}
}

// canaryText says how a canary ended.
func canaryText(c event.Canary) string {
	text := "Canary " + string(c.Outcome)
	switch {
	case c.Outcome == event.CanarySkipped:
		return text + because(c.Reason) + "."
	case len(c.Shares) == 0:
		return text + " before the new release got any request" + because(c.Reason) + "."
	}
	most := c.Shares[len(c.Shares)-1]
	text = fmt.Sprintf("%s at %d %%, after %s%s.", text, most.Percent, count(len(c.Looks), "look", "looks"), because(c.Reason))
	if c.Synthetic > 0 {
		text += fmt.Sprintf(" Each proxy was sent %s a second; these stand behind a +.", count(c.Synthetic, "synthetic request", "synthetic requests"))
	}
	return text
}

// sideCells are what one release did for clients and, behind a +, with synthetic
// requests, as cells.
func sideCells(s event.Side, synthetic *event.Side) []string {
	all := cellsOf(s)
	if synthetic != nil {
		for i, text := range cellsOf(*synthetic) {
			all[i] += " + " + text
		}
	}
	return all
}

func cellsOf(s event.Side) []string {
	if s.Requests == 0 {
		return []string{"0", "–", "–"}
	}
	p95 := "–"
	if s.P95 > 0 {
		p95 = millis(s.P95)
	}
	return []string{strconv.Itoa(s.Requests), rate(s), p95}
}

// rate is a share of errors: "0.8 %".
func rate(s event.Side) string {
	return strings.TrimSuffix(strconv.FormatFloat(s.ErrorRate(), 'f', 1, 64), ".0") + " %"
}

// said is what a look says and what follows.
func said(l event.Look) string {
	text := l.Verdict
	if text == "" {
		text = "no figures"
	}
	if why := l.Why; why != "" {
		text += ": " + why
	} else if l.Reason != "" {
		text += ": " + l.Reason
	}
	if l.Action != "hold" {
		text += " → " + l.Action
	}
	if l.Figures != nil {
		text += "; " + l.Measured()
	}
	if l.Missed {
		text += "; a proxy could not tell of all requests"
	}
	return text
}

// mostPoints is how many looks a chart shows.
const mostPoints = 60

// thinned are so many looks of all that a chart can be read; the last one decides
// and is always there.
func thinned(looks []event.Look) []event.Look {
	every := (len(looks) + mostPoints - 1) / mostPoints
	var kept []event.Look
	for i, l := range looks {
		if (len(looks)-1-i)%every == 0 {
			kept = append(kept, l)
		}
	}
	return kept
}

// canaryChart has the share as bars and the errors of both releases as lines.
func canaryChart(c event.Canary) string {
	looks := thinned(c.Looks)
	series := func(of func(event.Look) float64) string {
		var all []string
		for _, l := range looks {
			all = append(all, strconv.FormatFloat(of(l), 'f', 1, 64))
		}
		return "[" + strings.Join(all, ", ") + "]"
	}
	var b strings.Builder
	b.WriteString("xychart-beta\n  title \"Share (bars), errors of the new and of the old release (lines)\"\n")
	fmt.Fprintf(&b, "  x-axis \"look\" 1 --> %d\n  y-axis \"percent\" 0 --> 100\n", len(c.Looks))
	fmt.Fprintf(&b, "  bar %s\n", series(func(l event.Look) float64 { return float64(l.Percent) }))
	fmt.Fprintf(&b, "  line %s\n", series(func(l event.Look) float64 { return l.New.ErrorRate() }))
	fmt.Fprintf(&b, "  line %s\n", series(func(l event.Look) float64 { return l.Old.ErrorRate() }))
	return b.String()
}
