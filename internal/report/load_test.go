package report

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/org/deploy-action/internal/event"
	"github.com/org/deploy-action/internal/metrics"
)

// measured is a run that used three servers: one at ease, one short of disk, one
// that was gone at the end.
func measured() []event.Event {
	sample := func(cpu, disk int) *metrics.Sample {
		return &metrics.Sample{
			Cores: 2, CPU: cpu, Window: 3 * time.Second, Load1: 0.25, Memory: metrics.Memory{Size: 8e9, Free: 6e9, Used: 25},
			Disks: []metrics.Disk{{Path: "/", Size: 4e10, Free: 2e10, Used: 50}, {Path: "/srv", Size: 1e10, Free: 5e8, Used: disk}},
		}
	}
	events := []event.Event{{Kind: event.RunStarted, Run: &event.Run{ID: "r", Command: "task"}}}
	for _, server := range []event.Server{
		{Name: "web1", Sample: sample(12, 70)}, {Name: "web2", Sample: sample(80, 95)}, {Name: "web3", Error: "web3: connection lost"},
	} {
		events = append(events, event.Event{Kind: event.ServerSampled, Server: &server})
	}
	return append(events, event.Event{Kind: event.RunFinished, Result: &event.Result{Outcome: event.Succeeded}})
}

func TestLoadOfServers(t *testing.T) {
	events := measured()
	text := Markdown(events, Options{})
	for _, row := range []string{
		"### Load of the servers\n\n| server | CPU | load | memory | disks |\n",
		"| <code>web1</code> | 12 % of 2 cores over 3 s | 0.25 | 25 % of 8.0 GB | / 50 %, 20.0 GB free; /srv 70 %, 500.0 MB free |\n",
		"| <code>web2</code> | 80 % of 2 cores over 3 s | 0.25 | 25 % of 8.0 GB | / 50 %, 20.0 GB free; /srv ⚠ 95 %, 500.0 MB free |\n",
		"| <code>web3</code> | – | – | – | not measured: web3: connection lost |\n",
		"### Recommendations\n\n- web2: /srv is 95 % full",
	} {
		if !strings.Contains(text, row) {
			t.Errorf("no %q in:\n%s", row, text)
		}
	}
	if strings.Count(text, " is 95 % full")+strings.Count(text, "busy:") != 1 {
		t.Errorf("advice about what is not over 80 %%:\n%s", text)
	}
	page, err := HTML(events, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{`href="#load"`, `<th scope="row">web2</th>`, "⚠ 95 %, 500.0 MB free</td>"} {
		if !strings.Contains(string(page), want) {
			t.Errorf("no %q in the page", want)
		}
	}
}

func TestLoadInJSON(t *testing.T) {
	events := measured()
	text, err := JSON(events)
	if err != nil {
		t.Fatal(err)
	}
	var doc Document
	if err := json.Unmarshal(text, &doc); err != nil {
		t.Fatal(err)
	}
	var want []event.Server
	for _, e := range events[1:4] {
		want = append(want, *e.Server)
	}
	if diff := cmp.Diff(want, doc.Servers); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if !slices.ContainsFunc(doc.Recommendations, func(s string) bool { return strings.HasPrefix(s, "web2: /srv") }) {
		t.Errorf("recommendations: %q", doc.Recommendations)
	}
}

// A sample of a run that took no time says nothing about the CPU.
func TestLoadWithoutTime(t *testing.T) {
	if row := loadRow(event.Server{Name: "web1", Sample: &metrics.Sample{Cores: 2}}); row[1] != "–" {
		t.Errorf("%q", row)
	}
}
