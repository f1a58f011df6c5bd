package github

import (
	"net/http"
	"strings"
	"testing"

	"github.com/org/deploy-action/internal/github/githubtest"
)

// TestOpenPulls reads a list of several pages whole, or not at all.
func TestOpenPulls(t *testing.T) {
	s := githubtest.Start(t)
	for number := 1; number <= 230; number++ {
		s.Propose(number, githubtest.Repository)
	}
	j := at(t, s)
	numbers, err := j.actions(t).OpenPulls(t.Context())
	if err != nil || len(numbers) != 230 || numbers[0] != 1 || numbers[229] != 230 {
		t.Errorf("%d numbers: %v, %v", len(numbers), numbers, err)
	}
	s.Refuse(func(r *http.Request) *githubtest.Refusal {
		if r.URL.Query().Get("page") == "2" {
			return &githubtest.Refusal{Code: http.StatusForbidden, Message: "Resource not accessible by integration"}
		}
		return nil
	})
	if _, err := j.actions(t).OpenPulls(t.Context()); err == nil || !strings.Contains(err.Error(), "pull-requests: read") {
		t.Errorf("half a list: %v", err)
	}
	j.env["INPUT_TOKEN"] = ""
	if _, err := j.actions(t).OpenPulls(t.Context()); err == nil || !strings.Contains(err.Error(), "no token") {
		t.Errorf("without a token: %v", err)
	}
}
