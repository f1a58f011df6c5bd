package e2e

import (
	"bytes"
	"crypto/rand"
	"debug/elf"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/klauspost/compress/zstd"

	"github.com/org/deploy-action/internal/github/githubtest"
)

// tag names the image of the action. Another run of these tests, on the same
// engine, has one of its own.
var tag = "turnout-e2e:" + strings.ToLower(rand.Text())

// image builds the image of the action, once for all tests, and returns its tag.
func image(t *testing.T) string {
	t.Helper()
	need(t, "docker", "go")
	engine(t)
	if err := built(); err != nil {
		t.Fatal(err)
	}
	return tag
}

var built = sync.OnceValue(build)

// build puts binaries that are built here in the place of the Dockerfile's own build,
// as the release does: here are modules and a cache. The agent of this architecture
// also stands for the other's, which takes as much room and a minute to compile.
// TestSoakDockerfile has the Dockerfile build them all.
func build() error {
	dir, err := os.MkdirTemp("", "turnout-e2e-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	text, err := os.ReadFile(filepath.Join(root, "Dockerfile"))
	if err != nil {
		return err
	}
	stages := regexp.MustCompile(`(?s)\AFROM golang:\S+ AS build\n.*?\n\n`).ReplaceAll(text, []byte("FROM scratch AS build\nCOPY turnout /turnout\nCOPY agent /agents/"+agents[0]+"\nCOPY agent /agents/"+agents[1]+"\n\n"))
	if string(stages) == string(text) {
		return errors.New("the Dockerfile does not begin with the stage build")
	}
	if err := os.WriteFile(filepath.Join(dir, "Dockerfile"), stages, 0o644); err != nil {
		return err
	}
	goBuild := func(name, program string) *exec.Cmd {
		cmd := exec.Command("go", "build", "-trimpath", "-ldflags", "-s -w", "-o", filepath.Join(dir, name), program)
		cmd.Dir, cmd.Env = root, append(os.Environ(), "CGO_ENABLED=0")
		return cmd
	}
	for _, cmd := range []*exec.Cmd{goBuild("turnout", "./cmd/turnout"), goBuild("agent", "./cmd/turnout-agent"), exec.Command("docker", "build", "--tag", tag, dir)} {
		if out, err := cmd.CombinedOutput(); err != nil {
			return fmt.Errorf("%s: %w\n%s", strings.Join(cmd.Args, " "), err, out)
		}
	}
	return nil
}

// maxImage is how large the action's image may be unpacked, in bytes: every job
// of every user builds or pulls it.
const maxImage = 120e6

func TestTheImageFitsOntoRunners(t *testing.T) {
	t.Parallel()
	fits(t, image(t))
	carriesAgents(t, image(t))
}

// agents are what the image has for servers.
var agents = []string{"turnout-agent-linux-amd64", "turnout-agent-linux-arm64"}

// carriesAgents fails unless they lie, packed, where turnout looks for them.
func carriesAgents(t *testing.T, image string) {
	t.Helper()
	for _, name := range agents {
		packed := run(t, root, "docker", "run", "--rm", "--entrypoint", "cat", image, "/usr/local/bin/"+name+".zst")
		unpacker, err := zstd.NewReader(strings.NewReader(packed))
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(unpacker)
		unpacker.Close()
		if err != nil {
			t.Fatal(err)
		}
		if _, err := elf.NewFile(bytes.NewReader(text)); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func fits(t *testing.T, image string) {
	t.Helper()
	text := strings.TrimSpace(run(t, root, "docker", "image", "inspect", "--format", "{{.Size}}", image))
	size, err := strconv.ParseInt(text, 10, 64)
	if err != nil || size > maxImage {
		t.Errorf("the image has %s bytes (%v), at most %.0f are allowed", text, err, maxImage)
	}
}

// TestSoakDockerfile builds the image as `uses: ./` does: from the whole
// repository, by the Dockerfile alone. It takes a minute of compiling; the workflow
// of the self-test does it at GitHub, too.
func TestSoakDockerfile(t *testing.T) {
	if os.Getenv("TURNOUT_SOAK") == "" {
		t.Skip("TURNOUT_SOAK is not set")
	}
	need(t, "docker", "git", "go")
	engine(t)
	dir, whole := t.TempDir(), tag+"-whole"
	for _, name := range strings.Split(strings.TrimSuffix(run(t, root, "git", "ls-files", "-coz", "--exclude-standard"), "\x00"), "\x00") {
		if _, err := os.Stat(filepath.Join(root, name)); err == nil { // else removed, and not yet committed
			copyFile(t, filepath.Join(root, name), filepath.Join(dir, name))
		}
	}
	run(t, dir, "go", "mod", "vendor") // the engine may be unable to reach a module proxy
	t.Cleanup(func() {
		run(t, dir, "docker", "image", "rm", "--force", whole)
		run(t, dir, "docker", "image", "prune", "--force", "--filter", "label=stage=turnout-build")
	})
	run(t, dir, "docker", "build", "--tag", whole, ".")
	fits(t, whole)
	carriesAgents(t, whole)
	if said := run(t, dir, "docker", "run", "--rm", "--entrypoint", "turnout", whole, "version"); !strings.HasPrefix(said, "turnout ") {
		t.Errorf("turnout version: %s", said)
	}
}

// checkout is a working copy with some of the repository's files, in which ./ is
// the action as a release has it: with the image named, and nothing to build.
func checkout(t *testing.T, names ...string) string {
	t.Helper()
	dir := t.TempDir()
	for _, name := range names {
		copyFile(t, filepath.Join(root, name), filepath.Join(dir, name))
	}
	text := strings.Replace(read(t, filepath.Join(root, "action.yml")), `image: "Dockerfile"`, `image: "docker://`+image(t)+`"`, 1)
	write(t, filepath.Join(dir, "action.yml"), text)
	run(t, dir, "git", "init", "--quiet", "--initial-branch=main")
	run(t, dir, "git", "remote", "add", "origin", "https://github.com/"+githubtest.Repository)
	run(t, dir, "git", "add", "--all", "--force")
	run(t, dir, "git", "-c", "user.name=t", "-c", "user.email=t@example.com", "commit", "--quiet", "--message=t")
	return dir
}

func copyFile(t *testing.T, from, to string) {
	t.Helper()
	about, err := os.Stat(from)
	if err != nil {
		t.Fatal(err)
	}
	write(t, to, read(t, from))
	if err := os.Chmod(to, about.Mode()); err != nil {
		t.Fatal(err)
	}
}

func read(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte(text), 0o644)); err != nil {
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
		lines := strings.Split(strings.TrimSpace(string(out)), "\n")
		missing(t, "docker", "has no engine: "+lines[len(lines)-1])
	}
	if exec.Command("docker", "image", "inspect", jobImage).Run() != nil {
		run(t, root, "docker", "pull", "--quiet", jobImage)
	}
	if host := os.Getenv("DOCKER_HOST"); host != "" {
		return host
	}
	return "unix:///var/run/docker.sock"
}
