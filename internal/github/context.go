package github

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strconv"
)

// variables are the fields of the github object that the runner's environment
// has, in capitals behind GITHUB_.
var variables = map[string]string{
	"sha": "SHA", "ref": "REF", "ref_name": "REF_NAME", "head_ref": "HEAD_REF", "base_ref": "BASE_REF",
	"actor": "ACTOR", "repository": "REPOSITORY", "run_id": "RUN_ID", "run_number": "RUN_NUMBER",
	"run_attempt": "RUN_ATTEMPT", "event_name": "EVENT_NAME", "workflow": "WORKFLOW", "job": "JOB",
	"server_url": "SERVER_URL", "api_url": "API_URL",
}

// payload is what turnout reads of the event that started the workflow. The
// shape is that of GitHub's webhooks.
type payload struct {
	Issue *struct {
		titled
		PullRequest *struct{} `json:"pull_request"` // nil: an issue
	} `json:"issue"`
	PullRequest *pull `json:"pull_request"`
	HeadCommit  *struct {
		Message string `json:"message"`
	} `json:"head_commit"`
	WorkflowRun *struct {
		HeadRepository *repository `json:"head_repository"`
	} `json:"workflow_run"`
	Repository repository `json:"repository"`
}

type repository struct {
	FullName      string `json:"full_name"`
	DefaultBranch string `json:"default_branch"`
}

type titled struct {
	Number int    `json:"number"`
	Title  string `json:"title"`
	Body   string `json:"body"`
}

type pull struct {
	titled
	Head side `json:"head"`
	Base side `json:"base"`
}

// side is a branch of a pull request. Repo is nil once a fork is deleted.
type side struct {
	SHA  string      `json:"sha"`
	Repo *repository `json:"repo"`
}

// Context is the github object of a spec: the fields of variables and title,
// body, pull_request (its number), head_sha, commit_message, default_branch and
// fork ("true" or "false"). A field that the event doesn't have is empty.
func (a *Actions) Context() map[string]string {
	if a.known != nil {
		return a.known
	}
	a.known = make(map[string]string)
	for field, name := range variables {
		a.known[field] = a.getenv("GITHUB_" + name)
	}
	event, _ := a.event() // without an event its fields are empty; RefuseFork tells why
	event.fill(a.known)
	return a.known
}

func (a *Actions) event() (payload, error) {
	var event payload
	name := a.getenv("GITHUB_EVENT_PATH")
	if name == "" {
		return event, errors.New("GITHUB_EVENT_PATH is not set")
	}
	text, err := os.ReadFile(name)
	if err != nil {
		return event, err
	}
	if err := json.Unmarshal(text, &event); err != nil {
		return payload{}, fmt.Errorf("%s: %w", name, err)
	}
	return event, nil
}

func (p payload) fill(fields map[string]string) {
	fields["title"], fields["body"], fields["pull_request"], fields["commit_message"] = "", "", "", ""
	fields["head_sha"] = fields["sha"]
	fields["default_branch"] = p.Repository.DefaultBranch
	fields["fork"] = strconv.FormatBool(p.fromFork())
	if p.Issue != nil {
		fields["title"], fields["body"] = p.Issue.Title, p.Issue.Body
		if p.Issue.PullRequest != nil {
			fields["pull_request"] = strconv.Itoa(p.Issue.Number)
		}
	}
	if p.HeadCommit != nil {
		fields["commit_message"] = p.HeadCommit.Message
	}
	if pr := p.PullRequest; pr != nil {
		fields["title"], fields["body"] = pr.Title, pr.Body
		fields["pull_request"], fields["head_sha"] = strconv.Itoa(pr.Number), pr.Head.SHA
	}
}

// RunURL is the page of the workflow run.
func (a *Actions) RunURL() string {
	c := a.Context()
	if c["server_url"] == "" || c["repository"] == "" || c["run_id"] == "" {
		return ""
	}
	url := c["server_url"] + "/" + c["repository"] + "/actions/runs/" + c["run_id"]
	if c["run_attempt"] > "1" {
		url += "/attempts/" + c["run_attempt"]
	}
	return url
}
