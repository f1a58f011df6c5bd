// Package e2e runs the container action as GitHub would: act builds the image
// of action.yml on a real Docker engine and runs the workflow of the self-test.
package e2e

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
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
	run(t, dir, "git", "init", "--quiet", "--initial-branch=main")
	run(t, dir, "git", "add", "--all", "--force")
	run(t, dir, "git", "-c", "user.name=t", "-c", "user.email=t@example.com", "commit", "--quiet", "--message=t")
	return dir
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

// act runs a workflow and returns what it logged.
func act(t *testing.T, dir, workflow string) (string, error) {
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
	cmd := exec.CommandContext(ctx, "act", "push", "--workflows", workflow, "--rm", "--pull=false",
		"--platform", "ubuntu-latest="+jobImage, "--container-daemon-socket", host)
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
// real nginx in its container.
func TestAction(t *testing.T) {
	need(t, "act", "docker", "git", "go")
	log, err := act(t, checkout(t), ".github/workflows/selftest.yml")
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
	t.Log(regexp.MustCompile(`\d+ requests, \d+ failed, p99 [^*\n]*`).FindString(log))
	if t.Failed() {
		t.Log(log)
	}
}
