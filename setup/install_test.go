// Package setup tests the action that puts turnout on a runner: the step of
// action.yml against a server that has releases, as GitHub would serve them.
package setup

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
)

// release is what the server has: programs that say who they are.
type release struct {
	*httptest.Server

	mu    sync.Mutex
	files map[string]string
	asked map[string]int
	serve func(w http.ResponseWriter, name string, times int) bool // true: it has answered
}

var assets = []string{"turnout-linux-amd64", "turnout-linux-arm64", "turnout-darwin-amd64", "turnout-darwin-arm64", "turnout-agent-linux-amd64", "turnout-agent-linux-arm64"}

func newRelease(t *testing.T) *release {
	t.Helper()
	r := &release{files: make(map[string]string), asked: make(map[string]int)}
	for _, name := range assets {
		text := "#!/bin/sh\necho " + name + "\n"
		r.files[name] = text
		r.files["checksums.txt"] += fmt.Sprintf("%x  %s\n", sha256.Sum256([]byte(text)), name)
	}
	r.Server = httptest.NewServer(r)
	t.Cleanup(r.Close)
	return r
}

// ServeHTTP redirects, as GitHub does, to where the file is.
func (r *release) ServeHTTP(w http.ResponseWriter, q *http.Request) {
	r.mu.Lock()
	defer r.mu.Unlock()
	name, stored := strings.CutPrefix(q.URL.Path, "/stored/")
	if !stored {
		name, ok := strings.CutPrefix(q.URL.Path, "/org/deploy-action/releases/download/v1.2.3/")
		if _, there := r.files[name]; !ok || !there {
			http.NotFound(w, q)
			return
		}
		http.Redirect(w, q, "/stored/"+name, http.StatusFound)
		return
	}
	r.asked[name]++
	if r.serve != nil && r.serve(w, name, r.asked[name]) {
		return
	}
	_, _ = w.Write([]byte(r.files[name]))
}

// change changes what the server has.
func (r *release) change(what func(*release)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	what(r)
}

// downloads are how often each file was asked for.
func (r *release) downloads() map[string]int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return maps.Clone(r.asked)
}

// runner is a runner with the action as a tag has it.
type runner struct {
	t   *testing.T
	dir string
	env map[string]string
}

// newRunner has the action of the release 1.2.3 where that is pinned, and
// otherwise one that nobody has released.
func newRunner(t *testing.T, r *release, pinned bool) *runner {
	t.Helper()
	n := &runner{t: t, dir: t.TempDir()}
	n.write("action/install.sh", read(t, "install.sh"), 0o755)
	n.write("bin/gh", "#!/bin/sh\necho \"gh $*\" >>\"$GH_LOG\"\n[ \"$GH_SAYS\" = yes ] || [ \"$3\" = --help ]\n", 0o755)
	if pinned {
		n.write("action/version", "1.2.3\n", 0o644)
		n.write("action/checksums.txt", r.files["checksums.txt"], 0o644)
	}
	n.env = map[string]string{
		"PATH": filepath.Join(n.dir, "bin") + ":" + os.Getenv("PATH"), "GH_LOG": n.path("gh.log"), "GH_SAYS": "yes",
		"SETUP_REPOSITORY": "org/deploy-action", "GITHUB_SERVER_URL": r.URL, "RUNNER_OS": "Linux", "RUNNER_ARCH": "X64",
		"RUNNER_TEMP": n.path("temp"), "RUNNER_TOOL_CACHE": n.path("tools"),
		"GITHUB_PATH": n.path("path"), "GITHUB_OUTPUT": n.path("output"),
	}
	if err := os.Mkdir(n.path("temp"), 0o755); err != nil {
		t.Fatal(err)
	}
	return n
}

func (n *runner) path(name string) string { return filepath.Join(n.dir, name) }

func (n *runner) write(name, text string, mode os.FileMode) {
	n.t.Helper()
	if err := errors.Join(os.MkdirAll(filepath.Dir(n.path(name)), 0o755), os.WriteFile(n.path(name), []byte(text), mode)); err != nil {
		n.t.Fatal(err)
	}
}

func read(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		t.Fatal(err)
	}
	return string(text)
}

// install runs the step of the action.
func (n *runner) install() (string, error) {
	n.t.Helper()
	cmd := exec.Command(n.path("action/install.sh"))
	for name, value := range n.env {
		cmd.Env = append(cmd.Env, name+"="+value)
	}
	said, err := cmd.CombinedOutput()
	return string(said), err
}

// installed fails the test unless the command is there, with agents beside it, and
// says that it is this one.
func (n *runner) installed(want string) {
	n.t.Helper()
	said, err := n.install()
	if err != nil {
		n.t.Fatalf("%v\n%s", err, said)
	}
	dir := strings.TrimSuffix(read(n.t, n.path("path")), "\n")
	out, err := exec.Command(filepath.Join(dir, "turnout")).Output()
	if err != nil || string(out) != want+"\n" {
		n.t.Errorf("turnout says %q (%v), want %q", out, err, want)
	}
	for _, agent := range []string{"turnout-agent-linux-amd64", "turnout-agent-linux-arm64"} {
		if read(n.t, filepath.Join(dir, agent)) == "" {
			n.t.Errorf("%s is not beside turnout", agent)
		}
	}
	if got, want := read(n.t, n.path("output")), "version=1.2.3\npath="+dir+"/turnout\n"; got != want {
		n.t.Errorf("outputs %q, want %q", got, want)
	}
}

