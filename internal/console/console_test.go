package console_test

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/org/deploy-action/internal/console"
	"github.com/org/deploy-action/internal/event"
)

var update = flag.Bool("update", false, "rewrite the golden files")

var looks = map[string]console.Options{
	"plain":  {},
	"colour": {Colour: true},
	"github": {Colour: true, GitHub: true},

	"quiet":   {GitHub: true, Quiet: true},
	"verbose": {GitHub: true, Verbose: true},
}

// show prints a recorded run.
func show(t *testing.T, recording string, options console.Options) string {
	t.Helper()
	var out bytes.Buffer
	c := console.New(&out, options)
	for _, e := range read(t, recording) {
		c.Event(e)
	}
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

// read returns the events of a recording.
func read(t *testing.T, recording string) []event.Event {
	t.Helper()
	file, err := os.Open(recording)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	events, err := event.Read(file)
	if err != nil {
		t.Fatal(err)
	}
	return events
}

func TestRecordedRuns(t *testing.T) {
	recordings, err := filepath.Glob("testdata/*.jsonl")
	if err != nil || len(recordings) == 0 {
		t.Fatal(recordings, err)
	}
	for _, recording := range recordings {
		for look, options := range looks {
			golden := strings.TrimSuffix(recording, ".jsonl") + "." + look + ".txt"
			t.Run(filepath.Base(golden), func(t *testing.T) { compare(t, golden, show(t, recording, options)) })
		}
	}
}

func compare(t *testing.T, golden, got string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	compareText(t, string(want), got)
}

func compareText(t *testing.T, want, got string) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("want, got:\n%s", diff)
	}
}

// command is a line that GitHub's runner obeys (Runner.Common/ActionCommand.cs).
var command = regexp.MustCompile(`^[\s\p{Z}\x{85}]*::|##\[`)

var colour = regexp.MustCompile(`\x1b\[[0-9;:]*m`)

// checkHarmless sees that only our own groups are commands, and that only
// colours control the terminal.
func checkHarmless(t *testing.T, out string, options console.Options) {
	t.Helper()
	for _, line := range strings.FieldsFunc(out, func(r rune) bool { return r == '\n' || r == '\r' }) {
		if options.GitHub && command.MatchString(line) && !strings.HasPrefix(line, "::group::") && line != "::endgroup::" {
			t.Errorf("the runner takes a command from %q", line)
		}
	}
	out = colour.ReplaceAllString(out, "")
	if i := strings.IndexFunc(out, func(r rune) bool { return r < ' ' && r != '\n' && r != '\t' || r >= 0x7f && r < 0xa0 }); i >= 0 {
		t.Errorf("a control character gets through: %q", out[max(0, i-20):min(len(out), i+20)])
	}
	if !utf8.ValidString(out) {
		t.Errorf("a torn character gets through: %q", out)
	}
}

func TestHostileOutputIsHarmless(t *testing.T) {
	for look, options := range looks {
		t.Run(look, func(t *testing.T) { checkHarmless(t, show(t, "testdata/hostile.jsonl", options), options) })
	}
}

func FuzzForeignText(f *testing.F) {
	f.Add("::set-output name=a::b")
	f.Add("x\r\n##[error]y\x1b[31m#\x1b[0m#[z\x1b]8;;u\x1b\\l\u009b2J")
	f.Add("\x1b[0;\x1b(B\x1b[m\x1b")
	f.Fuzz(func(t *testing.T, text string) {
		text = strings.ToValidUTF8(text, "?")
		for _, options := range looks {
			var out bytes.Buffer
			c := console.New(&out, options)
			during, after := foreign(text)
			for _, e := range append(during, after...) {
				c.Event(e)
			}
			if err := c.Close(); err != nil {
				t.Fatal(err)
			}
			checkHarmless(t, out.String(), options)
			out.Reset()
			plain := console.NewPlain(&out, options)
			for _, b := range []byte("a\xff" + text) { // whole lines, however they come
				_, _ = plain.Write([]byte{b})
			}
			_ = plain.Close()
			checkPlain(t, out.String(), options)
		}
	})
}

