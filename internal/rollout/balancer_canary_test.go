package rollout

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/org/deploy-action/internal/elb/elbtest"
	"github.com/org/deploy-action/internal/event"
	"github.com/org/deploy-action/internal/proxy/proxytest"
	"github.com/org/deploy-action/internal/spec"
	"github.com/org/deploy-action/internal/state"
)

// commanded is a canary that a command judges, behind a load balancer.
func (c *cloud) commanded(hold time.Duration, run string, weights ...int) *spec.Canary {
	canary := quickCanary(hold, weights...)
	canary.Analysis.Source, canary.Analysis.Run = "run", run
	c.splits(canary)
	return canary
}

// split fails unless green has that weight of the rule, and blue the rest.
func (c *cloud) split(green int) {
	c.t.Helper()
	if got := c.lb.Weights(elbtest.Rule); got["shop-green"] != green || got["shop-blue"] != 100-green {
		c.t.Errorf("weights %v, want %d for green", got, green)
	}
}

// TestBalancerCanary has shares climb as weights, each of them one call, and an abort
// take all of the requests back by one.
func TestBalancerCanary(t *testing.T) {
	c := newCloud(t)
	c.deploy(testRelease{Version: "v1"})
	canary := c.commanded(250*time.Millisecond, "true", 10, 50)
	canary.Synthetic = 50
	seen, calls := []int{}, [][]string{}
	c.hook = func(e event.Event) {
		switch {
		case e.Kind == event.StepStarted && e.Step.Name == "canary":
			c.lb.Calls()
		case e.Kind == event.CanaryShared:
			seen = append(seen, c.lb.Weights(elbtest.Rule)["shop-green"])
			calls = append(calls, moves(c.lb.Calls()))
		}
	}
	result := c.mustSwitch(c.canaryOf(testRelease{Version: "v2"}, canary))
	c.serves("v2")
	if !slices.Equal(seen, []int{10, 50}) || !slices.Equal(percents(result.Canary), seen) || result.Canary.Outcome != event.CanaryPromoted {
		t.Errorf("weights %v, canary %+v", seen, result.Canary)
	}
	if c.marked.Load() == 0 {
		t.Error("no synthetic request has come through the listener")
	}
	for _, made := range calls {
		if !slices.Equal(made, []string{"ModifyRule"}) {
			t.Errorf("a share took %v", made)
		}
	}
	back := c.request("")
	c.mustSwitch(back)
	c.serves("v1")

	c.hook = func(e event.Event) {
		if e.Kind == event.CanaryLooked && e.Look.Action == "abort" {
			c.split(50)
			c.lb.Calls()
		}
		if e.Kind == event.StepFinished && e.Step.Name == "canary" {
			c.split(0)
			if made := moves(c.lb.Calls()); !slices.Equal(made, []string{"ModifyRule"}) {
				t.Errorf("the abort took %v", made)
			}
		}
	}
	c.env.Drain = 20 * time.Millisecond
	canary = c.commanded(time.Minute, "echo too slow; exit 1", 50)
	result = c.fails(c.canaryOf(testRelease{Version: "v3"}, canary), event.Failed, "canary: aborted at 50 %: too slow")
	c.serves("v1")
	if status := c.status(); !result.PutBack || status.Share != 0 || len(status.Drift) != 0 || status.Unsettled != "" {
		t.Errorf("put back %t, status %+v", result.PutBack, status)
	}
}

// moves are the calls that move requests.
func moves(calls []string) []string {
	return slices.DeleteFunc(calls, func(action string) bool { return !strings.HasPrefix(action, "Modify") })
}

// TestBalancerCanaryByPrometheus has figures of a server decide.
func TestBalancerCanaryByPrometheus(t *testing.T) {
	c := newCloud(t)
	c.deploy(testRelease{Version: "v1"})
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		number := map[bool]int{true: 9, false: 0}[strings.HasPrefix(r.FormValue("query"), "errors green")]
		fmt.Fprintf(w, `{"status":"success","data":{"resultType":"vector","result":[{"value":[1,"%d"]}]}}`, number)
	}))
	defer server.Close()
	canary := quickCanary(250*time.Millisecond, 10)
	canary.Analysis = queries(t, server.URL, "metric \"errors\" {\n query = \"errors ${slot.name}\"\n max = 1\n}")
	c.splits(canary)
	c.env.Drain = 20 * time.Millisecond
	c.fails(c.canaryOf(testRelease{Version: "v2"}, canary), event.Failed, "errors is 9, the old release has 0; at most 1 is allowed")
	c.serves("v1")
}

