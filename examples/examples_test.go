// Package examples runs every example as its README says: on a host of its own,
// with real SSH, systemd, nginx, npm and Docker. Only the waits are shorter.
package examples

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/org/deploy-action/internal/hosttest"
	"github.com/org/deploy-action/internal/loadtest"
	"github.com/org/deploy-action/internal/proxy/proxytest"
	"github.com/org/deploy-action/internal/value"
)

// turnout is the binary, built once for all examples, with the agent for servers beside
// it.
var turnout = sync.OnceValues(func() (string, error) {
	path := filepath.Join(built, "turnout")
	for to, program := range map[string]string{path: "../cmd/turnout", path + "-agent-linux-" + runtime.GOARCH: "../cmd/turnout-agent"} {
		out, err := exec.Command("go", "build", "-ldflags", "-s -w", "-o", to, program).CombinedOutput()
		if err != nil {
			return "", fmt.Errorf("%w\n%s", err, out)
		}
	}
	return path, nil
})

var built string

func TestMain(m *testing.M) {
	flag.Parse()
	if err := flag.Set("test.parallel", "5"); err != nil { // they wait, most of the time
		panic(err)
	}
	// As turnout is built for a release, so that the build cache has each package once.
	if err := errors.Join(os.Setenv("CGO_ENABLED", "0"), os.Setenv("GOFLAGS", "-trimpath")); err != nil {
		panic(err)
	}
	os.Exit(func() int {
		var err error
		if built, err = os.MkdirTemp("", "turnout-examples-"); err != nil {
			panic(err)
		}
		defer os.RemoveAll(built)
		return m.Run()
	}())
}

// example is a copy of a folder, with a spec that waits less.
type example struct {
	t    *testing.T
	dir  string
	env  []string
	site value.Address // where the proxy listens
}

var (
	waits  = regexp.MustCompile(`\b(watch|drain)( +)= "\d+s"`)
	health = regexp.MustCompile(`\n  health {\n`)
	fence  = regexp.MustCompile("(?s)```(?:sh|hcl)\n(.*?)```")
)

func newExample(t *testing.T, name string) *example {
	t.Helper()
	e := &example{t: t, dir: t.TempDir()}
	if err := os.CopyFS(e.dir, os.DirFS(name)); err != nil {
		t.Fatal(err)
	}
	e.edit("deploy.hcl", func(spec string) string {
		return health.ReplaceAllString(waits.ReplaceAllString(spec, `$1$2= "1s"`), "\n  health {\n    interval = \"100ms\"\n")
	})
	return e
}

// onHost gives the example a host where nginx runs and that was prepared by the
// commands of its README.
func onHost(t *testing.T, name string) (*example, *hosttest.Host) {
	t.Helper()
	e, h := onBareHost(t, name)
	files, err := os.ReadDir(name)
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		if !file.IsDir() {
			h.WriteFile(t, "/tmp/example/"+file.Name(), e.read(file.Name()), 0o644)
		}
	}
	h.Exec(t, "set -e; cd /tmp/example\n"+e.block("README.md", "## The server, once"))
	return e, h
}

// onBareHost gives it a host where nginx runs and that nobody has prepared.
func onBareHost(t *testing.T, name string) (*example, *hosttest.Host) {
	t.Helper()
	proxytest.Need(t, "nginx")
	f := hosttest.Start(t, "vm")
	h := f.Host("vm")
	h.StartSystemd(t)
	h.StartNGINX(t)
	e := newExample(t, name)
	e.site = value.Address(h.Address + ":80")
	e.env = []string{"TURNOUT_VAR_host=" + h.Address, "SSH_PRIVATE_KEY=" + f.Key, "SSH_KNOWN_HOSTS=" + f.KnownHosts}
	return e, h
}

// block is the first block of commands, or of a spec, below a heading of a page.
func (e *example) block(page, heading string) string {
	e.t.Helper()
	_, below, found := strings.Cut(e.read(page), "\n"+heading+"\n")
	block := fence.FindStringSubmatch(below)
	if !found || block == nil {
		e.t.Fatalf("%s has no block below %q", page, heading)
	}
	return block[1]
}

func (e *example) read(name string) string {
	e.t.Helper()
	text, err := os.ReadFile(filepath.Join(e.dir, name))
	if err != nil {
		e.t.Fatal(err)
	}
	return string(text)
}

func (e *example) edit(name string, change func(string) string) {
	e.t.Helper()
	text := e.read(name)
	changed := change(text)
	if changed == text {
		e.t.Fatalf("%s: nothing to change", name)
	}
	if err := os.WriteFile(filepath.Join(e.dir, name), []byte(changed), 0o644); err != nil {
		e.t.Fatal(err)
	}
}