// checkPlain is checkHarmless of what has no groups of ours.
func checkPlain(t *testing.T, out string, options console.Options) {
	t.Helper()
	checkHarmless(t, out, options)
	if options.GitHub && regexp.MustCompile(`(?m)^\s*::`).MatchString(out) {
		t.Errorf("the runner takes a command from %q", out)
	}
}

// foreign has text wherever somebody else may have written it, before a stage
// and a step end and after.
func foreign(text string) (during, after []event.Event) {
	line, _, _ := strings.Cut(text, "\n")
	task := &event.Step{Name: text, Server: line}
	during = []event.Event{
		{Kind: event.RunStarted, Run: &event.Run{Command: "run", Pipeline: "release", Spec: text, ID: text, Stages: []event.Stage{{Name: "a" + text, Body: "task"}}}},
		{Kind: event.StageStarted, Stage: "a" + text},
		{Kind: event.StepStarted, Stage: "a" + text, Step: task},
		{Kind: event.StepProgress, Stage: "a" + text, Step: task, Progress: &event.Progress{Done: 1, Total: 2, Unit: text}},
		{Kind: event.StageRetry, Stage: "a" + text, Attempt: &event.Attempt{Error: text}},
		{Kind: event.CanaryShared, Stage: "a" + text, Step: task, Share: &event.Share{Slot: text}},
		{Kind: event.CanaryLooked, Stage: "a" + text, Step: task, Look: &event.Look{Verdict: text, Why: text, Reason: line, New: event.Side{Slot: text}, SyntheticNew: &event.Side{Slot: text}, Figures: []event.Figure{{Name: text}}}},
		{Kind: event.StageOutput, Stage: "a" + text, Output: &event.Output{Text: text}},
		{Kind: event.StageOutput, Stage: "a" + text, Output: &event.Output{Text: text, Server: line}},
	}
	after = []event.Event{
		{Kind: event.StepFinished, Stage: "a" + text, Step: &event.Step{Name: text, Server: line, Text: text}},
		{Kind: event.StepFinished, Step: &event.Step{Name: "health", Error: text}},
		{Kind: event.ArtifactDone, Artifact: &event.Artifact{Name: text, Run: text, Path: line}},
		{Kind: event.Notice, Note: &event.Note{Level: event.Problem, Text: text, Hint: text}},
		{Kind: event.SwitchDone, Switch: &event.Switch{URL: text, Traffic: &event.Traffic{FirstError: text}}},
		{Kind: event.StageFinished, Stage: "a" + text, Result: &event.Result{Outcome: event.Failed, Reason: text, Log: text, Tail: []string{line}}},
		{Kind: event.RunFinished, Result: &event.Result{Outcome: event.Failed, Reason: text, Hint: text}},
	}
	return during, after
}

func TestLookWithSyntheticRequests(t *testing.T) {
	var out bytes.Buffer
	c := console.New(&out, console.Options{})
	c.Event(event.Event{Kind: event.CanaryLooked, Step: &event.Step{Name: "canary"}, Look: &event.Look{
		Percent: 10, Verdict: "pass", Action: "hold", New: event.Side{Slot: "green"}, Old: event.Side{Slot: "blue", Requests: 3},
		SyntheticNew: &event.Side{Slot: "green", Requests: 50, Errors: 1, P95: 2e6}, SyntheticOld: &event.Side{Slot: "blue"},
	}})
	want := "10 %: green 0 requests + 50 synthetic, 2 % errors, p95 2 ms; blue 3 requests, 0 % errors + 0 synthetic: pass"
	if err := c.Close(); err != nil || !strings.Contains(out.String(), want) {
		t.Errorf("%v, got %q, want %q", err, out.String(), want)
	}
}

