package report

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/org/deploy-action/internal/event"
	"github.com/org/deploy-action/internal/spec"
)

var update = flag.Bool("update", false, "rewrite the golden files")

const goldens = "../../testdata/report"

// log builds events whose clock moves only when it is told to.
type log struct {
	now    time.Time
	events []event.Event
	stage  string // of switches
}

func newLog(stages ...event.Stage) *log {
	l := &log{stage: "deploy", now: time.Date(2026, 11, 24, 9, 30, 0, 0, time.UTC)}
	return l.add(event.Event{Kind: event.RunStarted, Run: &event.Run{
		ID: "20261124t093000z-k3v9qz", Command: "run", Spec: "deploy.hcl", Pipeline: "release", Commit: "8c1f0a2b7d",
		Ref: "refs/heads/main", Actor: "ada", URL: "https://github.com/org/shop/actions/runs/41", Version: "0.1.0", Stages: stages,
	}})
}

func (l *log) add(e event.Event) *log {
	e.Schema, e.Time = event.Schema, l.now
	l.events = append(l.events, e)
	return l
}

func (l *log) wait(d time.Duration) *log {
	l.now = l.now.Add(d)
	return l
}

func (l *log) start(stage string) *log {
	return l.add(event.Event{Kind: event.StageStarted, Stage: stage})
}

func (l *log) end(stage string, r event.Result) *log {
	return l.add(event.Event{Kind: event.StageFinished, Stage: stage, Result: &r})
}

func (l *log) good(stage string, took time.Duration) *log {
	return l.start(stage).wait(took).end(stage, event.Result{Outcome: event.Succeeded, Attempts: 1, Took: took})
}

func (l *log) switched(s event.Switch) *log {
	return l.add(event.Event{Kind: event.SwitchDone, Stage: l.stage, Switch: &s})
}

func (l *log) finish(r event.Result) []event.Event {
	return l.add(event.Event{Kind: event.RunFinished, Result: &r}).events
}

func line(n int) spec.Pos { return spec.Pos{File: "deploy.hcl", Line: n, Column: 3} }

var stages = []event.Stage{
	{Name: "build", Type: "build", Body: "run", Pos: line(20)},
	{Name: "test[unit]", Type: "test", Body: "run", Needs: []string{"build"}, Pos: line(25)},
	{Name: "audit", Body: "run", Needs: []string{"build"}, Pos: line(31)},
	{Name: "deploy", Type: "deploy", Body: "deploy", Needs: []string{"test[unit]", "audit"}, Pos: line(40)},
	{Name: "notify", Body: "run", Needs: []string{"deploy"}, Pos: line(50)},
}

var blueGreen = event.Switch{
	Environment: "shop", Proxy: "nginx", URL: "http://shop.example.com/",
	From:    event.SlotRelease{Slot: "blue", Release: "20261123t101500z-aaaa1111"},
	To:      event.SlotRelease{Slot: "green", Release: "20261124t093012z-bbbb2222"},
	Serving: event.SlotRelease{Slot: "green", Release: "20261124t093012z-bbbb2222"},
	Outcome: event.Succeeded, Took: 36200 * time.Millisecond, Pos: line(42), ConfigPath: "/etc/nginx/conf.d/shop.conf",
	Traffic: &event.Traffic{Requests: 412, P99Before: 4 * time.Millisecond, P99After: 5 * time.Millisecond, LongestGap: 52 * time.Millisecond},
	Drained: &event.Drain{Slot: "blue", Before: 12, Took: 3100 * time.Millisecond},
	Timeline: []event.TimelineItem{
		{At: 0, Name: "upload", Text: "3 of 812 files, 1.2 MB"},
		{At: 900 * time.Millisecond, Name: "start"},
		{At: 2 * time.Second, Name: "health", Text: "3 passes of /healthz"},
		{At: 5 * time.Second, Name: "commit", Text: "the first request reached green after 4 ms"},
		{At: 35 * time.Second, Name: "drain", Text: "12 → 0 connections"},
	},
}