// replace replaces a text in a file.
func (e *example) replace(name, old, new string) {
	e.t.Helper()
	e.edit(name, func(text string) string { return strings.ReplaceAll(text, old, new) })
}

// run must succeed.
func (e *example) run(args ...string) string {
	e.t.Helper()
	path, err := turnout()
	if err != nil {
		e.t.Fatal(err)
	}
	cmd := exec.Command(path, args...)
	cmd.Dir, cmd.Env = e.dir, append(os.Environ(), e.env...)
	out, err := cmd.CombinedOutput()
	if err != nil {
		e.t.Fatalf("turnout %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return string(out)
}

// serves fails the test unless the site says that.
func (e *example) serves(want string) {
	e.t.Helper()
	status, body, err := proxytest.Get("http://" + string(e.site) + "/")
	if err != nil || status != 200 || !strings.Contains(body, want) {
		e.t.Errorf("the site answers %d %q %v, want %q", status, body, err, want)
	}
}

// releases deploys v1, then v2 while clients are at work, and goes back.
func (e *example) releases(second func() (args []string)) {
	e.t.Helper()
	first := []string{"run"}
	if strings.Contains(e.read("deploy.hcl"), `variable "version"`) {
		first = append(first, "-var", "version=v1")
	}
	e.run(first...)
	e.serves("v1")
	load := loadtest.Start(context.Background(), e.site, "shop", loadtest.Fresh(1, 10*time.Millisecond), loadtest.KeepAlive(1, 10*time.Millisecond))
	e.run(append([]string{"run"}, second()...)...)
	e.serves("v2")
	e.run("rollback")
	e.serves("v1")
	seen := load.Stop()
	if failed := seen.Failed(); len(failed) > 0 || len(seen) == 0 {
		e.t.Errorf("%d of %d requests failed: %+v", len(failed), len(seen), failed[:min(1, len(failed))])
	}
}

func TestLayout(t *testing.T) {
	t.Parallel()
	specs, err := filepath.Glob("*/*.hcl")
	if err != nil || len(specs) < 7 {
		t.Fatalf("%v (%v)", specs, err)
	}
	e := &example{t: t, dir: "."}
	e.run(append([]string{"fmt", "-check"}, specs...)...)
}

func TestSystemd(t *testing.T) {
	t.Parallel()
	proxytest.Need(t, "python3")
	e, h := onHost(t, "systemd")
	e.releases(func() []string { e.replace("app/version", "v1", "v2"); return nil })
	bothRun(t, h)
}

// TestQuickstart does what docs/quickstart.md says, with the program that it points to.
func TestQuickstart(t *testing.T) {
	t.Parallel()
	proxytest.Need(t, "python3")
	e, h := onBareHost(t, "systemd")
	page, err := os.ReadFile("../docs/quickstart.md")
	if err == nil {
		err = os.WriteFile(filepath.Join(e.dir, "quickstart.md"), page, 0o644)
	}
	if err != nil {
		t.Fatal(err)
	}
	h.Exec(t, "set -e\n"+e.block("quickstart.md", "## The server"))
	e.edit("deploy.hcl", func(string) string { return e.block("quickstart.md", "## The spec") })
	e.replace("deploy.hcl", "203.0.113.10", h.Address)
	e.replace("deploy.hcl", "  start =", "  watch = \"1s\"\n  start =")
	if _, err := turnout(); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("sh", "-ec", e.block("quickstart.md", "## By hand, first"))
	cmd.Dir, cmd.Env = e.dir, append(os.Environ(), "PATH="+built+":"+os.Getenv("PATH"), "TURNOUT_VAR_ssh_key="+strings.TrimPrefix(e.env[1], "SSH_PRIVATE_KEY="))
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	e.serves("v1")
	bothAre(t, h, "is-enabled")
}

// bothRun fails the test unless systemd runs both slots, and will after a reboot.
func bothRun(t *testing.T, h *hosttest.Host) {
	t.Helper()
	bothAre(t, h, "is-active", "is-enabled")
}

func bothAre(t *testing.T, h *hosttest.Host, questions ...string) {
	t.Helper()
	for _, question := range questions {
		if out, err := h.Try("systemctl " + question + " shop@blue shop@green"); err != nil {
			t.Errorf("%s: %s: %v", question, out, err)
		}
	}
}

func TestNode(t *testing.T) {
	t.Parallel()
	proxytest.Need(t, "npm")
	e, h := onHost(t, "node")
	e.replace("package.json", `"1.0.0"`, `"1.0.0-v1"`)
	e.releases(func() []string { e.replace("package.json", "-v1", "-v2"); return nil })
	bothRun(t, h)
}

func TestGo(t *testing.T) {
	t.Parallel()
	e, h := onHost(t, "go")
	e.releases(func() []string { return []string{"-var", "version=v2"} })
	bothRun(t, h)
}

// TestStatic has its key where a person would have it.
func TestStatic(t *testing.T) {
	t.Parallel()
	e, _ := onHost(t, "static")
	home := t.TempDir()
	config := filepath.Join(home, ".ssh", "config")
	var key, known string
	for _, variable := range e.env {
		name, text, _ := strings.Cut(variable, "=")
		switch name {
		case "SSH_PRIVATE_KEY":
			key = text
		case "SSH_KNOWN_HOSTS":
			known = text
		}
	}
	err := errors.Join(os.Mkdir(filepath.Dir(config), 0o700),
		os.WriteFile(filepath.Join(home, ".ssh", "id_ed25519"), []byte(key), 0o600),
		os.WriteFile(filepath.Join(home, ".ssh", "known_hosts"), []byte(known), 0o600))
	if err != nil {
		t.Fatal(err)
	}
	e.env = append(e.env[:1], "HOME="+home)
	e.releases(func() []string { e.replace("public/index.html", "v1", "v2"); return nil })
}

// TestCompose runs on this machine, as the example does on a server of its own: its
// folders, ports and projects are others.
func TestCompose(t *testing.T) {
	t.Parallel()
	e := newExample(t, "compose")
	e.compose()
	nginx := proxytest.StartNGINX(t)
	e.site = value.Address(fmt.Sprintf("127.0.0.1:%d", nginx.Site.Listen.Port))
	project := "shop-" + filepath.Base(nginx.Dir)
	for old, new := range map[string]string{
		`"/srv/shop"`:                   fmt.Sprintf("%q\n  state_dir = %q", nginx.Dir+"/srv", nginx.Dir+"/state"),
		"8081":                          fmt.Sprint(proxytest.FreePort(t)),
		"8082":                          fmt.Sprint(proxytest.FreePort(t)),
		"listen = 80":                   fmt.Sprintf("listen = %q", e.site),
		`"/etc/nginx/conf.d/shop.conf"`: fmt.Sprintf("%q\n    main = %q\n    error_log = %q", nginx.Site.Config, nginx.Site.Main, nginx.Site.ErrorLog),
		"--project-name shop":           "--project-name " + project,
		"shop:$":                        project + ":$",
	} {
		e.replace("deploy.hcl", old, new)
	}
	t.Cleanup(func() {
		for _, slot := range []string{"blue", "green"} {
			e.docker("rm", "--force", "--volumes", strings.TrimSpace(e.docker("ps", "--all", "--quiet", "--filter", "label=com.docker.compose.project="+project+"-"+slot)))
			e.docker("network", "rm", project+"-"+slot+"_default")
		}
		e.docker("rmi", project+":v1", project+":v2")
	})
	e.releases(func() []string { return []string{"-var", "version=v2"} })
}

func (e *example) docker(args ...string) string {
	e.t.Helper()
	cmd := exec.Command("docker", args...)
	cmd.Env = append(os.Environ(), e.env...)
	var complaints bytes.Buffer
	cmd.Stderr = &complaints
	out, err := cmd.Output()
	if err != nil {
		e.t.Errorf("docker %s: %v: %s", strings.Join(args, " "), err, &complaints)
	}
	return string(out)
}

// plugin has "docker compose" do what the older docker-compose does.
const plugin = `#!/bin/sh
[ "$1" != docker-cli-plugin-metadata ] || exec echo '{"SchemaVersion": "0.1.0", "Vendor": "Debian", "Version": "1"}'
shift
exec docker-compose "$@"
`

// compose makes sure that there is an engine, and "docker compose".
func (e *example) compose() {
	e.t.Helper()
	proxytest.Need(e.t, "docker")
	if out, err := exec.Command("docker", "info").CombinedOutput(); err != nil {
		if os.Getenv("CI") != "" {
			e.t.Fatalf("no Docker engine: %s", out)
		}
		e.t.Skip("no Docker engine")
	}
	if exec.Command("docker", "compose", "version").Run() == nil {
		return
	}
	proxytest.Need(e.t, "docker-compose")
	config := e.t.TempDir()
	path := filepath.Join(config, "cli-plugins", "docker-compose")
	if err := errors.Join(os.Mkdir(filepath.Dir(path), 0o755), os.WriteFile(path, []byte(plugin), 0o755)); err != nil {
		e.t.Fatal(err)
	}
	e.env = append(e.env, "DOCKER_CONFIG="+config)
}