func TestMuchOutputInGitHub(t *testing.T) {
	for server, prefix := range map[string]string{"": "│ ", "web1": "│ web1 │ "} {
		var out bytes.Buffer
		c := console.New(&out, console.Options{GitHub: true})
		c.Event(event.Event{Kind: event.StageStarted, Stage: "build"})
		line := strings.Repeat("x", 99)
		for i := range 50_000 { // 5 MB
			c.Event(event.Event{Kind: event.StageOutput, Stage: "build", Output: &event.Output{Text: fmt.Sprintf("%06d %s", i, line), Server: server}})
		}
		c.Event(event.Event{Kind: event.StageOutput, Stage: "build", Output: &event.Output{Text: "quiet", Server: "web2"}})
		c.Event(event.Event{Kind: event.StepFinished, Stage: "build", Step: &event.Step{Name: "t", Server: "web1", Text: "done", Log: "build.log"}})
		c.Event(event.Event{Kind: event.StepFinished, Stage: "build", Step: &event.Step{Name: "t", Server: "web2", Text: "done", Log: "web2.log"}})
		c.Event(event.Event{Kind: event.StageFinished, Stage: "build", Result: &event.Result{Outcome: event.Succeeded, Log: "build.log"}})
		if err := c.Close(); err != nil {
			t.Fatal(err)
		}
		text := out.String()
		if len(text) > 6<<20 || strings.Count(text, "left out; the whole log is in build.log\n") != 1 || !strings.Contains(text, prefix+"049999 x") {
			t.Errorf("%s: %d bytes, %.200q", server, len(text), text)
		}
		if !strings.Contains(text, "::group::build on web2\n│ web2 │ quiet\n::endgroup::\n") {
			t.Errorf("%s: web2 is not told apart", server)
		}
	}
}

func TestServersThatAreDoneMakeRoomInGitHub(t *testing.T) {
	var out bytes.Buffer
	c := console.New(&out, console.Options{GitHub: true})
	c.Event(event.Event{Kind: event.StageStarted, Stage: "build"})
	for server := range 10 { // 10 MB
		name := fmt.Sprint("web", server)
		c.Event(event.Event{Kind: event.StageOutput, Stage: "build", Output: &event.Output{Text: strings.Repeat("x", 1_000_000), Server: name}})
		c.Event(event.Event{Kind: event.StepFinished, Stage: "build", Step: &event.Step{Name: "t", Server: name, Text: "done"}})
	}
	if err := c.Close(); err != nil || strings.Contains(out.String(), "left out") || strings.Count(out.String(), "::group::") != 10 {
		t.Errorf("%v; %d bytes", err, out.Len())
	}
}

func TestStagesThatNeverEnd(t *testing.T) {
	var out bytes.Buffer
	c := console.New(&out, console.Options{GitHub: true})
	c.Event(event.Event{Kind: event.StageStarted, Stage: "build"})
	c.Event(event.Event{Kind: event.StageOutput, Stage: "build", Output: &event.Output{Text: "last words"}})
	c.Event(event.Event{Kind: event.StageOutput, Stage: "build", Output: &event.Output{Text: "and mine", Server: "web1"}})
	const want = "::group::build\n│ last words\n::endgroup::\n::group::build on web1\n│ web1 │ and mine\n::endgroup::\n"
	if err := c.Close(); err != nil || !strings.Contains(out.String(), want) {
		t.Errorf("%v, %q", err, out.String())
	}
}

func TestCloseReportsWhatCouldNotBePrinted(t *testing.T) {
	gone := errors.New("broken pipe")
	r, w := io.Pipe()
	r.CloseWithError(gone)
	c := console.New(w, console.Options{})
	c.Event(event.Event{Kind: event.StageStarted, Stage: "build"})
	c.Event(event.Event{Kind: event.StageStarted, Stage: "test"})
	if err := c.Close(); !errors.Is(err, gone) || strings.Count(err.Error(), "broken") != 1 {
		t.Errorf("Close() = %v", err)
	}
}
