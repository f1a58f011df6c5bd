package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/org/deploy-action/internal/proxy"
	"github.com/org/deploy-action/internal/proxy/proxytest"
)

// shop is the application that the tests deploy: it answers with the version
// that its release holds.
func shop() {
	version, err := os.ReadFile(filepath.Join(os.Getenv("TURNOUT_PATH"), "version"))
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	http.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(version) })
	fmt.Println(http.ListenAndServe(":"+os.Getenv("TURNOUT_PORT"), nil))
}

// site is a directory with a spec, and a real proxy in front of what it deploys.
type site struct {
	t     *testing.T
	dir   string
	env   []string // of commands, beyond this process's
	proxy *proxytest.Proxy
}

const siteSpec = `
environment "shop" {
  root      = "%[1]s/root"
  state_dir = "%[1]s/state"

  slot "blue" {
    port = %[2]d
  }

  slot "green" {
    port = %[3]d
  }

  start = "sh %[1]s/stop ${slot.name}; setsid shop & echo $! >%[1]s/${slot.name}.pid"
  stop  = "sh %[1]s/stop ${slot.name}"

  health {
    http {
      path = "/"
    }

    interval = "50ms"
  }

  proxy "%[4]s" {
    listen    = "%[5]s"
    config    = "%[6]s"
    main      = "%[7]s"
    %[8]s
  }

  watch = "1s"
  drain = "2s"
}
`

// stopScript ends a slot's application and waits until its port is free: what is dead,
// though nobody has waited for it yet, has no program any more.
const stopScript = `cd %s
[ -s $1.pid ] || exit 0
pid=$(cat $1.pid)
kill $pid 2>/dev/null
while [ -e /proc/$pid/exe ]; do sleep 0.01; done
rm $1.pid
`

func newSite(t *testing.T, kind proxy.Kind) *site {
	t.Helper()
	p := proxytest.Start(t, kind)
	s := &site{t: t, dir: p.Dir, proxy: p}
	more := fmt.Sprintf("error_log = %q", p.Site.ErrorLog)
	if kind == proxy.HAProxy {
		more = fmt.Sprintf("socket = %q\nreload = %q", p.Site.Socket, p.Site.Reload)
	}
	text := fmt.Sprintf(siteSpec, p.Dir, proxytest.FreePort(t), proxytest.FreePort(t),
		kind, p.Site.Listen, p.Site.Config, p.Site.Main, more)
	s.write("deploy.hcl", text)
	s.write("stop", fmt.Sprintf(stopScript, p.Dir))
	t.Cleanup(func() {
		_ = exec.Command("sh", "-c", fmt.Sprintf("kill $(cat %s/*.pid)", p.Dir)).Run()
	})
	return s
}

func (s *site) write(name, text string) {
	s.t.Helper()
	path := filepath.Join(s.dir, name)
	if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte(text), 0o644)); err != nil {
		s.t.Fatal(err)
	}
}

// release makes a directory to ship and returns its name.
func (s *site) release(version string) string {
	s.write(version+"/version", version)
	return version
}

// turnout prepares a command in the site's directory.
func (s *site) turnout(args ...string) *exec.Cmd {
	cmd := exec.Command("turnout", args...)
	cmd.Dir, cmd.Env = s.dir, append(os.Environ(), s.env...)
	return cmd
}

// run must end with that exit code.
func (s *site) run(code int, args ...string) string {
	s.t.Helper()
	output, err := s.turnout(args...).CombinedOutput()
	if got := exitCode(err); got != code {
		s.t.Fatalf("turnout %s: exit code %d, want %d\n%s", strings.Join(args, " "), got, code, output)
	}
	return string(output)
}

func exitCode(err error) int {
	var exit *exec.ExitError
	switch {
	case err == nil:
		return 0
	case errors.As(err, &exit):
		return exit.ExitCode()
	}
	return -2
}

func (s *site) serves(version string) {
	s.t.Helper()
	if status, body, err := s.proxy.Get("/"); err != nil || status != 200 || body != version {
		s.t.Fatalf("the proxy answers %d %q %v, want %q", status, body, err, version)
	}
}

// signalled runs a command and sends it a signal as soon as its output says a
// word. It returns the exit code, how long the command lived on, and its output.
func (s *site) signalled(word string, signal os.Signal, args ...string) (int, time.Duration, string) {
	s.t.Helper()
	cmd := s.turnout(args...)
	var sent time.Time
	said := s.until(cmd, word, func() {
		sent = time.Now()
		if err := cmd.Process.Signal(signal); err != nil {
			s.t.Fatal(err)
		}
	})
	return cmd.ProcessState.ExitCode(), time.Since(sent), said
}

// until runs a command to its end and does something as soon as its output says a
// word. It returns the output.
func (s *site) until(cmd *exec.Cmd, word string, do func()) string {
	s.t.Helper()
	output, err := cmd.StdoutPipe()
	cmd.Stderr = cmd.Stdout
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		s.t.Fatal(err)
	}
	done := false
	var said strings.Builder
	lines := bufio.NewScanner(output)
	for lines.Scan() {
		said.WriteString(lines.Text() + "\n")
		if !done && strings.Contains(lines.Text(), word) {
			done = true
			do()
		}
	}
	_ = cmd.Wait()
	if !done {
		s.t.Fatalf("%s never said %q:\n%s", strings.Join(cmd.Args, " "), word, said.String())
	}
	return said.String()
}