// refused fails the test unless the step fails, says why and leaves nothing that
// could be started.
func (n *runner) refused(why ...string) {
	n.t.Helper()
	said, err := n.install()
	if err == nil {
		n.t.Fatalf("it was installed:\n%s", said)
	}
	for _, word := range append(why, "::error title=turnout was not installed::") {
		if !strings.Contains(said, word) {
			n.t.Errorf("nothing about %q in:\n%s", word, said)
		}
	}
	if left, _ := filepath.Glob(n.path("tools/turnout/*/*/*")); len(left) > 0 {
		n.t.Errorf("%s are left", left)
	}
	if left, _ := filepath.Glob(n.path("tools/turnout/*/*/.*")); len(left) > 0 {
		n.t.Errorf("%s are left", left)
	}
	if read(n.t, n.path("path")) != "" {
		n.t.Error("something was added to the PATH")
	}
}

func TestPlatforms(t *testing.T) {
	t.Parallel()
	r := newRelease(t)
	for platform, want := range map[string]string{
		"Linux X64": "turnout-linux-amd64", "Linux ARM64": "turnout-linux-arm64",
		"macOS X64": "turnout-darwin-amd64", "macOS ARM64": "turnout-darwin-arm64",
	} {
		n := newRunner(t, r, true)
		n.env["RUNNER_OS"], n.env["RUNNER_ARCH"], _ = strings.Cut(platform, " ")
		n.installed(want)
	}
	n := newRunner(t, r, true)
	n.env["RUNNER_OS"] = "Windows"
	n.refused("not for Windows on X64")
}

// TestOwnVersion needs nothing but the files of the release, and those once.
func TestOwnVersion(t *testing.T) {
	t.Parallel()
	r := newRelease(t)
	n := newRunner(t, r, true)
	for range 2 {
		n.installed("turnout-linux-amd64")
		n.write("path", "", 0o644)
		n.write("output", "", 0o644)
	}
	if want := map[string]int{"turnout-linux-amd64": 1, "turnout-agent-linux-amd64": 1, "turnout-agent-linux-arm64": 1}; fmt.Sprint(r.downloads()) != fmt.Sprint(want) {
		t.Errorf("downloads %v, want %v", r.downloads(), want)
	}
	if log := read(t, n.path("gh.log")); log != "" {
		t.Errorf("gh was asked, where the commit says which bytes it has to be: %s", log)
	}
	// Somebody has changed what is in the cache.
	n.write("tools/turnout/1.2.3/linux-amd64/turnout", "#!/bin/sh\necho changed\n", 0o755)
	n.installed("turnout-linux-amd64")
}

func TestOtherVersion(t *testing.T) {
	t.Parallel()
	r := newRelease(t)
	n := newRunner(t, r, false)
	n.env["SETUP_VERSION"] = "v1.2.3"
	n.installed("turnout-linux-amd64")
	const verify = "--repo org/deploy-action --signer-workflow org/deploy-action/.github/workflows/release.yml"
	if log := read(t, n.path("gh.log")); strings.Count(log, verify) != 3 {
		t.Errorf("attestations: %s", log)
	}

	n = newRunner(t, r, false)
	n.env["SETUP_VERSION"], n.env["GH_SAYS"] = "1.2.3", "no"
	n.refused("was not made by the release workflow of org/deploy-action")
}

func TestWithoutAttestations(t *testing.T) {
	t.Parallel()
	n := newRunner(t, newRelease(t), false)
	n.env["SETUP_VERSION"] = "1.2.3"
	n.write("bin/gh", "#!/bin/sh\nexit 1\n", 0o755) // one that knows no attestations
	said, err := n.install()
	if err != nil || !strings.Contains(said, "::notice title=turnout 1.2.3 is not attested::") {
		t.Errorf("%v\n%s", err, said)
	}
}

func TestRefused(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		version string
		change  func(*release)
		why     string
	}{
		"another file":    {"", func(r *release) { r.files["turnout-linux-amd64"] += "exit\n" }, "and it must be"},
		"no checksum":     {"1.2.3", func(r *release) { r.files["checksums.txt"] = "\n" }, "name no turnout-linux-amd64"},
		"no such version": {"9.9.9", func(*release) {}, "Is there a version 9.9.9?"},
		"no version":      {"1.2.3/../../evil", func(*release) {}, "is no version such as 1.2.3"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRelease(t)
			n := newRunner(t, r, c.version == "")
			r.change(c.change)
			n.env["SETUP_VERSION"] = c.version
			n.refused(c.why)
		})
	}
	n := newRunner(t, newRelease(t), false)
	n.refused("Give a version")
}

// TestTriesAgain gets half a file, then an error of the server, then the file.
func TestTriesAgain(t *testing.T) {
	t.Parallel()
	r := newRelease(t)
	answer := func(w http.ResponseWriter, name string, times int) bool {
		switch {
		case name != "turnout-linux-amd64" || times > 2:
			return false
		case times == 1:
			w.Header().Set("Content-Length", strconv.Itoa(len(r.files[name])))
			_, _ = w.Write([]byte(r.files[name][:10]))
		default:
			w.WriteHeader(http.StatusBadGateway)
		}
		return true
	}
	r.change(func(r *release) { r.serve = answer })
	newRunner(t, r, true).installed("turnout-linux-amd64")
	if r.downloads()["turnout-linux-amd64"] != 3 {
		t.Errorf("downloads: %v", r.downloads())
	}
}

// TestGivesUp: a server that always breaks off.
func TestGivesUp(t *testing.T) {
	t.Parallel()
	r := newRelease(t)
	answer := func(w http.ResponseWriter, _ string, _ int) bool {
		w.Header().Set("Content-Length", "100")
		_, _ = w.Write([]byte("half"))
		return true
	}
	r.change(func(r *release) { r.serve = answer })
	newRunner(t, r, true).refused("four downloads did not end well")
}