func succeeded() []event.Event {
	l := newLog(stages...).good("build", 42*time.Second).start("test[unit]").start("audit").wait(9 * time.Second)
	l.add(event.Event{Kind: event.StageRetry, Stage: "test[unit]", Attempt: &event.Attempt{Number: 1, Of: 3, Error: "exit status 1", Took: 9 * time.Second, Wait: 5 * time.Second}})
	l.end("audit", event.Result{Outcome: event.Failed, Ignored: true, Reason: "npm audit: exit status 1", Attempts: 1, Took: 9 * time.Second, ExitCode: 1, Tail: []string{"1 high severity vulnerability"}, Pos: line(31)})
	l.wait(14*time.Second).end("test[unit]", event.Result{Outcome: event.Succeeded, Attempts: 2, Took: 23 * time.Second})
	s := blueGreen
	s.Reloads, s.Diff = 1, "--- shop.conf\n+++ shop.conf\n@@ -4 +4 @@\n-    server 127.0.0.1:8081;\n+    server 127.0.0.1:8083;\n"
	l.start("deploy").wait(s.Took).switched(s).end("deploy", event.Result{Outcome: event.Succeeded, Attempts: 1, Took: s.Took})
	l.end("notify", event.Result{Outcome: event.Skipped, Reason: "when is false: github.ref == \"refs/tags/v1\"", Pos: line(50)})
	l.add(event.Event{Kind: event.Notice, Note: &event.Note{Level: event.Warning, Text: "artifact app: dist is missing", Hint: "required = true makes this a failure", Pos: line(60)}})
	return l.finish(event.Result{Outcome: event.Succeeded, Took: 101200 * time.Millisecond})
}

// aborted is a canary that errors have ended.
func aborted() []event.Event {
	s := blueGreen
	s.Outcome, s.PutBack, s.Serving, s.Timeline, s.Traffic = event.Failed, true, s.From, nil, nil
	why := "11.0 % errors (33 of 300 requests), the old release has 0.3 % (1 of 310); at most 1 % are allowed"
	s.Reason = "canary: aborted at 50 %: " + why
	sides := func(newer, newErrors, older int) (event.Side, event.Side) {
		return event.Side{Slot: "green", Requests: newer, Errors: newErrors, P50: 4 * time.Millisecond, P95: 12 * time.Millisecond},
			event.Side{Slot: "blue", Requests: older, Errors: 1, P50: 4 * time.Millisecond, P95: 11 * time.Millisecond}
	}
	s.Canary = &event.Canary{Sticky: "cookie", Source: "proxy", Synthetic: 5, Outcome: event.CanaryAborted, Reason: why, Shares: []event.Share{
		{Slot: "green", At: time.Second, Percent: 10, Took: 3 * time.Millisecond}, {Slot: "green", At: 21 * time.Second, Percent: 50, Took: 2 * time.Millisecond},
	}}
	for i, look := range []event.Look{
		{Percent: 10, Verdict: "insufficient", Why: "12 requests to the new release, 50 are needed", Action: "hold", Next: 10},
		{Percent: 10, Verdict: "pass", Action: "step", Next: 50},
		{Percent: 50, Why: "counters: permission denied", Action: "hold", Next: 50, Missed: true},
		{Percent: 50, Verdict: "fail", Why: why, Reason: why, Action: "abort"},
	} {
		look.At = time.Duration(i+1) * 10 * time.Second
		if look.Verdict != "" {
			look.New, look.Old = sides([]int{12, 61, 0, 300}[i], []int{0, 0, 0, 33}[i], []int{108, 540, 0, 310}[i])
		}
		if i == 0 {
			look.SyntheticNew, look.SyntheticOld = &event.Side{Slot: "green"}, &event.Side{Slot: "blue", Requests: 50, Errors: 1, P95: 3 * time.Millisecond}
		}
		s.Canary.Looks = append(s.Canary.Looks, look)
	}
	l := newLog(stages...).start("deploy").wait(s.Took).switched(s)
	l.end("deploy", event.Result{Outcome: event.Failed, Reason: s.Reason, Attempts: 1, Took: s.Took, Pos: line(40)})
	return l.finish(event.Result{Outcome: event.Failed, Reason: "stage deploy: " + s.Reason, Took: time.Minute, ExitCode: 1})
}