func TestDeployByHand(t *testing.T) {
	for _, kind := range []proxy.Kind{proxy.NGINX, proxy.HAProxy} {
		t.Run(string(kind), func(t *testing.T) {
			t.Parallel()
			s := newSite(t, kind)
			s.run(0, "deploy", "-release", s.release("v1"))
			s.serves("v1")

			for _, signal := range []os.Signal{syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP} {
				code, took, _ := s.signalled("commit", signal, "deploy", "-release", s.release("v2"))
				if code != 130 || took > time.Minute {
					t.Errorf("%s in the watch: exit code %d after %s", signal, code, took)
				}
				s.serves("v1")
			}

			if code, _, _ := s.signalled("commit", syscall.SIGKILL, "deploy", "-release", "v2"); code != -1 {
				t.Errorf("killed: exit code %d", code)
			}
			for !strings.Contains(s.run(0, "lock", "status"), "free") { // the agent is putting traffic back
			}
			s.serves("v1")
			if status := s.run(0, "status"); !strings.Contains(status, "unsettled") {
				t.Errorf("status after kill -9:\n%s", status)
			}
			if did := s.run(0, "recover"); !strings.Contains(did, "traffic is back on blue (the agent on local did so when the run was gone)") {
				t.Errorf("recover: %s", did)
			}
			s.serves("v1")

			if planned := s.run(0, "deploy", "-release", "v2", "-dry-run"); !strings.Contains(planned, "no reload") {
				t.Errorf("dry run:\n%s", planned)
			}
			s.run(0, "deploy", "-release", "v2")
			s.serves("v2")
			s.run(0, "rollback")
			s.serves("v1")
			if got := s.run(1, "deploy", "-release", "nowhere"); !strings.Contains(got, "nowhere") {
				t.Errorf("a release that is not there:\n%s", got)
			}
			s.serves("v1")
		})
	}
}

// releasePipeline deploys and then does what it is told to.
const releasePipeline = `
variable "release" {
  default = "dist"
}

variable "then" {
  default = "true"
}

pipeline "release" {
  stage "deploy" {
    deploy {
      environment = environment.shop
      release     = var.release
    }
  }

  stage "then" {
    needs = [stage.deploy]
    run   = var.then
  }

  rollback "shop" {
    when = failed() || cancelled()

    deploy {
      environment = environment.shop
    }
  }
}
`

// TestStrategiesMoveTrafficBack has runs that fail, and are cancelled, after
// their deploy has moved the traffic for good.
func TestStrategiesMoveTrafficBack(t *testing.T) {
	for _, kind := range []proxy.Kind{proxy.NGINX, proxy.HAProxy} {
		t.Run(string(kind), func(t *testing.T) {
			t.Parallel()
			s := newSite(t, kind)
			text, err := os.ReadFile(filepath.Join(s.dir, "deploy.hcl"))
			if err != nil {
				t.Fatal(err)
			}
			s.write("deploy.hcl", string(text)+releasePipeline)
			s.run(0, "run", "-var", "release="+s.release("v1"), "-var", "then=true")
			s.serves("v1")

			if said := s.run(1, "run", "-var", "release="+s.release("v2"), "-var", "then=exit 5"); !strings.Contains(said, "stage then: exit status 5") {
				t.Errorf("a run that fails says\n%s", said)
			}
			s.serves("v1")

			code, took, said := s.signalled("│ waiting", syscall.SIGINT, "run", "-var", "release=v2", "-var", "then=echo waiting; sleep 600")
			if code != 130 || took > time.Minute {
				t.Errorf("a run that is cancelled: exit code %d after %s\n%s", code, took, said)
			}
			s.serves("v1")

			if said := s.run(1, "run", "-var", "release=nowhere", "-var", "then=true"); !strings.Contains(said, "this run has not moved shop") && !strings.Contains(said, "as before this run") {
				t.Errorf("a deploy that never began:\n%s", said)
			}
			s.serves("v1")
			if history := s.run(0, "status"); !strings.Contains(history, "rollback, succeeded") {
				t.Errorf("the history lacks the rollbacks:\n%s", history)
			}
		})
	}
}