// TestBalancerCanaryIsTold has somebody say promote and abort.
func TestBalancerCanaryIsTold(t *testing.T) {
	c := newCloud(t)
	c.deploy(testRelease{Version: "v1"})
	c.env.Drain = 20 * time.Millisecond
	canary := c.commanded(time.Hour, "true", 10, 50)
	canary.Deadline = 2 * time.Hour
	for _, test := range []struct {
		verb    state.Verb
		outcome event.Outcome
		serves  string
	}{{state.Abort, event.Failed, "v1"}, {state.Promote, event.Succeeded, "v2"}} {
		said := make(chan error, 1)
		c.hook = func(e event.Event) {
			if e.Kind == event.CanaryShared {
				go func() {
					_, err := Tell(context.Background(), c.request(""), state.Word{Verb: test.verb, By: "bob"})
					said <- err
				}()
			}
		}
		result := Run(context.Background(), c.canaryOf(testRelease{Version: "v2"}, canary))
		if err := <-said; err != nil {
			t.Errorf("%s: %v", test.verb, err)
		}
		if result.Outcome != test.outcome || !strings.Contains(result.Canary.Reason, "by bob") {
			t.Errorf("%s: %s, canary %+v: %s", test.verb, result.Outcome, result.Canary, result.Reason)
		}
		c.serves(test.serves)
	}
}

// TestBalancerKilledInACanary kills runs at a share. With the machine gone too the
// next recover gives the old release everything; an agent that is left does so itself.
func TestBalancerKilledInACanary(t *testing.T) {
	c := newCloud(t)
	c.deploy(testRelease{Version: "v1"})
	doom := doomed{Environment: c.env, Canary: c.commanded(time.Hour, "true", 40), Kind: event.CanaryShared, Step: "canary"}
	doom.Canary.Deadline = 2 * time.Hour

	doom.Release = writeRelease(t, testRelease{Version: "v2"})
	c.runDoomed(doom)
	c.split(40)
	c.vanish()
	if _, err := Recover(context.Background(), c.request("")); err != nil {
		t.Fatal(err)
	}
	c.split(0)
	c.serves("v1")

	c.runDoomed(doom)
	c.split(40)
	c.vanish()
	c.deploy(testRelease{Version: "v3"})
	c.serves("v3")
	back := c.request("")
	c.mustSwitch(back)
	c.serves("v1")

	text, err := json.Marshal(doom)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), "ROLLOUT_TEST_ROLE=run with agents", "ROLLOUT_TEST_RUN="+string(text))
	mustBeKilled(t, cmd, doom)
	proxytest.Await(t, func() error {
		if got := c.lb.Weights(elbtest.Rule); got["shop-green"] != 0 {
			return fmt.Errorf("weights %v", got)
		}
		return nil
	})
	c.serves("v1")
	if did, err := Recover(context.Background(), c.request("")); err != nil || !strings.Contains(did, "the agent on runner did so") {
		t.Errorf("recover: %q, %v", did, err)
	}
}

// TestBalancerCanaryBehindALogin has synthetic requests refused where they would get no
// further than the login.
func TestBalancerCanaryBehindALogin(t *testing.T) {
	c := newCloud(t)
	c.deploy(testRelease{Version: "v1"})
	oidc := map[string]string{"Type": "authenticate-oidc"}
	for _, field := range []string{"Issuer", "AuthorizationEndpoint", "TokenEndpoint", "UserInfoEndpoint", "ClientId", "ClientSecret"} {
		oidc["AuthenticateOidcConfig."+field] = "https://id.example.com"
	}
	c.lb.SetActions(elbtest.Rule, oidc, map[string]string{"Type": "forward", "TargetGroupArn": string(elbtest.Blue)})
	canary := c.commanded(time.Minute, "true", 50)
	canary.Synthetic = 5
	result := c.fails(c.canaryOf(testRelease{Version: "v2"}, canary), event.Failed, "clients have to log in at its listener")
	if result.Canary != nil {
		t.Errorf("canary %+v", result.Canary)
	}
}
