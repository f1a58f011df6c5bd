package github

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/org/deploy-action/internal/event"
	"github.com/org/deploy-action/internal/github/githubtest"
	"github.com/org/deploy-action/internal/secret"
)

// at is a job of a GitHub.
func at(t *testing.T, s *githubtest.Server) *job {
	t.Helper()
	j := newJob(t)
	for name, value := range s.Env() {
		j.env[name] = value
	}
	j.env["INPUT_TOKEN"] = githubtest.Token
	return j
}

// proposed is a job for pull request 7 of the repository itself.
func proposed(t *testing.T, s *githubtest.Server) *job {
	t.Helper()
	j := at(t, s)
	j.event(t, "pull_request", fmt.Sprintf(pullRequest, githubtest.Repository))
	return j
}

// states are those that a deployment went through.
func states(d githubtest.Deployment) []string {
	var all []string
	for _, s := range d.Statuses {
		all = append(all, s.State)
	}
	return all
}

func shipping(stage string) event.Event {
	return event.Event{Kind: event.StepStarted, Stage: stage, Step: &event.Step{Environment: "shop", Name: "ship"}}
}

var (
	blue1  = event.SlotRelease{Slot: "blue", Release: "20261124t1-aaaa"}
	green2 = event.SlotRelease{Slot: "green", Release: "20261125t2-bbbb"}
)

func moved(from, to event.SlotRelease) event.Switch {
	return event.Switch{Environment: "shop", URL: "http://shop/", From: from, To: to, Serving: to, Outcome: event.Succeeded}
}

// deploy is a run that tells what it does and ends.
func deploy(t *testing.T, j *job, events ...event.Event) {
	t.Helper()
	a := j.actions(t)
	l := NewListener(a)
	for _, e := range append([]event.Event{started}, events...) {
		l.Event(e)
	}
	a.Close(t.Context())
}

func TestDeploymentOfASuccess(t *testing.T) {
	s := githubtest.Start(t)
	j := at(t, s)
	deploy(t, j, shipping("deploy"), switched(moved(blue1, green2)))
	all := s.Deployments("shop")
	if len(all) != 1 || all[0].Ref != "cafe" || all[0].Transient || all[0].Production {
		t.Fatalf("deployments: %+v", all)
	}
	want := githubtest.Status{
		State: "success", Description: "green serves · " + green2.Release,
		URL: "http://shop/", LogURL: s.URL + "/org/shop/actions/runs/41",
	}
	if diff := cmp.Diff(want, all[0].Statuses[len(all[0].Statuses)-1]); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	if j.log.Len() > 0 {
		t.Errorf("log: %s", &j.log)
	}
}

func TestDeploymentsByOutcome(t *testing.T) {
	failed := event.Switch{Environment: "shop", Serving: blue1, PutBack: true, Reason: strings.Repeat("ü", 200)}
	with := func(s event.Switch, outcome event.Outcome) event.Event {
		s.Outcome = outcome
		return switched(s)
	}
	for name, test := range map[string]struct {
		events []event.Event
		state  string // of the one deployment; empty: there is none
		says   string
	}{
		"failed":              {[]event.Event{shipping(""), with(failed, event.Failed)}, "failure", "put back, blue serves: üü"},
		"failed at once":      {[]event.Event{with(event.Switch{Environment: "shop", Reason: "no route"}, event.Failed)}, "failure", "nothing was moved: no route"},
		"stranded":            {[]event.Event{shipping(""), with(failed, event.Stranded)}, "error", "needs a hand: üü"},
		"cancelled":           {[]event.Event{shipping(""), with(failed, event.Cancelled)}, "failure", "cancelled; put back, blue serves"},
		"cancelled in a lock": {[]event.Event{with(failed, event.Cancelled)}, "", ""},
		"superseded":          {[]event.Event{with(failed, event.Skipped)}, "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			s := githubtest.Start(t)
			j := at(t, s)
			deploy(t, j, test.events...)
			all := s.Deployments("shop")
			switch {
			case test.state == "" && len(all) == 0:
			case len(all) != 1 || all[0].State() != test.state || !strings.HasPrefix(all[0].Statuses[len(all[0].Statuses)-1].Description, test.says):
				t.Errorf("deployments: %+v", all)
			}
			if j.log.Len() > 0 {
				t.Errorf("log: %s", &j.log)
			}
		})
	}
}

