package github

import (
	"context"
	"errors"
	"fmt"
)

// maxPulls is how many open pull requests are looked at. Past it nobody can say
// that one is closed because it was not seen.
const maxPulls = maxPages * 100

// OpenPulls are the numbers of the open pull requests of the repository.
func (a *Actions) OpenPulls(ctx context.Context) ([]int, error) {
	client := a.client()
	if client == nil {
		return nil, errors.New("there is no token to ask GitHub with (input token)")
	}
	var numbers []int
	err := persist(ctx, func(ctx context.Context) error {
		numbers = nil
		return pages(ctx, client, "pulls?state=open&per_page=100", maxPages, func(list []pull) bool {
			for _, pr := range list {
				numbers = append(numbers, pr.Number)
			}
			return false
		})
	})
	if forbids(err) {
		err = fmt.Errorf("%w; the job needs the permission pull-requests: read", err)
	}
	if err == nil && len(numbers) >= maxPulls {
		err = fmt.Errorf("there are %d or more, which is more than turnout looks at", maxPulls)
	}
	return numbers, err
}

// previewVerb is what the input command: preview does at the event that started
// the job.
func previewVerb(getenv func(string) string) (string, error) {
	switch name := getenv("GITHUB_EVENT_NAME"); name {
	case "pull_request", "pull_request_target":
		event, err := readEvent(getenv)
		if err != nil {
			return "", fmt.Errorf("input command: preview: what happened to the pull request can't be told: %w", err)
		}
		if event.Action == "closed" {
			return "down", nil
		}
		return "up", nil
	}
	return "sync", nil
}
