package main

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/org/deploy-action/internal/proxy"
)

// TestNoStageRunsForAReleaseThatDoesNotFit has a task come before a deploy for
// which the disk is too small, and a command.
func TestNoStageRunsForAReleaseThatDoesNotFit(t *testing.T) {
	t.Parallel()
	s := newSite(t, proxy.NGINX)
	s.write("deploy.hcl", s.read("deploy.hcl")+`
server "here" {
  connection = "local"
}

task "migrate" {
  target = server.here
  run    = "touch `+s.dir+`/migrated"
}

pipeline "release" {
  stage "migrate" {
    task = task.migrate
  }

  stage "deploy" {
    needs = [stage.migrate]

    deploy {
      environment = environment.shop
      release     = "big"
    }
  }
}

pipeline "build" {
  stage "build" {
    run = "touch `+s.dir+`/built"
  }

  stage "deploy" {
    needs = [stage.build]

    deploy {
      environment = environment.shop
      release     = "big"
    }
  }
}
`)
	s.smallRoot()
	s.write("big/data", strings.Repeat("0123456789abcdef", 1<<16))
	if said := s.run(1, "run", "release"); !strings.Contains(said, "the release needs") || !strings.Contains(said, "nothing was started") {
		t.Errorf("a release that does not fit:\n%s", said)
	}
	if _, err := os.Stat(filepath.Join(s.dir, "migrated")); err == nil {
		t.Error("the task ran, for a deploy that can't be")
	}
	s.run(1, "plan", "release")
	s.run(1, "run", "build")
	if _, err := os.Stat(filepath.Join(s.dir, "built")); err != nil {
		t.Errorf("what is there before a build says nothing of what it makes: %v", err)
	}
	s.write("big/data", "small")
	s.write("big/version", "v1")
	s.run(0, "run", "release")
	s.serves("v1")
}

// smallRoot puts the environment's releases onto a file system of 256 KiB.
func (s *site) smallRoot() {
	s.t.Helper()
	if os.Getuid() != 0 {
		if os.Getenv("CI") != "" {
			s.t.Fatal("mounting a small disk needs root")
		}
		s.t.Skip("mounting a small disk needs root")
	}
	root := filepath.Join(s.dir, "root")
	if err := errors.Join(os.MkdirAll(root, 0o755), syscall.Mount("tmpfs", root, "tmpfs", 0, "size=256k")); err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() {
		if err := syscall.Unmount(root, syscall.MNT_DETACH); err != nil { // what was deployed may still have it open
			s.t.Error(err)
		}
	})
}