func putBack() []event.Event {
	s := blueGreen
	s.Outcome, s.PutBack, s.Serving, s.Drained, s.Timeline = event.Failed, true, s.From, nil, s.Timeline[:4]
	s.Reason = "watch: GET /healthz: 502 for 3 of 3 probes"
	s.Traffic = &event.Traffic{Requests: 140, Failed: 3, FirstError: "GET /healthz: 502", P99Before: 4 * time.Millisecond, P99After: 180 * time.Millisecond, LongestGap: 210 * time.Millisecond}
	s.Logs = []string{"listening on 8082", "panic: ``` no config", "exit 2"}
	r := event.Result{Outcome: event.Failed, Reason: s.Reason, Hint: "read the slot's log, then deploy again", Attempts: 1, Took: s.Took, Tail: []string{"watch failed"}, Pos: line(40)}
	l := newLog(stages...).good("build", 12*time.Minute).good("test[unit]", time.Minute).good("audit", time.Second)
	l.start("deploy").wait(s.Took).switched(s).end("deploy", r)
	l.end("notify", event.Result{Outcome: event.Blocked, Reason: "deploy did not succeed", Pos: line(50)})
	return l.finish(event.Result{Outcome: event.Failed, Reason: "stage deploy: " + s.Reason, Hint: r.Hint, Took: 14 * time.Minute, ExitCode: 1})
}

func stranded() []event.Event {
	s := blueGreen
	s.Outcome, s.Serving, s.Traffic, s.Timeline, s.Drained = event.Stranded, s.To, nil, nil, nil
	s.Reason = "proxy edge-2 could not be put back: nginx: [emerg] bind() to 0.0.0.0:80 failed (98: Address already in use)"
	l := newLog()
	l.stage = ""
	l.events[0].Run.Command, l.events[0].Run.Pipeline = "deploy", ""
	return l.wait(s.Took).switched(s).finish(event.Result{Outcome: event.Stranded, Reason: s.Reason, Hint: "free port 80 on edge-2, then: turnout recover shop", Took: s.Took, ExitCode: 3})
}

func cancelled() []event.Event {
	l := newLog(stages...).good("build", 30*time.Second).start("test[unit]").start("audit").wait(time.Second)
	for _, name := range []string{"test[unit]", "audit"} {
		l.end(name, event.Result{Outcome: event.Cancelled, Reason: "interrupt", Attempts: 1, Took: time.Second})
	}
	return l.finish(event.Result{Outcome: event.Cancelled, Reason: "interrupt signal received", Took: 31 * time.Second, ExitCode: 130})
}

func killed() []event.Event {
	return newLog(stages...).good("build", 30*time.Second).start("audit").events
}

func hostile() []event.Event {
	evil := "a|b `c` <img src=x onerror=alert(1)> **d** @org #1 \"]; click n1 \"javascript:alert(1)\"\nsection x :y ``` \x1b[31m\u202eend"
	l := newLog(event.Stage{Name: evil, Type: evil, Pos: line(1)}, event.Stage{Name: "end", Needs: []string{evil, "missing"}})
	l.start(evil).end(evil, event.Result{Outcome: event.Failed, Reason: evil, Hint: evil, Took: time.Second, Tail: strings.Split(evil, "\n"), Attempts: 1})
	s := blueGreen
	s.Environment, s.Reason, s.Outcome, s.Logs, s.Diff = evil, evil, event.Failed, []string{"````", evil}, "+```\n+</details>\n"
	s.Timeline = []event.TimelineItem{{Name: evil, Text: evil}, {At: time.Second, Name: "b"}}
	look := event.Look{New: event.Side{Slot: evil, Requests: 1}, SyntheticNew: &event.Side{Slot: evil}, Old: event.Side{Slot: evil}, Verdict: evil, Why: evil, Action: evil, Reason: evil}
	s.Canary = &event.Canary{Sticky: evil, Source: evil, Outcome: event.CanaryAborted, Reason: evil, Shares: []event.Share{{Slot: evil}}, Looks: []event.Look{look, look}}
	l.switched(s).add(event.Event{Kind: event.Notice, Note: &event.Note{Level: event.Info, Text: evil}})
	return l.finish(event.Result{Outcome: event.Failed, Reason: evil, Hint: evil, Took: time.Second})
}

func TestMarkdown(t *testing.T) {
	for name, events := range map[string][]event.Event{
		"succeeded": succeeded(), "put_back": putBack(), "aborted": aborted(), "stranded": stranded(), "cancelled": cancelled(),
		"killed": killed(), "hostile": hostile(), "empty": nil,
	} {
		t.Run(name, func(t *testing.T) {
			golden(t, name+".md", Markdown(events, Options{}))
		})
	}
}

func TestJSON(t *testing.T) {
	text, err := JSON(putBack())
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "put_back.json", string(text))
	var doc Document
	if err := json.Unmarshal(text, &doc); err != nil || doc.Schema != Schema || len(doc.Stages) != len(stages) {
		t.Fatalf("the document does not read back: %v, %+v", err, doc)
	}
}

