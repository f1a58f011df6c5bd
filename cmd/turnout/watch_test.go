package main

import (
	"bufio"
	"encoding/json"
	"strings"
	"syscall"
	"testing"

	"github.com/org/deploy-action/internal/proxy"
)

// TestWatchFollowsADeploy watches from another process what a deploy does.
func TestWatchFollowsADeploy(t *testing.T) {
	t.Parallel()
	s := newSite(t, proxy.NGINX)
	s.run(0, "deploy", "-release", s.release("v1"))
	watch := s.turnout("status", "-watch", "-json", "-interval", "20ms")
	output, err := watch.StdoutPipe()
	if err == nil {
		err = watch.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	deployed := make(chan string, 1)
	var seen []string // serving, and what the deploy is at
	lines := bufio.NewScanner(output)
	for lines.Scan() {
		var all []struct {
			Serving, Step string
			History       []struct{ Command string }
		}
		if err := json.Unmarshal(lines.Bytes(), &all); err != nil {
			t.Fatalf("%v: %s", err, lines.Text())
		}
		seen = append(seen, all[0].Serving+" "+all[0].Step)
		if len(seen) == 1 {
			go func() { deployed <- s.run(0, "deploy", "-release", s.release("v2")) }()
		}
		if all[0].Serving == "green" && all[0].Step == "" && len(all[0].History) == 2 {
			if err := watch.Process.Signal(syscall.SIGINT); err != nil {
				t.Error(err)
			}
		}
	}
	if err := watch.Wait(); err != nil {
		t.Errorf("a watch that was interrupted: %v", err)
	}
	<-deployed
	if seen[0] != "blue " || !strings.Contains(strings.Join(seen, ","), "green commit") {
		t.Errorf("seen: %q", seen)
	}
}

func TestHistory(t *testing.T) {
	t.Parallel()
	s := newSite(t, proxy.NGINX)
	if got := s.run(0, "history"); !strings.Contains(got, "nothing was deployed yet") {
		t.Errorf("before the first deploy:\n%s", got)
	}
	s.run(0, "deploy", "-release", s.release("v1"))
	s.run(0, "deploy", "-release", s.release("v2"))
	s.run(0, "rollback")
	got := s.run(0, "history")
	for _, want := range []string{"rollback", "deploy", "succeeded", "(green)", "(blue)", "0 failed", " → ", "bad since: rolled back from"} {
		if !strings.Contains(got, want) {
			t.Errorf("no %q in\n%s", want, got)
		}
	}
	if newest := s.run(0, "history", "-n", "1", "shop"); !strings.Contains(newest, "rollback") || strings.Contains(newest, "deploy  ") {
		t.Errorf("the newest only:\n%s", newest)
	}
	var all []struct {
		Environment string
		Deploys     []struct{ Command, Outcome string }
		Bad         map[string]struct{ Reason string }
	}
	if err := json.Unmarshal([]byte(s.run(0, "history", "-json")), &all); err != nil || len(all) != 1 || len(all[0].Deploys) != 3 || len(all[0].Bad) != 1 {
		t.Errorf("%v, %+v", err, all)
	}
	s.run(2, "history", "-n", "0")
	s.run(2, "status", "-watch", "-interval", "0s")
	s.run(2, "history", "nope")
}