func TestWhatIsReplacedIsInactive(t *testing.T) {
	s := githubtest.Start(t)
	for _, name := range []string{"shop", "production"} { // GitHub leaves those of production to us
		one, two := moved(event.SlotRelease{}, blue1), moved(blue1, green2)
		one.Environment, two.Environment = name, name
		deploy(t, at(t, s), switched(one))
		deploy(t, at(t, s), switched(event.Switch{Environment: name, Outcome: event.Failed, Serving: blue1}))
		deploy(t, at(t, s), switched(two))
		var got []string
		for _, d := range s.Deployments(name) {
			got = append(got, d.State())
		}
		if diff := cmp.Diff([]string{"inactive", "failure", "success"}, got); diff != "" {
			t.Errorf("%s: -want +got:\n%s", name, diff)
		}
	}
}

// A rollback shows what serves again, with its commit, and not the commit of the
// job that rolled back.
func TestRollbackRestoresTheDeployment(t *testing.T) {
	back := moved(green2, blue1)
	back.Rollback = true
	byCommand := event.Event{Kind: event.RunStarted, Run: &event.Run{ID: "r3", Command: "rollback"}}
	byStrategy := event.Event{Kind: event.RunStarted, Run: &event.Run{ID: "r3", Command: "run", Stages: []event.Stage{{Name: "rollback.shop", Rollback: true}}}}
	for name, events := range map[string][]event.Event{
		"by command":  {byCommand, shipping(""), switched(back)},
		"by strategy": {byStrategy, shipping("rollback.shop"), {Kind: event.SwitchDone, Stage: "rollback.shop", Switch: &back}},
	} {
		t.Run(name, func(t *testing.T) {
			s := githubtest.Start(t)
			deploy(t, at(t, s), switched(moved(event.SlotRelease{}, blue1)))
			deploy(t, at(t, s), switched(moved(blue1, green2)))
			deploy(t, at(t, s), events...)
			all := s.Deployments("shop")
			if len(all) != 2 || all[0].State() != "success" || all[1].State() != "inactive" {
				t.Fatalf("deployments: %+v", all)
			}
			if last := all[0].Statuses[len(all[0].Statuses)-1]; last.URL != "http://shop/" || last.Description != "rolled back to blue · "+blue1.Release {
				t.Errorf("restored as %+v", last)
			}
		})
	}
}

// What previews need: a target that comes and goes, told of by different jobs.
func TestATargetThatIsGone(t *testing.T) {
	s := githubtest.Start(t)
	a := proposed(t, s).actions(t)
	target := Target{Name: "shop-pr-12", Transient: true}
	a.API().Deploy(target, Status{State: InProgress})
	a.API().Deploy(target, Status{State: Live, URL: "https://pr-12.example.com"})
	a.Close(t.Context())
	b := proposed(t, s).actions(t)
	b.API().Retire(target.Name, "removed")
	b.Close(t.Context())
	all := s.Deployments(target.Name)
	if len(all) != 1 || !all[0].Transient || all[0].Ref != "beef" || all[0].State() != "inactive" {
		t.Errorf("deployments: %+v", all)
	}
}

// An answer that was lost does not make two of anything.
func TestALostAnswer(t *testing.T) {
	s := githubtest.Start(t)
	var mu sync.Mutex
	lost := make(map[string]bool)
	s.Refuse(func(r *http.Request) *githubtest.Refusal {
		mu.Lock()
		defer mu.Unlock()
		if r.Method != http.MethodPost || lost[r.URL.Path] || r.URL.Path == "/graphql" {
			return nil
		}
		lost[r.URL.Path] = true
		return &githubtest.Refusal{Code: http.StatusBadGateway, Done: true}
	})
	j := proposed(t, s)
	a := j.actions(t)
	a.API().Deploy(Target{Name: "shop"}, Status{State: Live})
	a.API().Comment("k", "text")
	waitDesk(a)
	a.Close(t.Context())
	if n := len(s.Deployments("shop")); n != 1 || s.Deployments("shop")[0].State() != "success" {
		t.Errorf("%d deployments: %+v", n, s.Deployments("shop"))
	}
	if all := s.Comments(7); len(all) != 1 {
		t.Errorf("comments: %+v", all)
	}
	if j.log.Len() > 0 {
		t.Errorf("log: %s", &j.log)
	}
}

