package main

import (
	"strings"
	"testing"

	"github.com/org/deploy-action/internal/proxy"
)

// TestCanaryByHand deploys by canary and ends it from another process.
func TestCanaryByHand(t *testing.T) {
	t.Parallel()
	s := newSite(t, proxy.HAProxy)
	s.run(0, "deploy", "-release", s.release("v1"))
	if got := s.run(2, "promote", "shop"); !strings.Contains(got, "shop: no canary is under way: nobody deploys") {
		t.Errorf("promote without a canary:\n%s", got)
	}
	if got := s.run(0, "deploy", "-release", s.release("v2"), "-canary", "-dry-run"); !strings.Contains(got, "by default") || !strings.Contains(got, "90 % for 30s, then 100 %") {
		t.Errorf("dry run:\n%s", got)
	}
	for _, test := range []struct {
		command, did, said, serves string
		code                       int
	}{
		{"abort", "gives all traffic to blue again", "aborted at 10 %: asked for", "v1", 1},
		{"promote", "gives all traffic to green and watches it", "promoted: asked for at 10 %", "v2", 0},
	} {
		deploy := s.turnout("deploy", "-release", "v2", "-canary")
		said := s.until(deploy, "10 % of the requests go to green", func() {
			if status := s.run(0, "status"); !strings.Contains(status, "canary at 10 %") || !strings.Contains(status, "of the requests go to the other slot") {
				t.Errorf("status:\n%s", status)
			}
			if did := s.run(0, test.command, "shop"); !strings.Contains(did, test.did) {
				t.Errorf("%s: %s", test.command, did)
			}
		})
		if code := deploy.ProcessState.ExitCode(); code != test.code || !strings.Contains(said, test.said) {
			t.Errorf("%s: exit code %d\n%s", test.command, code, said)
		}
		s.serves(test.serves)
	}
}
