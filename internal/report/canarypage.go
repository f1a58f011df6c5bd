package report

import (
	"fmt"
	"strings"

	"github.com/org/deploy-action/internal/event"
)

// canaryView is a canary on the page.
type canaryView struct {
	Text   string
	Rows   []lookView
	Left   string // rows that are left out
	Chart  bool
	Share  string // points of polylines in the chart
	New    string
	Old    string
	Legend string
}

// lookView is a row of the table.
type lookView struct {
	At, Share string
	New, Old  []string // requests, errors, p95
	Verdict   string
	Class     string
}

// The chart's size, in its own units, and how many rows the table has at most. The
// last ones decide.
const (
	chartWidth  = 600
	chartHeight = 120
	mostLooks   = 100
)

func canaryViewOf(c *event.Canary) *canaryView {
	if c == nil {
		return nil
	}
	v := &canaryView{Text: canaryText(*c)}
	looks := c.Looks
	if left := len(looks) - mostLooks; left > 0 {
		looks, v.Left = looks[left:], count(left, "earlier look is", "earlier looks are")+" left out"
	}
	for _, l := range looks {
		v.Rows = append(v.Rows, lookView{
			At: took(l.At), Share: fmt.Sprintf("%d %%", l.Percent), New: sideCells(l.New, l.SyntheticNew), Old: sideCells(l.Old, l.SyntheticOld),
			Verdict: short(said(l)), Class: map[string]string{"pass": "ok", "fail": "bad"}[l.Verdict],
		})
	}
	if len(c.Looks) > 1 {
		v.draw(thinned(c.Looks))
	}
	return v
}

// draw makes the lines of the chart: the share on a scale to 100 %, the errors on
// one to the most there were.
func (v *canaryView) draw(looks []event.Look) {
	most := 1.0
	for _, l := range looks {
		most = max(most, l.New.ErrorRate(), l.Old.ErrorRate())
	}
	line := func(of func(event.Look) float64, top float64) string {
		var points []string
		for i, l := range looks {
			x := float64(i) * chartWidth / float64(len(looks)-1)
			points = append(points, fmt.Sprintf("%.1f,%.1f", x, chartHeight*(1-of(l)/top)))
		}
		return strings.Join(points, " ")
	}
	v.Chart = true
	v.Share = fmt.Sprintf("0,%d %s %d,%d", chartHeight, line(func(l event.Look) float64 { return float64(l.Percent) }, 100), chartWidth, chartHeight)
	v.New = line(func(l event.Look) float64 { return l.New.ErrorRate() }, most)
	v.Old = line(func(l event.Look) float64 { return l.Old.ErrorRate() }, most)
	v.Legend = fmt.Sprintf("Area: the share of %s, up to 100 %%. Lines: errors of %s (strong) and of %s (thin), up to %.1f %%.",
		short(looks[0].New.Slot), short(looks[0].New.Slot), short(looks[0].Old.Slot), most)
}