func TestWithoutPermission(t *testing.T) {
	s := githubtest.Start(t)
	asked := make(map[string]int)
	var mu sync.Mutex
	s.Refuse(func(r *http.Request) *githubtest.Refusal {
		mu.Lock()
		defer mu.Unlock()
		asked[r.URL.Path]++
		return &githubtest.Refusal{Code: http.StatusForbidden, Message: "Resource not accessible by integration"}
	})
	j := proposed(t, s)
	a := j.actions(t)
	for _, name := range []string{"shop", "api"} {
		a.API().Deploy(Target{Name: name}, Status{State: InProgress})
		a.API().Deploy(Target{Name: name}, Status{State: Live})
	}
	a.Close(t.Context())
	const want = "::warning title=Not told on GitHub::deployment of api: POST %s/repos/org/shop/deployments: 403 Forbidden: " +
		"Resource not accessible by integration; the job needs the permission deployments: write, or the input deployments: false\n"
	if diff := cmp.Diff(fmt.Sprintf(want, s.URL), j.log.String()); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	if n := asked["/repos/org/shop/deployments"]; n != 1 {
		t.Errorf("asked %d times", n)
	}
}

// Whoever proposes something from a fork can't give the job a permission.
func TestTheTokenOfAForkIsNoWarning(t *testing.T) {
	s := githubtest.Start(t)
	s.Refuse(func(*http.Request) *githubtest.Refusal {
		return &githubtest.Refusal{Code: http.StatusForbidden, Message: "Resource not accessible by integration"}
	})
	j := at(t, s)
	j.event(t, "pull_request", fmt.Sprintf(pullRequest, "eve/shop"))
	a := j.actions(t)
	a.API().Comment("k", "text")
	a.Close(t.Context())
	if j.log.Len() > 0 {
		t.Errorf("log: %s", &j.log)
	}
}

func TestNothingIsToldWithout(t *testing.T) {
	for name, change := range map[string]func(*job){
		"a token":     func(j *job) { delete(j.env, "INPUT_TOKEN") },
		"leave":       func(j *job) { j.env["INPUT_DEPLOYMENTS"], j.env["INPUT_COMMENT"] = "false", "False" },
		"an API":      func(j *job) { delete(j.env, "GITHUB_API_URL") },
		"permissions": func(j *job) { j.env["INPUT_TOKEN"] = "ghs_other" },
	} {
		t.Run(name, func(t *testing.T) {
			s := githubtest.Start(t)
			j := proposed(t, s)
			change(j)
			a := j.actions(t)
			a.API().Deploy(Target{Name: "shop"}, Status{State: Live})
			a.API().Comment("k", "text")
			a.Close(t.Context())
			if len(s.Deployments("shop"))+len(s.Comments(7)) > 0 {
				t.Error("something was told")
			}
		})
	}
}

func TestTokenOfAJobWithoutInputs(t *testing.T) {
	s := githubtest.Start(t)
	j := at(t, s)
	delete(j.env, "INPUT_TOKEN")
	j.env[tokenVariable] = githubtest.Token
	deploy(t, j, switched(moved(blue1, green2)))
	if len(s.Deployments("shop")) != 1 {
		t.Error("nothing was told")
	}
}