func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join(goldens, name)
	if *update {
		if err := errors.Join(os.MkdirAll(goldens, 0o755), os.WriteFile(path, []byte(got), 0o644)); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s differs (-want +got); rewrite it with -update:\n%s", path, diff)
	}
}

// The first line of a stranded run is what somebody reads at 3 a.m.
func TestStrandedSaysWhatAndWhereFirst(t *testing.T) {
	first, _, _ := strings.Cut(Markdown(stranded(), Options{}), "\n")
	for _, want := range []string{"Needs a hand", "shop", "edge-2", "Address already in use", "serves green"} {
		if !strings.Contains(first, want) {
			t.Errorf("the first line lacks %q: %s", want, first)
		}
	}
}

func TestFigures(t *testing.T) {
	const want = "412 requests, 0 failed, p99 4 → 5 ms, longest gap 52 ms"
	if got := figures(*blueGreen.Traffic); got != want {
		t.Errorf("figures are %q, want %q", got, want)
	}
}

func TestThousandStages(t *testing.T) {
	var all []event.Stage
	for i := range 1000 {
		all = append(all, event.Stage{Name: fmt.Sprintf("stage%d", i), Needs: []string{fmt.Sprintf("stage%d", i-1)}})
	}
	l := newLog(all...)
	for _, s := range all {
		l.good(s.Name, time.Second)
	}
	events := l.finish(event.Result{Outcome: event.Succeeded, Took: 1000 * time.Second})
	text := Markdown(events, Options{Limit: 900 << 10, Full: ".turnout/report.md"})
	if rows := strings.Count(text, "<code>stage"); rows != 1000 {
		t.Errorf("the table has %d of 1000 stages", rows)
	}
	if strings.Contains(text, "```mermaid") || !strings.Contains(text, "1000 stages are too many") {
		t.Error("a chart of 1000 stages is drawn")
	}
	short := Markdown(events, Options{Limit: 20 << 10, Full: ".turnout/report.md"})
	if len(short) > 20<<10 || !strings.Contains(short, "more rows are left out; the full report is <code>.turnout/report.md</code>") {
		t.Errorf("%d bytes under a limit of 20 KiB:\n%.300s", len(short), short)
	}
}

// loud is a run whose slot wrote size bytes and whose stage wrote 200 KiB.
func loud(size int) []event.Event {
	line := strings.Repeat("x", 99)
	lines := strings.Split(strings.Repeat(line+"\n", size/100)+"the last line", "\n")
	s := blueGreen
	s.Outcome, s.Reason, s.Logs, s.Diff = event.Failed, "no", lines, "+a\n"
	l := newLog(stages...).start("build").end("build", event.Result{Outcome: event.Failed, Tail: append([]string{"first of the tail"}, lines[:2048]...)})
	return l.switched(s).finish(event.Result{Outcome: event.Failed, Reason: "no"})
}

func TestLogsAreCutFirst(t *testing.T) {
	events := loud(5 << 20)
	text := Markdown(events, Options{Limit: 900 << 10, Full: "full.md"})
	if len(text) > 900<<10 {
		t.Fatalf("%d bytes under a limit of 900 KiB", len(text))
	}
	for _, want := range []string{"the last line", "first of the tail", "+a", "lines are left out", "full.md"} {
		if !strings.Contains(text, want) {
			t.Errorf("the cut report lacks %q", want)
		}
	}
	if whole := Markdown(events, Options{}); len(whole) < 5<<20 {
		t.Errorf("the report without a limit has %d bytes of 5 MiB", len(whole))
	}
}

func TestOneEndlessLine(t *testing.T) {
	events := newLog().add(event.Event{Kind: event.StageFinished, Stage: "a", Result: &event.Result{
		Outcome: event.Failed, Tail: []string{strings.Repeat("é", 1<<20)},
	}}).finish(event.Result{Outcome: event.Failed})
	text := Markdown(events, Options{Limit: 16 << 10})
	if len(text) > 16<<10 || !strings.Contains(text, "é…") {
		t.Errorf("%d bytes under a limit of 16 KiB", len(text))
	}
}

