package main

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/org/deploy-action/internal/github/githubtest"
	"github.com/org/deploy-action/internal/proxy"
)

// onGitHub makes a site whose commands are steps of a job for pull request 7.
func onGitHub(t *testing.T, kind proxy.Kind) (*site, *githubtest.Server) {
	t.Helper()
	s, hub := newSite(t, kind), githubtest.Start(t)
	s.edit(`watch = "1s"`, `watch = "200ms"`)
	s.edit(`drain = "2s"`, `drain = "100ms"`)
	s.write("event.json", fmt.Sprintf(`{"pull_request": {"number": 7, "title": "`+"`</details>@everyone"+`",
		"head": {"sha": "beef", "repo": {"full_name": %[1]q}}, "base": {"repo": {"full_name": %[1]q}}}}`, githubtest.Repository))
	for _, name := range []string{"output", "summary", "gh-state"} {
		s.write(name, "")
	}
	for name, value := range hub.Env() {
		s.env = append(s.env, name+"="+value)
	}
	s.env = append(s.env, "INPUT_TOKEN="+githubtest.Token, "GITHUB_EVENT_NAME=pull_request", "GITHUB_ACTOR=ada",
		"GITHUB_EVENT_PATH="+filepath.Join(s.dir, "event.json"), "GITHUB_WORKSPACE="+s.dir,
		"GITHUB_OUTPUT="+filepath.Join(s.dir, "output"), "GITHUB_STEP_SUMMARY="+filepath.Join(s.dir, "summary"),
		"GITHUB_STATE="+filepath.Join(s.dir, "gh-state"))
	return s, hub
}

// TestAtHomeOnGitHub follows two deploys and a rollback on a pull request.
func TestAtHomeOnGitHub(t *testing.T) {
	t.Parallel()
	s, hub := onGitHub(t, proxy.NGINX)
	s.write("more.hcl", `pipeline "release" {
  stage "deploy" {
    deploy {
      environment = environment.shop
      release     = "v1"
    }
  }
}
`)
	s.write("deploy.hcl", s.text("deploy.hcl")+s.text("more.hcl"))
	s.release("v1")
	s.run(0, "plan")
	if all := hub.Comments(7); len(all) != 1 || !strings.Contains(all[0].Body, "### Plan of pipeline release") || !strings.Contains(all[0].Body, "\n+") {
		t.Fatalf("the plan's comment: %+v", all)
	}
	s.run(0, "run")
	s.run(0, "deploy", "-release", s.release("v2"))
	all := hub.Comments(7)
	if len(all) != 2 {
		t.Fatalf("comments: %+v", all)
	}
	for _, want := range []string{"### ✅ shop: blue (", "Now serving: **green (", "| url | http://", "| commit | <code>beef</code> |", "| health | green: ", " requests, 0 failed, p99 ", "/actions/runs/41 |"} {
		if !strings.Contains(all[1].Body, want) {
			t.Errorf("the comment lacks %q:\n%s", want, all[1].Body)
		}
	}
	if states := deployed(hub); states != "inactive success" {
		t.Errorf("deployments: %s", states)
	}
	s.run(0, "rollback")
	s.serves("v1")
	if states := deployed(hub); states != "success inactive" {
		t.Errorf("deployments after the rollback: %s", states)
	}
	if strings.Contains(strings.Join(hub.Bodies(), ""), githubtest.Token) {
		t.Error("the token was told")
	}
}

// deployed are the states of the deployments of shop.
func deployed(hub *githubtest.Server) string {
	var states []string
	for _, d := range hub.Deployments("shop") {
		states = append(states, d.State())
	}
	return strings.Join(states, " ")
}

func (s *site) text(name string) string {
	s.t.Helper()
	text, err := os.ReadFile(filepath.Join(s.dir, name))
	if err != nil {
		s.t.Fatal(err)
	}
	return string(text)
}

// TestGitHubIsDown deploys, and cancels a deploy, while GitHub is limited or does
// not answer at all: nobody but a warning takes notice.
func TestGitHubIsDown(t *testing.T) {
	t.Parallel()
	s, hub := onGitHub(t, proxy.NGINX)
	free := make(chan struct{})
	t.Cleanup(func() { close(free) })
	answers := map[string]func(*http.Request) *githubtest.Refusal{
		"GitHub asks to wait 1h0m0s": func(*http.Request) *githubtest.Refusal {
			return &githubtest.Refusal{Code: http.StatusTooManyRequests, Header: map[string]string{"Retry-After": "3600"}}
		},
		"did not take it before the run was over": func(*http.Request) *githubtest.Refusal { <-free; return nil },
	}
	version := 0
	for want, answer := range answers {
		hub.Refuse(answer)
		version++
		output := s.run(0, "deploy", "-release", s.release(fmt.Sprint("v", version)))
		s.serves(fmt.Sprint("v", version))
		if n := strings.Count(output, "::warning title=Not told on GitHub::"); n < 1 || n > 2 || !strings.Contains(output, want) {
			t.Errorf("%s: %d warnings:\n%s", want, n, output)
		}
	}
	hub.Refuse(answers["did not take it before the run was over"])
	s.release("v9")
	code, took, output := s.signalled("commit", syscall.SIGINT, "deploy", "-verbose", "-release", "v9")
	if code != 130 || took > time.Minute {
		t.Errorf("exit code %d after %s\n%s", code, took, output)
	}
	s.serves(fmt.Sprint("v", version))
}
