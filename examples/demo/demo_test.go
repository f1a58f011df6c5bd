package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/org/deploy-action/internal/proxy/proxytest"
	"github.com/org/deploy-action/internal/spec"
)

// built is a directory for turnout, as long as the tests run.
var built string

// What builds here and in the demo's pipeline builds as for a release, so that the
// build cache has each package once.
func TestMain(m *testing.M) {
	os.Exit(func() int {
		err := errors.Join(os.Setenv("CGO_ENABLED", "0"), os.Setenv("GOFLAGS", "-trimpath"))
		if err == nil {
			built, err = os.MkdirTemp("", "turnout-demo-test-")
		}
		if err != nil {
			panic(err)
		}
		defer os.RemoveAll(built)
		return m.Run()
	}())
}

// build makes the turnout binary that the demo runs.
func build(t *testing.T) string {
	t.Helper()
	for _, program := range []string{"git", "bash", "curl"} {
		proxytest.Need(t, program)
	}
	binary, err := turnout()
	if err != nil {
		t.Fatal(err)
	}
	return binary
}

var turnout = sync.OnceValues(func() (string, error) {
	binary := filepath.Join(built, "turnout")
	if said, err := exec.Command("go", "build", "-ldflags", "-s -w", "-o", binary, "../../cmd/turnout").CombinedOutput(); err != nil {
		return "", fmt.Errorf("%w\n%s", err, said)
	}
	return binary, nil
})

func TestDemo(t *testing.T) {
	t.Parallel()
	turnout := build(t)
	for _, kind := range []string{"nginx", "haproxy"} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			proxytest.Need(t, kind)
			reports := t.TempDir()
			if err := demo(t.Context(), kind, turnout, reports); err != nil {
				t.Fatal(err)
			}
			for version, want := range map[string]string{"v1": "announce", "v2": "0 failed", "v3": "database of v3 is missing"} {
				text, err := os.ReadFile(filepath.Join(reports, version+".md"))
				if err != nil || !strings.Contains(string(text), want) {
					t.Errorf("report of %s has no %q (%v):\n%s", version, want, err, text)
				}
			}
		})
	}
}

func TestInterruptedDemoLeavesNothing(t *testing.T) {
	t.Parallel()
	turnout := build(t)
	proxytest.Need(t, "nginx")
	ctx, interrupt := context.WithCancel(t.Context())
	defer interrupt()
	s, err := newStage("nginx", turnout)
	if err != nil {
		t.Fatal(err)
	}
	go func() {
		// Interrupt while v1 is being deployed: its slot has a process by then.
		for ctx.Err() == nil {
			if pids, err := filepath.Glob(s.path("server/*.pid")); err == nil && len(pids) > 0 {
				interrupt()
			}
			<-time.After(5 * time.Millisecond)
		}
	}()
	err = errors.Join(s.startProxy(ctx), s.writeRepository(ctx), s.first(ctx))
	if err == nil {
		t.Error("the deployment was not interrupted")
	}
	if err := s.close(); err != nil {
		t.Error(err)
	}
	if running := s.processes(); len(running) > 0 {
		t.Errorf("processes %v are still running", running)
	}
	if _, err := os.Stat(s.dir); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("%s: %v", s.dir, err)
	}
}

// deaf ignores SIGTERM and has left its parent's process group.
const deaf = `setsid sh -c 'trap "" TERM; while :; do sleep 1; done' & echo started; wait`

func TestCloseEndsWhatDoesNotWantTo(t *testing.T) {
	t.Parallel()
	s := &stage{dir: t.TempDir()}
	cmd := s.command(t.Context(), "/", "sh", "-c", deaf)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if _, err := out.Read(make([]byte, 8)); err != nil {
		t.Fatal(err)
	}
	go func() { _ = cmd.Wait() }()
	began := time.Now()
	if err := s.close(); err != nil {
		t.Fatal(err)
	}
	if took := time.Since(began); took < graces[0].time {
		t.Errorf("took %s, less than the %s it has to end by itself", took, graces[0].time)
	}
}

func TestSpecs(t *testing.T) {
	for _, kind := range []string{"nginx", "haproxy"} {
		t.Run(kind, func(t *testing.T) {
			s := &stage{kind: kind, dir: "/tmp/turnout-demo-1", listen: "127.0.0.1:1", ports: [2]int{2, 3}}
			dir := t.TempDir()
			if err := s.writeSpec(dir); err != nil {
				t.Fatal(err)
			}
			var options spec.Options
			for _, v := range s.variables("v2") {
				name, value, _ := strings.Cut(v, "=")
				options.Vars = append(options.Vars, spec.Assignment{Name: name, Value: value, Origin: "-var"})
			}
			read, problems := spec.Load(filepath.Join(dir, "deploy.hcl"), options)
			if len(problems) > 0 {
				t.Fatalf("problems: %+v", problems)
			}
			if got := read.Environments[0].Proxies[0].Kind; string(got) != kind {
				t.Errorf("proxy %q", got)
			}
			if got := len(read.Pipelines[0].Stages); got != 10 {
				t.Errorf("%d stages, want 10", got)
			}
		})
	}
}