func TestACommentIsUpdated(t *testing.T) {
	s := githubtest.Start(t)
	s.Say(7, "eve", marker("k")+"\nmine")
	s.Say(7, githubtest.Login, "> "+marker("k")+"\nquoted")
	for i := range 120 {
		s.Say(7, "alice", fmt.Sprint(i))
	}
	for _, text := range []string{"one", "two"} {
		a := proposed(t, s).actions(t)
		a.API().Comment("k", text)
		a.API().Comment("other", text)
		a.Close(t.Context())
	}
	all := s.Comments(7)
	if len(all) != 124 || all[0].Body != marker("k")+"\nmine" || !strings.Contains(all[1].Body, "quoted") {
		t.Fatalf("%d comments, the first: %+v", len(all), all[:2])
	}
	last := []string{all[122].Body, all[123].Body}
	slices.Sort(last)
	if diff := cmp.Diff([]string{marker("k") + "\ntwo", marker("other") + "\ntwo"}, last); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

// Runs that comment at the same time end up with one comment.
func TestRunsThatCommentTogether(t *testing.T) {
	s := githubtest.Start(t)
	const runs = 4
	var looked, commented sync.WaitGroup
	looked.Add(runs)
	var mu sync.Mutex
	looks := 0
	s.Refuse(func(r *http.Request) *githubtest.Refusal { // every run has looked before any of them comments
		if r.Method == http.MethodGet {
			mu.Lock()
			if looks++; looks <= runs {
				looked.Done()
			}
			mu.Unlock()
		}
		if r.Method == http.MethodPost && strings.HasSuffix(r.URL.Path, "/comments") {
			looked.Wait()
		}
		return nil
	})
	var jobs [runs]*Actions
	for i := range jobs {
		jobs[i] = proposed(t, s).actions(t)
		jobs[i].API().Comment("k", fmt.Sprint("run ", i))
	}
	for _, a := range jobs {
		commented.Go(func() { waitDesk(a) })
	}
	commented.Wait()
	if all := s.Comments(7); len(all) != 1 {
		t.Errorf("comments: %+v", all)
	}
}

func TestACommentThatSomebodyRemoved(t *testing.T) {
	s := githubtest.Start(t)
	a := proposed(t, s).actions(t)
	a.API().Comment("k", "one")
	waitDesk(a)
	s.Forget(7)
	a.API().Comment("k", "two")
	a.Close(t.Context())
	if all := s.Comments(7); len(all) != 1 || !strings.HasSuffix(all[0].Body, "two") {
		t.Errorf("comments: %+v", all)
	}
}

// waitDesk waits until the desk has nothing to do.
func waitDesk(a *Actions) {
	a.people.desk.mu.Lock()
	done := a.people.desk.done
	a.people.desk.mu.Unlock()
	if done != nil {
		<-done
	}
}

func TestCommentsOfAnyLength(t *testing.T) {
	s := githubtest.Start(t)
	a := proposed(t, s).actions(t)
	a.API().Comment("k", strings.Repeat("ü", 40000))
	a.Close(t.Context())
	if all := s.Comments(7); len(all) != 1 || len(all[0].Body) > maxBody || !strings.HasSuffix(all[0].Body, "ü…") {
		t.Errorf("%d comments", len(all))
	}
}

var escape = regexp.MustCompile("%..")

// encodings are what the secret looks like in the outputs of programs.
func encodings(secret string) map[string]string {
	std, safe := base64.StdEncoding.EncodeToString([]byte(secret)), base64.URLEncoding.EncodeToString([]byte(secret))
	quoted, _ := json.Marshal(secret) // a string always encodes
	return map[string]string{
		"plain": secret, "base64": std, "base64 without padding": strings.TrimRight(std, "="),
		"base64 for URLs": safe, "the same without padding": strings.TrimRight(safe, "="),
		"base64 after one byte":  base64.StdEncoding.EncodeToString([]byte("u" + secret)),
		"base64 after two bytes": base64.StdEncoding.EncodeToString([]byte("u:" + secret)),
		"basic authentication":   base64.StdEncoding.EncodeToString([]byte("user:" + secret)),
		"query":                  url.QueryEscape(secret), "path": url.PathEscape(secret),
		"JSON": strings.Trim(string(quoted), `"`), "lower hex": escape.ReplaceAllStringFunc(url.QueryEscape(secret), strings.ToLower),
	}
}

func TestNoSecretIsTold(t *testing.T) {
	const planted = "+s3cr3t/Value&with=\"quotes\"?"
	for name, text := range encodings(planted) {
		t.Run(name, func(t *testing.T) {
			s := githubtest.Start(t)
			j := proposed(t, s)
			a := j.actions(t)
			a.Mask([]string{planted})
			j.log.Reset()
			a.API().Comment("k", "it is "+text+", they say")
			l := NewListener(a)
			for _, e := range []event.Event{started, shipping("deploy"), switched(event.Switch{Environment: "shop", Serving: blue1, Outcome: event.Failed, Reason: "put out " + text})} {
				l.Event(e)
			}
			a.API().Deploy(Target{Name: "other"}, Status{State: Live, URL: "http://x/?" + text, Description: text})
			a.Close(t.Context())
			masked := secret.New([]string{planted})
			for _, body := range s.Bodies() {
				if strings.Contains(body, text) || masked.String(body) != body {
					t.Errorf("told: %s", body)
				}
			}
			if len(s.Comments(7)) != 1 || len(s.Deployments("other")) != 1 {
				t.Errorf("not told: %s", j.log.String())
			}
		})
	}
}

// A GitHub that hangs holds a run up for seconds, and a cancelled one for less.
func TestClosingDoesNotWaitForGitHub(t *testing.T) {
	for name, ended := range map[string]bool{"done": false, "cancelled": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := githubtest.Start(t)
			free := make(chan struct{})
			t.Cleanup(func() { close(free) })
			s.Refuse(func(*http.Request) *githubtest.Refusal { <-free; return nil })
			j := at(t, s)
			a := j.actions(t)
			a.API().Deploy(Target{Name: "shop"}, Status{State: Live})
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			if ended {
				cancel()
			}
			a.Close(ctx) // else for ever
			if !strings.Contains(j.log.String(), "did not take it before the run was over") {
				t.Errorf("log: %s", j.log.String())
			}
		})
	}
}
