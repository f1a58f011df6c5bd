package report

import (
	"fmt"
	"strings"

	"github.com/org/deploy-action/internal/event"
	"github.com/org/deploy-action/internal/metrics"
)

// loadHead is above the rows of servers and how busy they were.
var loadHead = []string{"server", "CPU", "load", "memory", "disks"}

// loadRow is how busy a server was at the end of the run, as plain text.
func loadRow(of event.Server) [5]string {
	s := of.Sample
	if s == nil {
		return [5]string{short(of.Name), "–", "–", "–", "not measured: " + short(of.Error)}
	}
	cpu := "–"
	if s.Window > 0 {
		cpu = fmt.Sprintf("%s of %s over %s", usedUp(s.CPU), count(s.Cores, "core", "cores"), took(s.Window))
	}
	var disks []string
	for _, d := range s.Disks {
		disks = append(disks, fmt.Sprintf("%s %s, %s free", short(d.Path), usedUp(d.Used), size(d.Free)))
	}
	return [5]string{
		short(of.Name), cpu, fmt.Sprintf("%.2f", s.Load1),
		fmt.Sprintf("%s of %s", usedUp(s.Memory.Used), size(s.Memory.Size)), strings.Join(disks, "; "),
	}
}

// usedUp is a percentage, marked where it is too high.
func usedUp(percent int) string {
	if metrics.High(percent) {
		return fmt.Sprintf("⚠ %d %%", percent)
	}
	return fmt.Sprintf("%d %%", percent)
}

// load writes how busy the servers were.
func (w *writer) load() {
	var rows [][]string
	for _, of := range w.account.servers {
		cells := loadRow(of)
		row := []string{code(cells[0])}
		for _, text := range cells[1:] {
			row = append(row, cell(text))
		}
		rows = append(rows, row)
	}
	if len(rows) > 0 {
		w.para("### Load of the servers")
		w.table(loadHead, rows)
	}
}

// loadViews are the rows of the page.
func loadViews(a *account) [][5]string {
	var all [][5]string
	for _, of := range a.servers {
		all = append(all, loadRow(of))
	}
	return all
}

// shortages is what to do about servers that have little left.
func (a *account) shortages() []string {
	var list []string
	for _, of := range a.servers {
		if of.Sample == nil {
			continue
		}
		for _, text := range of.Sample.Advice() {
			list = append(list, of.Name+": "+text)
		}
	}
	return list
}
