package github

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"
)

// A spec names commands to run, and servers to run them on. Whoever opens a pull
// request from a fork can write any spec, and so must not get near a key.

// forkTime bounds asking GitHub where a pull request is from.
const forkTime = 10 * time.Second

// fromFork reports whether the event is about a branch in another repository, or
// in one that no longer exists.
func (p payload) fromFork() bool {
	switch {
	case p.PullRequest != nil:
		return p.PullRequest.fromFork()
	case p.WorkflowRun != nil:
		return elsewhere(p.WorkflowRun.HeadRepository, &p.Repository)
	}
	return false
}

func (p pull) fromFork() bool { return elsewhere(p.Head.Repo, p.Base.Repo) }

func elsewhere(head, base *repository) bool {
	return head == nil || base == nil || head.FullName != base.FullName
}

// withSecrets are the events that have the repository's secrets even where a
// fork's pull request is what started them.
var withSecrets = map[string]bool{"pull_request_target": true, "workflow_run": true, "issue_comment": true}

// RefuseFork is an error when the job has the repository's secrets and was
// started by a pull request from a fork: what it checked out may be the fork's.
// The input allow_forks lifts it. It comes before a spec is evaluated: one can
// read secrets and say them.
func (a *Actions) RefuseFork(ctx context.Context) error {
	name := a.getenv("GITHUB_EVENT_NAME")
	if !withSecrets[name] || a.settings.AllowForks {
		return nil
	}
	fork, err := a.startedByFork(ctx)
	if err != nil {
		return fmt.Errorf("%s: whether the pull request is from a fork can't be told, so nothing is done: %w", name, err)
	}
	if !fork {
		return nil
	}
	return fmt.Errorf("%s is from a fork and the event %s has this repository's secrets: its spec could run anything with them, so nothing is done; use the event pull_request, or merge first, or set the input allow_forks after reading what it means", a.subject(), name)
}

// RefuseForkDeploy is an error when a pull request from a fork would be deployed
// to servers. What only builds and tests is a fork's good right.
func (a *Actions) RefuseForkDeploy() error {
	if a.settings.AllowForks {
		return nil
	}
	event, err := a.event()
	switch {
	case err != nil && strings.HasPrefix(a.getenv("GITHUB_EVENT_NAME"), "pull_request"):
		return fmt.Errorf("whether the pull request is from a fork can't be told, so nothing is done: %w", err)
	case err != nil || !event.fromFork():
		return nil
	}
	return fmt.Errorf("%s is from a fork and this run would change servers: nothing is done; merge first, or set the input allow_forks after reading what it means", a.subject())
}

func (a *Actions) startedByFork(ctx context.Context) (bool, error) {
	event, err := a.event()
	if err != nil {
		return false, err
	}
	if event.Issue == nil || event.Issue.PullRequest == nil {
		return event.fromFork(), nil
	}
	client := a.client()
	if client == nil {
		return false, errors.New("the event doesn't say, and there is no token to ask GitHub with (input token)")
	}
	ctx, cancel := context.WithTimeout(ctx, forkTime)
	defer cancel()
	var pr pull
	err = persist(ctx, func(ctx context.Context) error {
		return client.get(ctx, fmt.Sprintf("pulls/%d", event.Issue.Number), &pr)
	})
	return err == nil && pr.fromFork(), err
}

// subject is what started the job, for messages.
func (a *Actions) subject() string {
	if number := a.Context()["pull_request"]; number != "" && number != "0" {
		return "pull request " + number
	}
	return "what started this job"
}
