package report

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/org/deploy-action/internal/event"
)

func stageNamed(t *testing.T, a *account, name string) *stage {
	t.Helper()
	for _, s := range a.everything() {
		if s.Name == name {
			return s
		}
	}
	t.Fatalf("there is no %s", name)
	return nil
}

func TestEveryAttempt(t *testing.T) {
	const s = time.Second
	again := func(l *log, number int, lasted, wait time.Duration) {
		l.wait(lasted).add(event.Event{Kind: event.StageRetry, Stage: "a", Attempt: &event.Attempt{Number: number, Of: 3, Error: "no", Took: lasted, Wait: wait}})
	}
	for name, test := range map[string]struct {
		then func(*log)
		want []attempt
	}{
		"once": {func(l *log) { l.wait(s).end("a", event.Result{Outcome: event.Succeeded, Attempts: 1, Took: s}) }, nil},
		"passes at last": {
			func(l *log) {
				again(l, 1, 4*s, 5*s)
				again(l.wait(5*s), 2, 2*s, 10*s)
				l.wait(13*s).end("a", event.Result{Outcome: event.Succeeded, Attempts: 3, Took: 24 * s})
			},
			[]attempt{
				{number: 1, of: 3, outcome: event.Failed, reason: "no", took: 4 * s, wait: 5 * s},
				{number: 2, of: 3, outcome: event.Failed, reason: "no", took: 2 * s, wait: 10 * s},
				{number: 3, of: 3, outcome: event.Succeeded, took: 3 * s},
			},
		},
		"cancelled while it waits": {
			func(l *log) {
				again(l, 1, 4*s, 5*s)
				l.wait(s).end("a", event.Result{Outcome: event.Cancelled, Attempts: 1, Took: 5 * s})
			},
			[]attempt{{number: 1, of: 3, outcome: event.Failed, reason: "no", took: 4 * s, wait: 5 * s}},
		},
		"killed in the second": {
			func(l *log) { again(l, 1, 4*s, 5*s) },
			[]attempt{{number: 1, of: 3, outcome: event.Failed, reason: "no", took: 4 * s, wait: 5 * s}, {number: 2, of: 3}},
		},
	} {
		t.Run(name, func(t *testing.T) {
			l := newLog(event.Stage{Name: "a"}).start("a")
			test.then(l)
			got := stageNamed(t, read(l.events), "a").tries()
			for i := range got {
				got[i].began = time.Time{}
			}
			if diff := cmp.Diff(test.want, got, cmp.AllowUnexported(attempt{})); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestWaitsForAPlace(t *testing.T) {
	a := read(recorded(t, "release"))
	for name, want := range map[string]string{"checkout": "0s", "test[integration]": "0s", "test[browser]": "42s", "package": "2m12s"} {
		if got := stageNamed(t, a, name).waited().Round(time.Second); got.String() != want {
			t.Errorf("%s waited %s, want %s", name, got, want)
		}
	}
}

func TestNeedOfAStageIsOfAllItsLegs(t *testing.T) {
	a := read(newLog(event.Stage{Name: "test[a]", Leg: "test"}, event.Stage{Name: "test[b]", Leg: "test"}, event.Stage{Name: "next", Needs: []string{"test"}}).events)
	if got := names(stageNamed(t, a, "next").needed); got != "test[a], test[b]" {
		t.Errorf("next needs %q", got)
	}
}

// Legs stand together although others ran between them.
func TestLegsStandTogether(t *testing.T) {
	l := newLog(event.Stage{Name: "m[1]", Leg: "m"}, event.Stage{Name: "other"}, event.Stage{Name: "m[2]", Leg: "m"})
	a := read(l.good("m[1]", time.Second).good("other", time.Second).good("m[2]", time.Second).events)
	if got := names(a.stages); got != "m[1], m[2], other" {
		t.Errorf("%s", got)
	}
	rows := newScale(a).rows(a, a.stages)
	if len(rows) != 4 || !rows[0].Legs || rows[0].Name != "m" || rows[0].Look.Word != "2 succeeded" || !rows[1].Leg || rows[3].Leg {
		t.Errorf("%+v", rows)
	}
}

func TestLastWordsOfAServer(t *testing.T) {
	l := newLog(event.Stage{Name: "t", Body: "task", Servers: []string{"web02", "web01", "web03", "web04"}}).start("t")
	say := func(kind event.Kind, server, trouble string) {
		l.add(event.Event{Kind: kind, Stage: "t", Step: &event.Step{Name: "t", Server: server, Error: trouble}})
	}
	say(event.StepStarted, "web01", "")
	say(event.StepStarted, "web02", "")
	say(event.StepFinished, "web01", "no")
	say(event.StepFinished, "web02", "")
	say(event.StepStarted, "web01", "") // the second attempt
	say(event.StepFinished, "web01", "")
	say(event.StepStarted, "web03", "")
	a := read(l.events)
	s := stageNamed(t, a, "t")
	if got := tallySteps(s.servers()); got != "1 not started, 2 succeeded, 1 unfinished" {
		t.Errorf("%s", got)
	}
	var order []string
	for _, server := range results(a.stages)[0].Servers {
		order = append(order, server.Server)
	}
	if diff := cmp.Diff([]string{"web02", "web01", "web03"}, order); diff != "" {
		t.Errorf("want, got:\n%s", diff)
	}
	if look := s.servers()[3].view("web04").Look.Word; look != "not started" {
		t.Errorf("web04 is %s", look)
	}
	if text := s.systemOut().Text; !strings.Contains(text, "web03: unfinished\nweb04: not started") {
		t.Errorf("%s", text)
	}
	if text := Markdown(l.events, Options{}); !strings.Contains(text, "| <code>web04</code> | – not started | – |") {
		t.Errorf("%s", text)
	}
	l.events = slices.DeleteFunc(l.events, func(e event.Event) bool { return e.Stage != "" })
	if got := stageNamed(t, read(l.events), "t").servers(); len(got) != 0 {
		t.Errorf("a task that was not begun has %d servers", len(got))
	}
}

func TestRetriesOfServersAreNotTheStages(t *testing.T) {
	l := newLog(event.Stage{Name: "t", Body: "task"}).start("t")
	for _, server := range []string{"web01", "web02", "web03"} {
		l.add(event.Event{Kind: event.StepStarted, Stage: "t", Step: &event.Step{Name: "t", Server: server}})
	}
	again := func(server string, number int) {
		l.add(event.Event{Kind: event.StageRetry, Stage: "t", Attempt: &event.Attempt{Server: server, Number: number, Of: 3, Error: "no"}})
	}
	again("web01", 1)
	again("web02", 1)
	again("web02", 2)
	l.add(event.Event{Kind: event.StepFinished, Stage: "t", Step: &event.Step{Name: "t", Server: "web01", Text: "done"}})
	l.add(event.Event{Kind: event.StepFinished, Stage: "t", Step: &event.Step{Name: "t", Server: "web02", Error: "exit status 7"}})
	l.end("t", event.Result{Outcome: event.Succeeded, Attempts: 1})
	a := read(l.events)
	s := stageNamed(t, a, "t")
	if s.attempts() != 1 || s.flaky() || len(s.tries()) != 0 {
		t.Errorf("%d attempts, flaky %v, %v", s.attempts(), s.flaky(), s.tries())
	}
	var said []string
	for _, server := range s.servers() {
		said = append(said, server.say())
	}
	want := []string{"done, after 1 attempt that failed", "exit status 7, after 2 attempts that failed", ""}
	if diff := cmp.Diff(want, said); diff != "" {
		t.Errorf("want, got:\n%s", diff)
	}
	want = []string{"Passed only on a retry: web01 (t). A server that often needs one is ill; its log has every attempt."}
	if diff := cmp.Diff(want, a.flaky()); diff != "" {
		t.Errorf("want, got:\n%s", diff)
	}
	if retries := results(a.stages)[0].Retries; len(retries) != 3 || retries[2].Server != "web02" {
		t.Errorf("%+v", retries)
	}
	again("", 1) // the stage begins anew
	l.add(event.Event{Kind: event.StepFinished, Stage: "t", Step: &event.Step{Name: "t", Server: "web01", Text: "done"}})
	if s := stageNamed(t, read(l.events), "t"); s.attempts() != 1 || s.servers()[0].say() != "done" {
		t.Errorf("%d attempts; %s", s.attempts(), s.servers()[0].say())
	}
}

func TestRollbacksAreNoStages(t *testing.T) {
	a := read(recorded(t, "rolled_back"))
	if len(a.stages) != 11 || len(a.rollbacks) != 2 || slices.ContainsFunc(a.stages, func(s *stage) bool { return s.Rollback }) {
		t.Errorf("%d stages, %d strategies", len(a.stages), len(a.rollbacks))
	}
	text := Markdown(recorded(t, "release"), Options{})
	if want := "| <code>shop</code> | deploy | – did nothing | – | – | its condition did not hold |"; !strings.Contains(text, want) {
		t.Errorf("no %q in:\n%s", want, text)
	}
}

// crowded has very much of everything.
func crowded() []event.Event {
	var all []event.Stage
	for i := range 400 {
		all = append(all, event.Stage{Name: fmt.Sprintf("task%d", i), Body: "task"}, event.Stage{Name: fmt.Sprintf("rollback.r%d", i), Rollback: true})
	}
	l := newLog(all...)
	for i := range 400 {
		name := fmt.Sprintf("task%d", i)
		l.start(name).add(event.Event{Kind: event.StageRetry, Stage: name, Attempt: &event.Attempt{Number: 1, Of: 2, Error: strings.Repeat("e", 200)}})
		for server := range 20 {
			l.add(event.Event{Kind: event.StepFinished, Stage: name, Step: &event.Step{Name: name, Server: fmt.Sprintf("web%d", server), Error: strings.Repeat("x", 300)}})
		}
		l.end(name, event.Result{Outcome: event.Failed, Reason: "no", Attempts: 2, Tail: []string{strings.Repeat("t", 5000)}})
		l.add(event.Event{Kind: event.ArtifactDone, Artifact: &event.Artifact{Name: name, Removed: []string{"a", "b"}}})
		l.stage = name
		l.switched(blueGreen)
		l.add(event.Event{Kind: event.StepStarted, Step: &event.Step{Environment: name, Name: "lock"}})
	}
	return l.finish(event.Result{Outcome: event.Failed, Reason: "no"})
}

func TestLimitHoldsWithEverySection(t *testing.T) {
	events := crowded()
	for _, limit := range []int{900 << 10, 200 << 10, 64 << 10, 8 << 10} {
		text := Markdown(events, Options{Limit: limit, Full: "full.md"})
		if len(text) > limit {
			t.Errorf("%d bytes under a limit of %d", len(text), limit)
		}
		if limit >= 64<<10 && (!strings.Contains(text, "### Stages") || !strings.Contains(text, "### Artifacts")) {
			t.Errorf("under %d nothing is left but:\n%.500s", limit, text)
		}
		if !strings.Contains(text, "full.md") {
			t.Errorf("under %d the whole report is not named", limit)
		}
	}
}