// TestReleasesOfAllKinds ships an archive, and what an earlier run has kept.
func TestReleasesOfAllKinds(t *testing.T) {
	t.Parallel()
	s := newSite(t, proxy.NGINX)
	s.release("v1")
	if out, err := exec.Command("tar", "-C", filepath.Join(s.dir, "v1"), "-czf", filepath.Join(s.dir, "v1.tar.gz"), ".").CombinedOutput(); err != nil {
		t.Fatalf("tar: %v\n%s", err, out)
	}
	s.run(0, "deploy", "-release", "v1.tar.gz")
	s.serves("v1")

	s.write("keep.hcl", `pipeline "keep" {
  stage "build" {
    run = "mkdir -p out/dist && echo -n v2 >out/dist/version"
  }

  artifact "app" {
    path = "out/dist"
  }
}
`)
	s.run(0, "run", "-f", "keep.hcl")
	if err := os.RemoveAll(filepath.Join(s.dir, "out")); err != nil {
		t.Fatal(err)
	}
	if said := s.run(0, "deploy", "-release", "artifact:app"); !strings.Contains(said, "the release is artifact app of run 2") {
		t.Errorf("it does not say which artifact:\n%s", said)
	}
	s.serves("v2")
	if left, _ := filepath.Glob(filepath.Join(s.dir, ".turnout/runs/*/release*")); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
	for release, want := range map[string]string{
		"artifact:ap":       `did you mean "app"?`,
		"artifact:app@none": `no run "none"`,
		"deploy.hcl":        "is neither a directory nor an archive",
	} {
		if said := s.run(1, "deploy", "-release", release); !strings.Contains(said, want) {
			t.Errorf("-release %s: want %q, got\n%s", release, want, said)
		}
	}
	s.serves("v2")
}

// TestShipsWhatThisRunHasMade builds in one stage and deploys the artifact in
// another, when an earlier run has kept one of that name too.
func TestShipsWhatThisRunHasMade(t *testing.T) {
	t.Parallel()
	s := newSite(t, proxy.NGINX)
	s.write("deploy.hcl", s.read("deploy.hcl")+`
variable "version" {}

pipeline "release" {
  stage "build" {
    run = "mkdir -p out/dist && echo -n ${var.version} >out/dist/version && echo map >out/dist/app.map"
  }

  stage "deploy" {
    needs = [stage.build]

    deploy {
      environment = environment.shop
      release     = artifact.app
    }
  }

  stage "check" {
    needs = [stage.deploy]
    run   = "test ${var.version} != v3"
  }

  artifact "app" {
    path = ["out/dist", "!**/*.map"]
  }
}
`)
	for _, version := range []string{"v1", "v2"} {
		if said := s.run(0, "run", "-var", "version="+version); !strings.Contains(said, "the release is artifact app of this run") {
			t.Errorf("it does not say which artifact:\n%s", said)
		}
		s.serves(version)
	}
	if maps, _ := filepath.Glob(filepath.Join(s.dir, "root/releases/*/app.map")); len(maps) > 0 {
		t.Errorf("left out of the artifact, and shipped: %v", maps)
	}
	kept := s.run(0, "artifacts", "list", "-json", "app")
	s.run(1, "run", "-var", "version=v3")
	s.serves("v3")
	if now := s.run(0, "artifacts", "list", "-json", "app"); now != kept {
		t.Errorf("a run that failed has kept what it shipped:\n%s", now)
	}
	s.run(0, "deploy", "-release", "artifact:app", "-var", "version=any")
	s.serves("v2")
	if left, _ := filepath.Glob(filepath.Join(s.dir, ".turnout/runs/*/release*")); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

func TestStatusForPrograms(t *testing.T) {
	t.Parallel()
	s := newSite(t, proxy.NGINX)
	s.run(0, "deploy", "-release", s.release("v1"))
	var all []struct {
		Environment, Serving string
		History              []struct{ Outcome string }
	}
	if err := json.Unmarshal([]byte(s.run(0, "status", "-json")), &all); err != nil {
		t.Fatal(err)
	}
	if len(all) != 1 || all[0].Serving != "blue" || len(all[0].History) != 1 || all[0].History[0].Outcome != "succeeded" {
		t.Errorf("status: %+v", all)
	}
}

// TestInGitHubActions gives a deploy the files that the runner gives a step.
func TestInGitHubActions(t *testing.T) {
	t.Parallel()
	s := newSite(t, proxy.NGINX)
	for _, name := range []string{"output", "summary", "gh-state"} {
		s.write(name, "")
	}
	cmd := s.turnout("deploy", "-release", s.release("v1"))
	cmd.Env = append(os.Environ(), "GITHUB_ACTIONS=true", "GITHUB_SHA=0123456789abcdef", "GITHUB_ACTOR=octocat",
		"GITHUB_OUTPUT="+filepath.Join(s.dir, "output"), "GITHUB_STEP_SUMMARY="+filepath.Join(s.dir, "summary"),
		"GITHUB_STATE="+filepath.Join(s.dir, "gh-state"))
	var printed bytes.Buffer
	cmd.Stdout, cmd.Stderr = &printed, io.Discard
	if err := cmd.Run(); err != nil {
		t.Fatalf("%v\n%s", err, printed.String())
	}
	for name, wants := range map[string][]string{
		"output":  {"active_slot", "blue", "outcome", "succeeded", "changed", "report"},
		"summary": {"blue", "requests"},
	} {
		text, err := os.ReadFile(filepath.Join(s.dir, name))
		if err != nil {
			t.Fatal(err)
		}
		for _, want := range wants {
			if !strings.Contains(string(text), want) {
				t.Errorf("%s lacks %q:\n%s", name, want, text)
			}
		}
	}
}
