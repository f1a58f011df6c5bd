// Package e2e runs the container action as GitHub would: act builds the image
// of action.yml on a real Docker engine and runs the workflow of the self-test.
package e2e

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/klauspost/compress/zstd"

	"github.com/org/deploy-action/internal/github/githubtest"
)

const (
	root     = "../../.."
	jobImage = "debian:bookworm-slim" // of the job; the action brings its own
)

// need skips the test without a program, unless TURNOUT_MUST_RUN or CI says
// that it must be here.
func need(t *testing.T, programs ...string) {
	t.Helper()
	for _, name := range programs {
		if _, err := exec.LookPath(name); err == nil {
			continue
		}
		missing(t, name, "is not installed")
	}
}

func missing(t *testing.T, name, why string) {
	t.Helper()
	if os.Getenv("CI") != "" || slices.Contains(strings.Split(os.Getenv("TURNOUT_MUST_RUN"), ","), name) {
		t.Fatalf("%s %s, and it must be here", name, why)
	}
	t.Skipf("%s %s", name, why)
}

// engine is the address of a Docker engine that answers and has the image of
// the job.
func engine(t *testing.T) string {
	t.Helper()
	need(t, "docker")
	if out, err := exec.Command("docker", "info").CombinedOutput(); err != nil {
		missing(t, "docker", "has no engine: "+lastLine(out))
	}
	if exec.Command("docker", "image", "inspect", jobImage).Run() != nil {
		run(t, root, "docker", "pull", "--quiet", jobImage)
	}
	if host := os.Getenv("DOCKER_HOST"); host != "" {
		return host
	}
	return "unix:///var/run/docker.sock"
}

// checkout is a copy of the repository as a workflow would have it, with the
// modules it needs: the engine may be unable to reach a module proxy.
func checkout(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	for _, name := range strings.Split(strings.TrimSuffix(run(t, root, "git", "ls-files", "-coz", "--exclude-standard"), "\x00"), "\x00") {
		copyFile(t, filepath.Join(root, name), filepath.Join(dir, name))
	}
	run(t, dir, "go", "mod", "vendor")
	other := otherAgent()
	run(t, root, "env", "GOARCH="+strings.TrimPrefix(other, "turnout-linux-"), "CGO_ENABLED=0",
		"go", "build", "-trimpath", "-ldflags", "-s -w", "-o", filepath.Join(dir, "agents", other), "./cmd/turnout")
	run(t, dir, "git", "init", "--quiet", "--initial-branch=main")
	run(t, dir, "git", "remote", "add", "origin", "https://github.com/"+githubtest.Repository)
	run(t, dir, "git", "add", "--all", "--force")
	run(t, dir, "git", "-c", "user.name=t", "-c", "user.email=t@example.com", "commit", "--quiet", "--message=t")
	return dir
}

// otherAgent is the binary for servers of the architecture that this machine is not
// of. The engine is given one: to build it there takes a minute, each time.
func otherAgent() string {
	if runtime.GOARCH == "arm64" {
		return "turnout-linux-amd64"
	}
	return "turnout-linux-arm64"
}

func copyFile(t *testing.T, from, to string) {
	t.Helper()
	about, err := os.Stat(from)
	if os.IsNotExist(err) {
		return // removed, and not yet committed
	}
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(from)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(to, text, about.Mode()); err != nil {
		t.Fatal(err)
	}
}

func run(t *testing.T, dir, name string, args ...string) string {
	t.Helper()
	cmd := exec.Command(name, args...)
	cmd.Dir = dir
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, out)
	}
	return string(out)
}

// proposal is the event of a pull request of the repository itself.
const proposal = `{"pull_request": {"number": 7, "head": {"sha": "%[2]s", "ref": "better", "repo": {"full_name": %[1]q}},
  "base": {"ref": "main", "repo": {"full_name": %[1]q}}}, "repository": {"full_name": %[1]q, "default_branch": "main"}}`

// hub is a GitHub that containers reach, at the address that the engine's own
// network has on this machine.
func hub(t *testing.T) *githubtest.Server {
	t.Helper()
	address := run(t, root, "docker", "network", "inspect", "bridge", "--format", "{{(index .IPAM.Config 0).Gateway}}")
	return githubtest.StartAt(t, strings.TrimSpace(address))
}

