package github

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/org/deploy-action/internal/event"
	"github.com/org/deploy-action/internal/spec"
)

// job is a fake runner: an environment, its files and its log.
type job struct {
	env map[string]string
	log bytes.Buffer
}

func newJob(t *testing.T) *job {
	dir := t.TempDir()
	j := &job{env: map[string]string{"GITHUB_ACTIONS": "true"}}
	for _, name := range []string{"OUTPUT", "STATE", "STEP_SUMMARY"} {
		j.env["GITHUB_"+name] = filepath.Join(dir, name)
	}
	return j
}

func (j *job) getenv(name string) string { return j.env[name] }

func (j *job) actions(t *testing.T) *Actions {
	t.Helper()
	a, ok := Detect(j.getenv, &j.log)
	if !ok {
		t.Fatal("the job is not detected")
	}
	return a
}

func (j *job) file(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(j.env["GITHUB_"+name])
	if err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	return string(text)
}

// pairs reads a file as the runner does (FileCommandManager): the last value of
// a name counts, and a heredoc that is not ended is a mistake.
func (j *job) pairs(t *testing.T, name string) map[string]string {
	t.Helper()
	found := make(map[string]string)
	lines := strings.Split(j.file(t, name), "\n")
	for i := 0; i < len(lines)-1; i++ {
		key, end, ok := strings.Cut(lines[i], "<<")
		if !ok {
			t.Fatalf("%s: not a heredoc: %q", name, lines[i])
		}
		var value []string
		for i++; i < len(lines) && lines[i] != end; i++ {
			value = append(value, lines[i])
		}
		if i == len(lines) {
			t.Fatalf("%s: the value of %s does not end", name, key)
		}
		found[key] = strings.Join(value, "\n")
	}
	return found
}

func TestDetectOutside(t *testing.T) {
	if _, ok := Detect(func(string) string { return "" }, &bytes.Buffer{}); ok {
		t.Error("a job is detected where there is none")
	}
}

