package e2e

import (
	"context"
	"crypto/rand"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/org/deploy-action/internal/github/githubtest"
)

const (
	root     = "../../.."
	jobImage = "debian:bookworm-slim" // of the job; the action brings its own
	commit   = "5d1c04e6a1c7bb1d3b1e9d1f6c2f1d0a9e8b7c6d"
)

// pullEvent is an event of a pull request from a repository: action, number,
// head's repository.
func pullEvent(action string, number int, from string) string {
	return fmt.Sprintf(`{"action": %q, "number": %[2]d,
  "pull_request": {"number": %[2]d, "head": {"sha": %[3]q, "ref": "better", "repo": {"full_name": %[4]q}},
    "base": {"ref": "main", "repo": {"full_name": %[5]q}}},
  "repository": {"full_name": %[5]q, "default_branch": "main"}}`, action, number, commit, from, githubtest.Repository)
}

const plainEvent = `{"repository": {"full_name": "` + githubtest.Repository + `", "default_branch": "main"}}`

// workflow is a checkout with a workflow in it, and the GitHub that it belongs to.
type workflow struct {
	*testing.T
	dir, name string // name begins the names of its containers
	hub       *githubtest.Server
	more      []string // arguments of act
	env       []string // secrets and variables of the repository
}

// newWorkflow has the workflow of a text run in a checkout. Its name becomes one
// of this test only: act calls containers by it.
func newWorkflow(t *testing.T, dir, text string) *workflow {
	t.Helper()
	w := &workflow{T: t, dir: dir, name: "e2e-" + strings.ToLower(rand.Text()[:8]), hub: hub(t)}
	text = "name: " + w.name + "\n" + regexp.MustCompile(`(?m)^name:.*\n`).ReplaceAllString(text, "")
	write(t, filepath.Join(dir, "workflow.yml"), text)
	return w
}

// hub is a GitHub that containers reach, at the address that the engine's own
// network has on this machine.
func hub(t *testing.T) *githubtest.Server { return githubtest.StartAt(t, gateway(t)) }

// gateway asks the network's device for its address: the engine that has made the
// network does not tell its gateway before its next start.
func gateway(t *testing.T) string {
	t.Helper()
	name := strings.TrimSpace(run(t, root, "docker", "network", "inspect", "bridge", "--format", `{{index .Options "com.docker.network.bridge.name"}}`))
	device, err := net.InterfaceByName(name)
	if err != nil {
		t.Fatalf("the engine's network, device %q: %v", name, err)
	}
	addresses, err := device.Addrs()
	if err != nil {
		t.Fatal(err)
	}
	for _, address := range addresses {
		if own, _ := address.(*net.IPNet); own != nil && own.IP.To4() != nil {
			return own.IP.String()
		}
	}
	t.Fatalf("the engine's network, device %s, has no IPv4 address: %v", name, addresses)
	return ""
}

// act runs the workflow for an event and returns what it logged.
func (w *workflow) act(event, payload string) (string, error) {
	w.Helper()
	host := engine(w.T)
	ctx, cancel := context.WithTimeout(w.Context(), 10*time.Minute)
	defer cancel()
	config := w.TempDir()
	write(w.T, filepath.Join(config, "act", "actrc"), "") // without it, act asks
	path := filepath.Join(config, "event.json")
	write(w.T, path, payload)
	cmd := exec.CommandContext(ctx, "act", append([]string{event, "--workflows", "workflow.yml", "--rm", "--pull=false",
		"--platform", "ubuntu-latest=" + jobImage, "--container-daemon-socket", host,
		"--eventpath", path, "--secret", "GITHUB_TOKEN=" + githubtest.Token,
		"--env", "GITHUB_API_URL=" + w.hub.URL, "--env", "GITHUB_GRAPHQL_URL=" + w.hub.URL + "/graphql"}, w.more...)...)
	cmd.Dir = w.dir
	cmd.Env = append(os.Environ(), "XDG_CONFIG_HOME="+config, "XDG_CACHE_HOME="+w.TempDir(), "DOCKER_HOST="+host, "NO_COLOR=1")
	cmd.Env = append(cmd.Env, w.env...)
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) } // it removes its containers
	cmd.WaitDelay = 30 * time.Second
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// mustAct runs the workflow, which has to succeed and to log some texts.
func (w *workflow) mustAct(event, payload string, wants ...string) string {
	w.Helper()
	log, err := w.act(event, payload)
	if err != nil {
		w.Fatalf("act %s: %v\n%s", event, err, log)
	}
	has(w.T, log, wants...)
	return log
}

func has(t *testing.T, log string, wants ...string) {
	t.Helper()
	for _, want := range wants {
		if !strings.Contains(log, want) {
			t.Errorf("the log lacks %q", want)
		}
	}
	if t.Failed() {
		t.Log(log)
	}
}

// documented is the first workflow below a heading of a document, with parts of
// it replaced, old and new by turns, and the action that is tested here for ours.
func documented(t *testing.T, name, heading string, parts ...string) string {
	t.Helper()
	_, text, _ := strings.Cut(read(t, filepath.Join(root, "docs", name)), heading)
	_, text, found := strings.Cut(text, "```yaml\n")
	text, _, _ = strings.Cut(text, "```")
	if !found {
		t.Fatalf("docs/%s: no workflow below %q", name, heading)
	}
	parts = append(parts, "org/deploy-action@v1", "./")
	for i := 0; i < len(parts); i += 2 {
		if !strings.Contains(text, parts[i]) {
			t.Fatalf("docs/%s: the workflow lacks %q", name, parts[i])
		}
		text = strings.ReplaceAll(text, parts[i], parts[i+1])
	}
	return text
}