// act runs a workflow for pull request 7 of a GitHub and returns what it logged.
func act(t *testing.T, dir, workflow string, hub *githubtest.Server) (string, error) {
	t.Helper()
	host := engine(t)
	t.Cleanup(func() { // what is left of the build stage, half a gigabyte each time
		run(t, dir, "docker", "image", "prune", "--force", "--filter", "label=stage=turnout-build")
	})
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Minute)
	defer cancel()
	config := t.TempDir()
	if err := os.MkdirAll(filepath.Join(config, "act"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(config, "act", "actrc"), nil, 0o644); err != nil { // without it, act asks
		t.Fatal(err)
	}
	event := filepath.Join(config, "event.json")
	head := strings.TrimSpace(run(t, dir, "git", "rev-parse", "HEAD"))
	if err := os.WriteFile(event, fmt.Appendf(nil, proposal, githubtest.Repository, head), 0o644); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(ctx, "act", "pull_request", "--workflows", workflow, "--rm", "--pull=false",
		"--platform", "ubuntu-latest="+jobImage, "--container-daemon-socket", host,
		"--eventpath", event, "--secret", "GITHUB_TOKEN="+githubtest.Token,
		"--env", "GITHUB_API_URL="+hub.URL, "--env", "GITHUB_GRAPHQL_URL="+hub.URL+"/graphql")
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "XDG_CONFIG_HOME="+config, "XDG_CACHE_HOME="+t.TempDir(), "DOCKER_HOST="+host, "NO_COLOR=1")
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) } // it removes its containers
	cmd.WaitDelay = 30 * time.Second
	out, err := cmd.CombinedOutput()
	return string(out), err
}

func lastLine(out []byte) string {
	lines := strings.Split(strings.TrimSpace(string(out)), "\n")
	return lines[len(lines)-1]
}

// TestAction deploys two releases in one run of the action: blue/green behind a
// real nginx in its container, told on the pull request.
func TestAction(t *testing.T) {
	need(t, "act", "docker", "git", "go")
	engine(t)
	github := hub(t)
	copied := checkout(t)
	log, err := act(t, copied, ".github/workflows/selftest.yml", github)
	if err != nil {
		t.Fatalf("act: %v\n%s", err, log)
	}
	for _, want := range []string{
		"selftest: outputs and report are as they should be", // check.sh
		"Success - Main ./",
		"Success - Post ./",
		"::set-output:: outcome=succeeded",
		"::set-output:: active_slot=green",
		"## ✅ Pipeline selftest succeeded", // act shows the summary
		"flowchart LR",
		"0 failed, p99",
	} {
		if !strings.Contains(log, want) {
			t.Errorf("the log lacks %q", want)
		}
	}
	told(t, github)
	fitsOntoRunners(t)
	carriesOtherAgent(t, copied)
	t.Log(regexp.MustCompile(`\d+ requests, \d+ failed, p99 [^*\n]*`).FindString(log))
	if t.Failed() {
		t.Log(log)
	}
}

// carriesOtherAgent checks that the agent for other servers lies where turnout looks
// for it, and is the one that was built.
func carriesOtherAgent(t *testing.T, checkout string) {
	t.Helper()
	packed := run(t, root, "docker", "run", "--rm", "--entrypoint", "cat", "act-dockeraction:latest", "/usr/local/bin/"+otherAgent()+".zst")
	unpacker, err := zstd.NewReader(strings.NewReader(packed))
	if err != nil {
		t.Fatal(err)
	}
	defer unpacker.Close()
	got, err := io.ReadAll(unpacker)
	if err != nil {
		t.Fatal(err)
	}
	want, err := os.ReadFile(filepath.Join(checkout, "agents", otherAgent()))
	if err != nil || !bytes.Equal(got, want) {
		t.Errorf("the image's agent has %d bytes, the one that was built %d (%v)", len(got), len(want), err)
	}
}

// maxImage is how large the action's image may be unpacked, in bytes: every job
// of every user builds or pulls it.
const maxImage = 120e6

// fitsOntoRunners checks the size of the image that act has built.
func fitsOntoRunners(t *testing.T) {
	t.Helper()
	text := strings.TrimSpace(run(t, root, "docker", "image", "inspect", "--format", "{{.Size}}", "act-dockeraction:latest"))
	size, err := strconv.ParseInt(text, 10, 64)
	if err != nil || size > maxImage {
		t.Errorf("the image has %s bytes (%v), at most %.0f are allowed", text, err, maxImage)
	}
}

// told checks what GitHub was told: one deployment that is live, and one comment.
func told(t *testing.T, hub *githubtest.Server) {
	t.Helper()
	if all := hub.Deployments("shop"); len(all) != 1 || all[0].State() != "success" || all[0].Production {
		t.Errorf("deployments: %+v", all)
	}
	if all := hub.Comments(7); len(all) != 1 || !strings.Contains(all[0].Body, "Now serving: **green (") {
		t.Errorf("comments: %+v", all)
	}
}
