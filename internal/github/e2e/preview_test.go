package e2e

import (
	"fmt"
	"strings"
	"testing"

	"github.com/org/deploy-action/internal/github/githubtest"
	"github.com/org/deploy-action/internal/proxy/proxytest"
)

const previewSpec = `
preview "shop" {
  server    = server.web01
  root      = "%[1]s/srv/${preview.name}"
  hostname  = "pr-${github.pull_request}.preview.example.com"
  ports     = "%[2]d-%[3]d"
  state_dir = "%[1]s/previews"
  release   = "dist"
  start     = "sh %[1]s/app start ${preview.name}"
  stop      = "sh %[1]s/app stop ${preview.name}"

  health {
    interval = "50ms"

    http {
      path = "/"
    }
  }

  proxy "nginx" {
    servers    = server.web01
    listen     = %[4]q
    config_dir = "%[1]s/conf.d"
    main       = %[5]q
    error_log  = %[6]q
  }
}
`

// TestPreviews runs the documented workflow through the life of two pull requests:
// both are opened, one is updated and closed; that the other one was closed,
// GitHub never tells.
func TestPreviews(t *testing.T) {
	t.Parallel()
	need(t, "act", "docker", "git", "go")
	dir, s := checkout(t), newServer(t)
	port := proxytest.FreePort(t)
	write(t, dir+"/deploy.hcl", s.spec()+fmt.Sprintf(previewSpec, s.Dir, port, port+3, s.Site.Listen, s.Site.Main, s.Site.ErrorLog))
	w := newWorkflow(t, dir, documented(t, "previews.md", "## In GitHub Actions",
		"npm ci && npm run build", "mkdir -p dist && cp text dist/",
		"      - uses: org/deploy-action@v1", "      - id: preview\n        uses: org/deploy-action@v1"))
	w.login(s)
	shows := func(pull, status int, text string) {
		t.Helper()
		if got, body := s.answer(t, fmt.Sprintf("pr-%d.preview.example.com", pull)); got != status || !strings.Contains(body, text) {
			t.Fatalf("pull request %d: %d %q, want %d %q", pull, got, body, status, text)
		}
	}
	pull := func(action string, number int, text string, wants ...string) {
		t.Helper()
		write(t, dir+"/text", text)
		w.mustAct("pull_request", pullEvent(action, number, githubtest.Repository), append(wants, "::set-output:: outcome=succeeded")...)
	}

	pull("opened", 7, "seven", "::set-output:: url=http://pr-7.preview.example.com")
	pull("opened", 8, "eight")
	pull("synchronize", 7, "better", "::set-output:: release=")
	shows(7, 200, "better")
	shows(8, 200, "eight")
	w.toldOf(7, "http://pr-7.preview.example.com", "in_progress success inactive", "in_progress success")

	w.hub.Propose(7, githubtest.Repository) // the only one that is open
	w.mustAct("schedule", plainEvent, "shop: 1 kept, 0 repaired, 1 removed, 0 missing")
	shows(7, 200, "better")
	shows(8, 404, "no preview")
	w.toldOf(8, "http://pr-8.preview.example.com", "in_progress success inactive")

	pull("closed", 7, "")
	shows(7, 404, "no preview")
	w.toldOf(7, "The preview was removed.", "in_progress success inactive", "in_progress success inactive")
}

// toldOf fails unless the pull request has one comment, which says a text, and its
// preview deployments that went through these states.
func (w *workflow) toldOf(pull int, text string, want ...string) {
	w.Helper()
	if all := w.hub.Comments(pull); len(all) != 1 || !strings.Contains(all[0].Body, text) {
		w.Errorf("comments of pull request %d: %+v, want one with %q", pull, all, text)
	}
	var got []string
	for _, d := range w.hub.Deployments(fmt.Sprint("shop-pr-", pull)) {
		var states []string
		for _, status := range d.Statuses {
			states = append(states, status.State)
			if address := fmt.Sprintf("http://pr-%d.preview.example.com", pull); status.State == "success" && !strings.HasPrefix(status.URL, address) {
				w.Errorf("environment_url %q of pull request %d", status.URL, pull)
			}
		}
		got = append(got, strings.Join(states, " "))
	}
	if strings.Join(got, ", ") != strings.Join(want, ", ") {
		w.Errorf("deployments of pull request %d: %q, want %q", pull, got, want)
	}
}