func TestAnnotate(t *testing.T) {
	j := newJob(t)
	j.env["INPUT_WORKING_DIRECTORY"] = "site"
	j.actions(t).Annotate(spec.Problems{
		{Severity: spec.Error, Summary: "A, b: c", Detail: "50 %\nof it", Pos: spec.Pos{File: "deploy.hcl", Line: 3, Column: 5, EndLine: 3, EndColumn: 9}},
		{Severity: spec.Warning, Summary: "Long", Detail: "d", Pos: spec.Pos{File: "/github/workspace/deploy.hcl", Line: 3, Column: 5, EndLine: 7, EndColumn: 2}},
	})
	const want = "::error col=5,endColumn=9,file=site/deploy.hcl,line=3,title=A%2C b%3A c::50 %25%0Aof it\n" +
		"::warning endLine=7,file=/github/workspace/deploy.hcl,line=3,title=Long::d\n"
	if diff := cmp.Diff(want, j.log.String()); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

func TestAnnotationsOfAKindAreBounded(t *testing.T) {
	j := newJob(t)
	var problems spec.Problems
	for i := range 25 {
		problems = append(problems, spec.Problem{Severity: spec.Error, Detail: fmt.Sprint(i)})
	}
	a := j.actions(t)
	a.Annotate(problems)
	a.Annotate(problems[:3])
	if n := strings.Count(j.log.String(), "::error"); n != 10 {
		t.Errorf("%d errors of at most 10:\n%s", n, j.log.String())
	}
	if !strings.Contains(j.log.String(), "::error::and 16 more") {
		t.Errorf("the rest is not counted:\n%s", j.log.String())
	}
}

func TestMask(t *testing.T) {
	j := newJob(t)
	a := j.actions(t)
	a.Mask([]string{"hunter2", "-----KEY-----\nabcdef\n}\n", "x"})
	const want = "::add-mask::hunter2\n::add-mask::-----KEY-----\n::add-mask::abcdef\n"
	if diff := cmp.Diff(want, j.log.String()); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	j.log.Reset()
	a.Annotate(spec.Problems{{Severity: spec.Error, Summary: "hunter2", Detail: "is hunter2"}})
	if err := a.Summary("hunter2"); err != nil {
		t.Fatal(err)
	}
	if text := j.log.String() + j.file(t, "STEP_SUMMARY"); strings.Contains(text, "hunter2") {
		t.Errorf("a secret shows: %s", text)
	}
}

// A value may hold anything a server printed; it must not set other outputs.
func TestOutputCannotBeEscaped(t *testing.T) {
	j := newJob(t)
	a := j.actions(t)
	evil := "v\n_GitHubActionsFileCommandDelimeter_\ninjected=yes\nghadelimiter_"
	for name, value := range map[string]string{"a": evil, "b": "", "c": "1"} {
		if err := a.Output(name, value); err != nil {
			t.Fatal(err)
		}
	}
	if diff := cmp.Diff(map[string]string{"a": evil, "b": "", "c": "1"}, j.pairs(t, "OUTPUT")); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

func TestFilesThatAreNotThere(t *testing.T) {
	j := newJob(t)
	for _, name := range []string{"OUTPUT", "STATE", "STEP_SUMMARY"} {
		delete(j.env, "GITHUB_"+name)
	}
	a := j.actions(t)
	for _, err := range []error{a.Output("a", "b"), a.SaveState("a", "b"), a.Summary("a")} {
		if err != nil {
			t.Errorf("without a file: %v", err)
		}
	}
	j.env["GITHUB_OUTPUT"], j.env["GITHUB_STEP_SUMMARY"] = t.TempDir(), t.TempDir()
	if a.Output("a", "b") == nil || a.Summary("a") == nil {
		t.Error("a folder in place of the file is no error")
	}
}

func TestSummaryOfMoreThanTheRunnerTakes(t *testing.T) {
	j := newJob(t)
	if err := j.actions(t).Summary(strings.Repeat("x", 1<<20)); err == nil || j.file(t, "STEP_SUMMARY") != "" {
		t.Errorf("1 MiB of summary: %v", err)
	}
}

const pullRequest = `{"pull_request": {"number": 7, "title": "T", "body": "B",
  "head": {"sha": "beef", "repo": {"full_name": "%s"}}, "base": {"repo": {"full_name": "org/shop"}}},
  "repository": {"default_branch": "trunk"}}`

func (j *job) event(t *testing.T, name, text string) {
	t.Helper()
	j.env["GITHUB_EVENT_NAME"], j.env["GITHUB_EVENT_PATH"] = name, filepath.Join(t.TempDir(), "event.json")
	if err := os.WriteFile(j.env["GITHUB_EVENT_PATH"], []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestContext(t *testing.T) {
	j := newJob(t)
	j.env["GITHUB_SHA"], j.env["GITHUB_SERVER_URL"], j.env["GITHUB_REPOSITORY"] = "cafe", "https://github.com", "org/shop"
	j.env["GITHUB_RUN_ID"], j.env["GITHUB_RUN_ATTEMPT"] = "41", "2"
	j.event(t, "pull_request", fmt.Sprintf(pullRequest, "eve/shop"))
	a := j.actions(t)
	for field, want := range map[string]string{
		"sha": "cafe", "head_sha": "beef", "title": "T", "body": "B", "pull_request": "7", "fork": "true",
		"default_branch": "trunk", "event_name": "pull_request", "commit_message": "",
	} {
		if got, ok := a.Context()[field]; got != want || !ok {
			t.Errorf("github.%s is %q, want %q", field, got, want)
		}
	}
	if want := "https://github.com/org/shop/actions/runs/41/attempts/2"; a.RunURL() != want {
		t.Errorf("the run's URL is %q, want %q", a.RunURL(), want)
	}
}

// A comment on a pull request is about the pull request, one on an issue is not.
func TestContextOfAComment(t *testing.T) {
	for text, want := range map[string]string{
		`{"issue": {"number": 7, "title": "T", "pull_request": {"url": "x"}}}`: "7",
		`{"issue": {"number": 7, "title": "T"}}`:                               "",
	} {
		j := newJob(t)
		j.event(t, "issue_comment", text)
		if c := j.actions(t).Context(); c["pull_request"] != want || c["title"] != "T" {
			t.Errorf("%s: %v", text, c)
		}
	}
}

func TestContextOfAPush(t *testing.T) {
	j := newJob(t)
	j.env["GITHUB_SHA"] = "cafe"
	j.event(t, "push", `{"head_commit": {"message": "M"}}`)
	c := j.actions(t).Context()
	if c["commit_message"] != "M" || c["head_sha"] != "cafe" || c["fork"] != "false" || c["pull_request"] != "" {
		t.Errorf("the context of a push: %v", c)
	}
}

func listen(t *testing.T, j *job, events ...event.Event) *Listener {
	t.Helper()
	l := NewListener(j.actions(t))
	for _, e := range events {
		l.Event(e)
	}
	return l
}

func switched(s event.Switch) event.Event {
	return event.Event{Kind: event.SwitchDone, Stage: "deploy", Switch: &s}
}

func ended(stage string, r event.Result) event.Event {
	if stage == "" {
		return event.Event{Kind: event.RunFinished, Result: &r}
	}
	return event.Event{Kind: event.StageFinished, Stage: stage, Result: &r}
}

var started = event.Event{Kind: event.RunStarted, Run: &event.Run{ID: "r1", Stages: []event.Stage{
	{Name: "deploy", Pos: spec.Pos{File: "deploy.hcl", Line: 9}},
}}}

func TestListenerOfASuccess(t *testing.T) {
	j := newJob(t)
	blue, green := event.SlotRelease{Slot: "blue", Release: "a"}, event.SlotRelease{Slot: "green", Release: "b"}
	l := listen(t, j, started,
		switched(event.Switch{Environment: "shop", URL: "http://shop/", From: blue, To: green, Serving: green, Outcome: event.Succeeded}),
		ended("deploy", event.Result{Outcome: event.Succeeded}), ended("", event.Result{Outcome: event.Succeeded}))
	if err := l.Finish("# done", ".turnout/report.md"); err != nil {
		t.Fatal(err)
	}
	want := map[string]string{
		"outcome": "succeeded", "environment": "shop", "active_slot": "green", "release": "b", "url": "http://shop/",
		"report": ".turnout/report.md", "rolled_back": "false", "changed": "true",
	}
	if diff := cmp.Diff(want, j.pairs(t, "OUTPUT")); diff != "" {
		t.Errorf("outputs -want +got:\n%s", diff)
	}
	if j.file(t, "STEP_SUMMARY") != "# done\n" || j.log.Len() > 0 {
		t.Errorf("summary %q, log %q", j.file(t, "STEP_SUMMARY"), j.log.String())
	}
	if j.pairs(t, "STATE")[stateUnsettled] != "" {
		t.Error("the post step is told to settle a run that is settled")
	}
}

func TestListenerOfAFailure(t *testing.T) {
	j := newJob(t)
	blue := event.SlotRelease{Slot: "blue", Release: "a"}
	l := listen(t, j, started,
		switched(event.Switch{Environment: "shop", From: blue, Serving: blue, PutBack: true, Outcome: event.Failed}),
		ended("lint", event.Result{Outcome: event.Failed, Ignored: true, Reason: "exit status 1"}),
		ended("deploy", event.Result{Outcome: event.Failed, Reason: "502", Hint: "read the log"}),
		event.Event{Kind: event.Notice, Note: &event.Note{Level: event.Info, Text: "first deploy"}},
		ended("", event.Result{Outcome: event.Failed, Reason: "stage deploy: 502"}))
	if err := l.Finish("", "r.md"); err != nil {
		t.Fatal(err)
	}
	const want = "::warning title=Stage lint failed::exit status 1\n" +
		"::error file=deploy.hcl,line=9,title=Stage deploy failed::502%0Ahint: read the log\n" +
		"::notice::first deploy\n"
	if diff := cmp.Diff(want, j.log.String()); diff != "" {
		t.Errorf("annotations -want +got:\n%s", diff)
	}
	got := j.pairs(t, "OUTPUT")
	if got["outcome"] != "failed" || got["rolled_back"] != "true" || got["changed"] != "false" || got["active_slot"] != "blue" {
		t.Errorf("outputs: %v", got)
	}
}

func TestListenerOfAStrategy(t *testing.T) {
	j := newJob(t)
	blue, green := event.SlotRelease{Slot: "blue", Release: "a"}, event.SlotRelease{Slot: "green", Release: "b"}
	begun := event.Event{Kind: event.RunStarted, Run: &event.Run{ID: "r", Stages: []event.Stage{
		{Name: "rollback.shop", Rollback: true, Pos: spec.Pos{File: "deploy.hcl", Line: 12}},
	}}}
	l := listen(t, j, begun,
		switched(event.Switch{Environment: "shop", From: blue, Serving: green, Outcome: event.Succeeded}),
		switched(event.Switch{Environment: "shop", From: green, Serving: blue, Outcome: event.Succeeded, Rollback: true}),
		ended("rollback.shop", event.Result{Outcome: event.Failed, Reason: "exit status 1"}))
	if err := l.Finish("", "r.md"); err != nil {
		t.Fatal(err)
	}
	if got := j.log.String(); !strings.Contains(got, "line=12,title=Rollback shop failed::exit status 1\n") {
		t.Errorf("annotations: %s", got)
	}
	if got := j.pairs(t, "OUTPUT"); got["changed"] != "false" || got["rolled_back"] != "true" || got["active_slot"] != "blue" {
		t.Errorf("outputs: %v", got)
	}
}

func TestPostStepSettlesWhatIsUnsettled(t *testing.T) {
	for name, test := range map[string]struct {
		events []event.Event
		want   string
	}{
		"killed":   {[]event.Event{started}, "recover"},
		"stranded": {[]event.Event{started, ended("", event.Result{Outcome: event.Stranded})}, "recover"},
		"failed":   {[]event.Event{started, ended("", event.Result{Outcome: event.Failed})}, "version"},
		"no run":   {nil, "version"},
	} {
		t.Run(name, func(t *testing.T) {
			j := newJob(t)
			listen(t, j, test.events...)
			j.env["STATE_"+stateUnsettled] = j.pairs(t, "STATE")[stateUnsettled]
			j.env["INPUT_DRY_RUN"] = "true" // what the main step was told is no matter
			args, err := EntrypointArgs("/turnout-post", j.getenv)
			if err != nil || args[0] != test.want {
				t.Errorf("the post step runs %q, %v; want %s", args, err, test.want)
			}
		})
	}
}

func TestEntrypointArgs(t *testing.T) {
	for name, test := range map[string]struct {
		env  map[string]string
		want string
		err  string
	}{
		"nothing": {nil, "run", ""},
		"run": {map[string]string{
			"SPEC": "ci/deploy.hcl", "PIPELINE": "release", "WORKING_DIRECTORY": "site", "DRY_RUN": "True",
			"VARS": "release=dist\r\n\n# a word\n token = a=b \n",
		}, "-chdir|site|run|-f|ci/deploy.hcl|-var|release=dist|-var|token= a=b |-dry-run|release", ""},
		"deploy":       {map[string]string{"COMMAND": "deploy", "ENVIRONMENT": "shop"}, "deploy|shop", ""},
		"task":         {map[string]string{"COMMAND": "task", "TASK": "restart", "DRY_RUN": "true"}, "task|-dry-run|restart", ""},
		"preview up":   {map[string]string{"COMMAND": "preview", "GITHUB_EVENT_NAME": "pull_request", "GITHUB_EVENT_PATH": "opened"}, "preview|up", ""},
		"preview down": {map[string]string{"COMMAND": "preview", "PREVIEW": "shop", "GITHUB_EVENT_NAME": "pull_request", "GITHUB_EVENT_PATH": "closed"}, "preview|down|shop", ""},
		"preview sync": {map[string]string{"COMMAND": "preview", "GITHUB_EVENT_NAME": "schedule"}, "preview|sync", ""},
		"preview lost": {map[string]string{"COMMAND": "preview", "GITHUB_EVENT_NAME": "pull_request"}, "", "what happened to the pull request can't be told"},
		"no preview":   {map[string]string{"PREVIEW": "shop"}, "", "input preview: run takes none"},
		"unknown":      {map[string]string{"COMMAND": "agent"}, "", `there is no command "agent"`},
		"no pipeline":  {map[string]string{"COMMAND": "deploy", "PIPELINE": "x"}, "", "input pipeline: deploy takes none"},
		"no env":       {map[string]string{"ENVIRONMENT": "x"}, "", "input environment: run takes none"},
		"no task":      {map[string]string{"TASK": "x"}, "", "input task: run takes none; it is for task"},
		"flag":         {map[string]string{"PIPELINE": "-json"}, "", "is not a name"},
		"no bool":      {map[string]string{"DRY_RUN": "maybe"}, "", `input dry_run: "maybe" is neither true nor false`},
		"dry status":   {map[string]string{"COMMAND": "status", "DRY_RUN": "true"}, "", "status changes nothing anyway"},
		"no comment":   {map[string]string{"COMMENT": "perhaps", "KEY": "hunter2"}, "", `input comment: "perhaps" is neither true nor false`},
		"bad var":      {map[string]string{"VARS": "a=b\nhunter2"}, "", "input vars: line 2 is not name=value"},
		"plan":         {map[string]string{"COMMAND": "plan", "PIPELINE": "release", "PLAN_FILE": "p.json"}, "plan|-out|p.json|release", ""},
		"run a plan":   {map[string]string{"PLAN_FILE": "p.json", "DRY_RUN": "true"}, "run|-dry-run|p.json", ""},
		"plan's own":   {map[string]string{"PLAN_FILE": "p.json", "PIPELINE": "x"}, "", "input pipeline: p.json says which pipeline runs"},
		"no plan":      {map[string]string{"COMMAND": "deploy", "PLAN_FILE": "p.json"}, "", "input plan_file: deploy takes none"},
		"name":         {map[string]string{"PLAN_FILE": "p.plan"}, "", `"p.plan" is not the path of a plan`},
		"plan's flag":  {map[string]string{"PLAN_FILE": "-x.json"}, "", `"-x.json" is not the path of a plan`},
	} {
		t.Run(name, func(t *testing.T) {
			args, err := EntrypointArgs("/turnout-action", func(name string) string {
				if action := test.env[name]; name == "GITHUB_EVENT_PATH" && action != "" {
					return eventFile(t, action)
				}
				return test.env[strings.TrimPrefix(name, "INPUT_")]
			})
			if test.err != "" {
				if err == nil || !strings.Contains(err.Error(), test.err) || strings.Contains(err.Error(), "hunter2") {
					t.Errorf("the error is %v, want %q", err, test.err)
				}
				return
			}
			if got := strings.Join(args, "|"); err != nil || got != test.want {
				t.Errorf("arguments are %s, %v; want %s", got, err, test.want)
			}
		})
	}
}

// eventFile is the event of a pull request to which that happened.
func eventFile(t *testing.T, action string) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "event.json")
	if err := os.WriteFile(name, fmt.Appendf(nil, `{"action": %q, "pull_request": {"number": 7, "head": {"ref": "$(touch x)"}}}`, action), 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

func TestIsEntrypoint(t *testing.T) {
	for name, want := range map[string]bool{"/turnout-action": true, "/turnout-post": true, "turnout": false, "/x/turnout": false} {
		if IsEntrypoint(name) != want {
			t.Errorf("%s: %t", name, !want)
		}
	}
}

func FuzzOutput(f *testing.F) {
	f.Add("a\nb<<c\nc")
	f.Fuzz(func(t *testing.T, value string) {
		j := newJob(t)
		a := j.actions(t)
		if err := a.Output("x", value); err != nil {
			t.Fatal(err)
		}
		if err := a.Output("y", "1"); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(map[string]string{"x": value, "y": "1"}, j.pairs(t, "OUTPUT")); diff != "" {
			t.Errorf("-want +got:\n%s", diff)
		}
	})
}
