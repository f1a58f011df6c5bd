// Package e2e runs the container action as GitHub would: act runs workflows with
// it on a real Docker engine, against a GitHub that speaks the documented API and
// servers with a real sshd and nginx.
package e2e

import (
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"

	"github.com/org/deploy-action/internal/github/githubtest"
)

// TestMain is also the application that the tests deploy: its slots and previews
// run this binary again.
func TestMain(m *testing.M) {
	if os.Getenv("E2E_APP") != "" {
		serveApp()
	}
	code := m.Run()
	_ = exec.Command("docker", "image", "rm", "--force", tag).Run() // there may be none
	os.Exit(code)
}

// TestAction deploys two releases in one run of the action: blue/green behind a
// real nginx in its container, told on the pull request.
func TestAction(t *testing.T) {
	t.Parallel()
	need(t, "act", "docker", "git", "go")
	dir := checkout(t, "testdata/action/check.sh", "testdata/action/deploy.hcl", "testdata/action/install.sh",
		"testdata/action/slot.conf", "testdata/action/site/v1/index.html", "testdata/action/site/v2/index.html")
	w := newWorkflow(t, dir, read(t, root+"/.github/workflows/selftest.yml"))
	log := w.mustAct("pull_request", pullEvent("opened", 7, githubtest.Repository),
		"selftest: outputs and report are as they should be", // check.sh
		"Success - Main ./",
		"Success - Post ./",
		"::set-output:: outcome=succeeded",
		"::set-output:: active_slot=green",
		"## ✅ Pipeline selftest succeeded", // act shows the summary
		"flowchart LR",
		"0 failed, p99",
	)
	if all := w.hub.Deployments("shop"); len(all) != 1 || all[0].State() != "success" || all[0].Production {
		t.Errorf("deployments: %+v", all)
	}
	if all := w.hub.Comments(7); len(all) != 1 || !strings.Contains(all[0].Body, "Now serving: **green (") {
		t.Errorf("comments: %+v", all)
	}
	t.Log(regexp.MustCompile(`\d+ requests, \d+ failed, p99 [^*\n]*`).FindString(log))
}
