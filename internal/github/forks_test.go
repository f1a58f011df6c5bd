package github

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/org/deploy-action/internal/github/githubtest"
)

const (
	deletedFork = `{"pull_request": {"number": 7, "head": {"repo": null}, "base": {"repo": {"full_name": "org/shop"}}}}`
	finishedRun = `{"workflow_run": {"head_repository": {"full_name": "%s"}}, "repository": {"full_name": "org/shop"}}`
	remark      = `{"issue": {"number": %d, "pull_request": {"url": "x"}}, "repository": {"full_name": "org/shop"}}`
)

// proposals is a GitHub with pull requests from everywhere.
func proposals(t *testing.T) *githubtest.Server {
	s := githubtest.Start(t)
	s.Propose(1, githubtest.Repository)
	s.Propose(2, "eve/shop")
	s.Propose(3, "")
	return s
}

func TestRefuseFork(t *testing.T) {
	s := proposals(t)
	for name, test := range map[string]struct {
		event, text string
		refused     bool
	}{
		"own branch":              {"pull_request_target", fmt.Sprintf(pullRequest, "org/shop"), false},
		"fork":                    {"pull_request_target", fmt.Sprintf(pullRequest, "eve/shop"), true},
		"deleted fork":            {"pull_request_target", deletedFork, true},
		"unreadable":              {"pull_request_target", `{`, true},
		"fork without secrets":    {"pull_request", fmt.Sprintf(pullRequest, "eve/shop"), false},
		"after an own run":        {"workflow_run", fmt.Sprintf(finishedRun, "org/shop"), false},
		"after a fork's run":      {"workflow_run", fmt.Sprintf(finishedRun, "eve/shop"), true},
		"after a gone fork's run": {"workflow_run", `{"workflow_run": {"head_repository": null}, "repository": {"full_name": "org/shop"}}`, true},
		"comment on an issue":     {"issue_comment", `{"issue": {"number": 2}}`, false},
		"comment on a branch":     {"issue_comment", fmt.Sprintf(remark, 1), false},
		"comment on a fork":       {"issue_comment", fmt.Sprintf(remark, 2), true},
		"comment on a gone fork":  {"issue_comment", fmt.Sprintf(remark, 3), true},
		"comment on nothing":      {"issue_comment", fmt.Sprintf(remark, 4), true},
		"push":                    {"push", `{}`, false},
	} {
		t.Run(name, func(t *testing.T) {
			j := at(t, s)
			j.event(t, test.event, test.text)
			if err := j.actions(t).RefuseFork(t.Context()); (err != nil) != test.refused {
				t.Errorf("refused: %v", err)
			}
			j.env["INPUT_ALLOW_FORKS"] = "true"
			if err := j.actions(t).RefuseFork(t.Context()); err != nil {
				t.Errorf("refused though allowed: %v", err)
			}
		})
	}
}

// Where GitHub doesn't say where a pull request is from, it may be a fork's.
func TestRefuseWhatCannotBeTold(t *testing.T) {
	s := proposals(t)
	s.Refuse(func(*http.Request) *githubtest.Refusal {
		return &githubtest.Refusal{Code: http.StatusForbidden, Message: "no"}
	})
	j := at(t, s)
	j.event(t, "issue_comment", fmt.Sprintf(remark, 1))
	if err := j.actions(t).RefuseFork(t.Context()); err == nil || !strings.Contains(err.Error(), "403 Forbidden: no") {
		t.Errorf("refused: %v", err)
	}
	delete(j.env, "INPUT_TOKEN")
	if err := j.actions(t).RefuseFork(t.Context()); err == nil || !strings.Contains(err.Error(), "no token") {
		t.Errorf("refused: %v", err)
	}
}

func TestRefuseForkDeploy(t *testing.T) {
	for name, test := range map[string]struct {
		event, text string
		refused     bool
	}{
		"own branch": {"pull_request", fmt.Sprintf(pullRequest, "org/shop"), false},
		"fork":       {"pull_request", fmt.Sprintf(pullRequest, "eve/shop"), true},
		"review":     {"pull_request_review", fmt.Sprintf(pullRequest, "eve/shop"), true},
		"push":       {"push", `{}`, false},
		"no event":   {"schedule", `{`, false},
		"unreadable": {"pull_request", `{`, true},
	} {
		t.Run(name, func(t *testing.T) {
			j := newJob(t)
			j.event(t, test.event, test.text)
			if err := j.actions(t).RefuseForkDeploy(); (err != nil) != test.refused {
				t.Errorf("refused: %v", err)
			}
			j.env["INPUT_ALLOW_FORKS"] = "true"
			if err := j.actions(t).RefuseForkDeploy(); err != nil {
				t.Errorf("refused though allowed: %v", err)
			}
		})
	}
}