func TestAdvice(t *testing.T) {
	open, off := blueGreen, blueGreen
	open.Drained = &event.Drain{Slot: "blue", Before: 3, After: 1, Took: 30 * time.Second}
	off.Traffic = nil
	for name, test := range map[string]struct {
		events []event.Event
		want   string
	}{
		"failed stage":    {putBack(), "Stage deploy failed (deploy.hcl:40)"},
		"over 600 s":      {putBack(), "The run took 14 min 00 s, more than 10 min 00 s. The slowest stages: build 12 min 00 s (85 %)."},
		"chain":           {succeeded(), "The longest chain of stages, build → test[unit] → deploy, took 1 min 41 s of 1 min 41 s: more places would not help"},
		"rolled back":     {recorded(t, "rolled_back"), "Rollback strategy page failed (deploy.hcl:191): exit status 6. Hint: the page was not sent"},
		"lost server":     {recorded(t, "release"), "Stage warm_cache succeeded, yet 1 of 4 servers failed: web04."},
		"broken off":      {recorded(t, "killed"), "shop: the run ended in the middle of the switch: turnout recover shop settles it"},
		"p99":             {putBack(), "p99 rose from 4 ms to 180 ms"},
		"failed requests": {putBack(), "3 requests of the prober failed"},
		"flaky":           {succeeded(), "Passed only on a retry, so flaky: test[unit]."},
		"ignored":         {succeeded(), "went on past failures of audit"},
		"reload":          {succeeded(), "nginx reloaded 1 time"},
		"left open":       {newLog().switched(open).finish(event.Result{}), "1 connection was still open on blue after 30 s"},
		"probe off":       {newLog().switched(off).finish(event.Result{}), "the prober was off"},
	} {
		t.Run(name, func(t *testing.T) {
			if got := strings.Join(advice(read(test.events)), "\n"); !strings.Contains(got, test.want) {
				t.Errorf("no %q in:\n%s", test.want, got)
			}
		})
	}
	if quiet := advice(read(newLog().switched(blueGreen).finish(event.Result{Outcome: event.Succeeded}))); len(quiet) > 0 {
		t.Errorf("a flawless switch gives advice: %q", quiet)
	}
}

var element = regexp.MustCompile(`<[^>]*>`)

// FuzzMarkdown checks that no text of a run gets out of its place: no HTML but
// ours, rows with as many cells as the head, labels that stay in their quotes.
func FuzzMarkdown(f *testing.F) {
	f.Add("a|b", "```")
	f.Add("<script>", "\"] --> n2")
	f.Add("\r\n\x00", "\u202e`")
	f.Add("", "``\x1e`") // a fence, once the control character is gone
	f.Fuzz(func(t *testing.T, a, b string) {
		text := Markdown(everywhere(a, b), Options{Limit: 64 << 10})
		if len(text) > 64<<10 {
			t.Errorf("%d bytes", len(text))
		}
		checkLines(t, text)
	})
}

func checkLines(t *testing.T, text string) {
	t.Helper()
	fence := ""
	for _, line := range strings.Split(text, "\n") {
		switch {
		case fence != "":
			if line == fence {
				fence = ""
			}
		case strings.HasPrefix(line, "```"):
			fence = strings.TrimRight(line, "abcdefghijklmnopqrstuvwxyz")
		case strings.HasPrefix(line, "|"):
			checkRow(t, line)
		default:
			checkHTML(t, line)
		}
	}
	if fence != "" {
		t.Errorf("a code block is left open:\n%s", text)
	}
}

func checkRow(t *testing.T, line string) {
	t.Helper()
	if cells := strings.Count(line, "|") - 1; cells != 7 && cells != 6 && cells != 4 && cells != 3 {
		t.Errorf("a row of %d cells: %s", cells, line)
	}
	checkHTML(t, line)
}

func checkHTML(t *testing.T, line string) {
	t.Helper()
	for _, found := range element.FindAllString(line, -1) {
		switch found {
		case "<code>", "</code>", "<br>", "<details>", "</details>", "<summary>", "</summary>":
		default:
			t.Errorf("foreign element %q in: %s", found, line)
		}
	}
}

func TestSameEventsSameBytes(t *testing.T) {
	for range 5 {
		if !bytes.Equal([]byte(Markdown(succeeded(), Options{})), []byte(Markdown(succeeded(), Options{}))) {
			t.Fatal("two reports of the same events differ")
		}
	}
}

func TestFailureBeforeTheSurveyClaimsNothing(t *testing.T) {
	text := moved(event.Switch{Environment: "shop", Outcome: event.Failed, Reason: "lock: permission denied"})
	if !strings.Contains(text, "No traffic was moved") || !strings.Contains(text, "could not be told") || strings.Contains(text, "Now serving") {
		t.Errorf("%s", text)
	}
}
