package rollout

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/org/deploy-action/internal/elb/elbtest"
	"github.com/org/deploy-action/internal/event"
	"github.com/org/deploy-action/internal/machine"
	"github.com/org/deploy-action/internal/probe"
	"github.com/org/deploy-action/internal/proxy"
	"github.com/org/deploy-action/internal/proxy/proxytest"
	"github.com/org/deploy-action/internal/spec"
	"github.com/org/deploy-action/internal/value"
)

// cloud is an environment behind a load balancer: a server that runs it, and the
// runner, which calls the API. Both are this machine, with directories of their own.
type cloud struct {
	*world
	lb     *elbtest.Server
	marked atomic.Int64 // synthetic requests that have come to a slot
}

func newCloud(t *testing.T) *cloud {
	t.Helper()
	for name, text := range elbtest.Credentials {
		t.Setenv(name, text)
	}
	c := &cloud{world: &world{t: t}, lb: elbtest.New()}
	t.Cleanup(c.lb.Close)
	dir := t.TempDir()
	p := &proxytest.Proxy{Dir: dir, Site: proxy.Site{StateDir: value.Path(dir + "/state")}}
	c.env = testEnvironment(t, p, c.app("blue", dir), c.app("green", dir))
	for _, slot := range c.env.Slots { // the slots answer from this process, with what is in their folders
		slot.Start, slot.Stop = "", ""
	}
	c.env.Servers = []*spec.Server{{Name: "web", Connection: spec.SSH, Host: "127.0.0.1", Address: "127.0.0.1"}}
	c.env.Proxies = []*spec.Proxy{{
		Kind: spec.AWSELB, Servers: []*spec.Server{{Name: "runner", Connection: spec.Local, Address: "127.0.0.1"}}, Hostname: "shop.example.com",
		Balancer: &spec.Balancer{Resource: elbtest.Rule, Endpoint: c.lb.Endpoint(), Groups: map[value.Name]value.ARN{"blue": elbtest.Blue, "green": elbtest.Green}},
	}}
	return c
}

// app serves what a slot holds.
func (c *cloud) app(slot, dir string) value.Port {
	c.t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		if q.Header.Get(probe.Mark) == "1" {
			c.marked.Add(1)
		}
		var r testRelease
		data, err := os.ReadFile(filepath.Join(dir, "root", slot, "release.json"))
		if err != nil || json.Unmarshal(data, &r) != nil || r.Moody && q.Header.Get("X-Forwarded-For") != "" {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
		fmt.Fprint(w, r.Version)
	}))
	c.t.Cleanup(server.Close)
	return value.Port(server.Listener.Addr().(*net.TCPAddr).Port)
}

// ask is one request of a client.
func (c *cloud) ask() (int, string, error) {
	response, err := http.Get(c.lb.URL())
	if err != nil {
		return 0, "", err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	return response.StatusCode, string(body), err
}

func (c *cloud) serves(version string) {
	c.t.Helper()
	for range 5 {
		if status, body, err := c.ask(); err != nil || status != 200 || body != version {
			c.t.Fatalf("the load balancer answers %d %q %v, want 200 %q", status, body, err, version)
		}
	}
}

// fails must end so, with a reason that says it.
func (c *cloud) fails(request Request, outcome event.Outcome, says string) event.Switch {
	c.t.Helper()
	result := Run(context.Background(), request)
	if result.Outcome != outcome || !strings.Contains(result.Reason, says) {
		c.t.Errorf("%s: %s, want %s that says %q", result.Outcome, result.Reason, outcome, says)
	}
	return result
}

// TestBalancer deploys, rolls back and lets clients ask all the time.
func TestBalancer(t *testing.T) {
	c := newCloud(t)
	first := c.deploy(testRelease{Version: "v1"})
	if first.From.Slot != "" || first.URL != "http://shop.example.com:"+c.lb.URL()[strings.LastIndexByte(c.lb.URL(), ':')+1:] {
		t.Errorf("%+v %q", first.From, first.URL)
	}
	c.serves("v1")
	ctx, stop := context.WithCancel(t.Context())
	var clients sync.WaitGroup
	for range 2 {
		clients.Go(func() {
			for ctx.Err() == nil {
				if status, body, err := c.ask(); err != nil || status != 200 {
					t.Errorf("%d %q %v", status, body, err)
				}
			}
		})
	}
	view, err := Preview(t.Context(), c.request(writeRelease(t, testRelease{Version: "v2"})))
	if err != nil || view.Problems != nil || view.Diff != "" || view.Reload || view.Proxies[0] != "load balancer shop" {
		t.Errorf("%+v %v", view, err)
	}
	second := c.deploy(testRelease{Version: "v2"})
	c.serves("v2")
	if tr := second.Traffic; tr == nil || tr.Requests == 0 || tr.Failed != 0 || second.Reloads != 0 {
		t.Errorf("%+v", second)
	}
	back := c.request("")
	back.Run.ID = "run-back"
	c.mustSwitch(back)
	c.serves("v1")
	stop()
	clients.Wait()

	status := c.status()
	if status.Serving != "blue" || len(status.Drift) != 0 || status.Unsettled != "" || len(status.History) != 3 || status.Holder != nil {
		t.Errorf("%+v", status)
	}
	tags := c.lb.Tags(elbtest.Rule)
	if tags["turnout:environment"] != "shop" || !strings.HasPrefix(tags["turnout:epoch"], "3 run-") || tags["turnout:release:green"] != second.To.Release {
		t.Errorf("%v", tags)
	}
}

// TestBalancerKeepsNothingOnTheRunner has every run on a machine of its own.
func TestBalancerKeepsNothingOnTheRunner(t *testing.T) {
	c := newCloud(t)
	for _, version := range []string{"v1", "v2"} {
		c.deploy(testRelease{Version: version})
		c.vanish()
	}
	if status := c.status(); len(status.History) != 2 || status.Slots["blue"] == "" {
		t.Errorf("%+v", status)
	}
	if tags := c.lb.Tags(elbtest.Rule); !strings.HasPrefix(tags["turnout:epoch"], "2 ") {
		t.Errorf("%v", tags)
	}
}

// vanish takes the machine away that the last run was on.
func (c *cloud) vanish() {
	c.t.Helper()
	if err := os.RemoveAll(string(c.env.StateDir)); err != nil {
		c.t.Fatal(err)
	}
}

// TestBalancerPutsBack has a release that is healthy until requests come through
// the load balancer.
func TestBalancerPutsBack(t *testing.T) {
	c := newCloud(t)
	c.fails(c.request(writeRelease(t, testRelease{Version: "v0", Moody: true})), event.Failed, "through aws_elb: blue is not healthy")
	if targets := append(c.lb.Targets(elbtest.Blue), c.lb.Targets(elbtest.Green)...); len(targets) != 0 {
		t.Errorf("a first deploy that failed leaves %v", targets)
	}
	if first := c.deploy(testRelease{Version: "v1"}); first.From.Slot != "" {
		t.Errorf("%+v", first)
	}
	result := c.fails(c.request(writeRelease(t, testRelease{Version: "v2", Moody: true})), event.Failed, "through aws_elb: green is not healthy")
	if !result.PutBack {
		t.Errorf("%+v", result)
	}
	c.serves("v1")
	if status := c.status(); status.Serving != "blue" || len(status.Drift) != 0 {
		t.Errorf("%+v", status)
	}
}

// TestBalancerRefused has AWS refuse a call at each step that makes one.
func TestBalancerRefused(t *testing.T) {
	c := newCloud(t)
	c.deploy(testRelease{Version: "v1"})
	for action, says := range map[string]string{
		"AddTags":               "lock: load balancer shop: AddTags: these AWS credentials lack elasticloadbalancing:AddTags on " + string(elbtest.Rule),
		"ModifyRule":            "commit: load balancer shop: select green: ModifyRule: these AWS credentials lack",
		"DescribeTargetHealth":  "survey: load balancer shop: inspect: DescribeTargetHealth",
		"DescribeLoadBalancers": "DescribeLoadBalancers: these AWS credentials lack",
	} {
		c.lb.Fail(action, "AccessDenied", "not authorized", 403, 1)
		c.fails(c.request(writeRelease(t, testRelease{Version: "v2"})), event.Failed, strings.TrimPrefix(says, "survey: "))
		c.lb.Mend()
		c.serves("v1")
	}
	c.deploy(testRelease{Version: "v3"})
	c.serves("v3")
}

// TestBalancerThrottled has AWS throttle calls on the way there and on the way back.
func TestBalancerThrottled(t *testing.T) {
	c := newCloud(t)
	c.deploy(testRelease{Version: "v1"})
	c.hook = func(e event.Event) {
		if e.Kind == event.StepStarted && (e.Step.Name == "commit" || e.Step.Name == "put back") {
			c.lb.Fail("", "Throttling", "Rate exceeded", 400, 1)
		}
	}
	c.fails(c.request(writeRelease(t, testRelease{Version: "v2", Moody: true})), event.Failed, "through aws_elb: green is not healthy")
	c.serves("v1")
	c.deploy(testRelease{Version: "v3"})
	c.serves("v3")
}

// TestBalancerKilled kills a run after each of its steps, and takes its machine away
// too: what the application's servers know has to be enough.
func TestBalancerKilled(t *testing.T) {
	c := newCloud(t)
	c.deploy(testRelease{Version: "v0"})
	serving := "v0"
	for i, step := range []string{"lock", "ship", "prepare", "commit", "watch", "record"} {
		version := fmt.Sprintf("v%d", i+1)
		c.runDoomed(doomed{Environment: c.env, Release: writeRelease(t, testRelease{Version: version}), Kind: event.StepFinished, Step: step})
		if step == "commit" || step == "watch" {
			c.serves(version)
		}
		c.vanish()
		if step == "record" {
			serving = version
		}
		if _, err := Recover(context.Background(), c.request("")); err != nil {
			t.Fatalf("%s: %v", step, err)
		}
		c.serves(serving)
		if did, err := Recover(context.Background(), c.request("")); err != nil || did != "" {
			t.Errorf("%s: a second recover did %q, %v", step, did, err)
		}
	}
	c.deploy(testRelease{Version: "last"})
	c.serves("last")
}

// TestBalancerAlone kills a run whose agents go on: the one that calls AWS puts the
// requests back by itself.
func TestBalancerAlone(t *testing.T) {
	c := newCloud(t)
	c.deploy(testRelease{Version: "v1"})
	text, err := json.Marshal(doomed{Environment: c.env, Release: writeRelease(t, testRelease{Version: "v2"}), Kind: event.StepFinished, Step: "commit"})
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), "ROLLOUT_TEST_ROLE=run with agents", "ROLLOUT_TEST_RUN="+string(text))
	mustBeKilled(t, cmd, doomed{Kind: event.StepFinished, Step: "commit"})
	deadline := time.Now().Add(time.Minute)
	for c.lb.Weights(elbtest.Rule)["shop-blue"] != 100 && time.Now().Before(deadline) {
		time.Sleep(20 * time.Millisecond)
	}
	c.serves("v1")
	did, err := Recover(context.Background(), c.request(""))
	if err != nil || !strings.Contains(did, "traffic is back on blue (the agent on runner did so when the run was gone)") {
		t.Errorf("%q %v", did, err)
	}
}

// runAndDieWithAgents is the process of a doomed run whose agents outlive it.
func runAndDieWithAgents() {
	var d doomed
	must(json.Unmarshal([]byte(os.Getenv("ROLLOUT_TEST_RUN")), &d))
	var mu sync.Mutex
	open := make(map[value.Name]machine.Machine)
	d.run(func(ctx context.Context, server *spec.Server) (machine.Machine, error) {
		mu.Lock()
		defer mu.Unlock()
		if open[server.Name] != nil {
			return open[server.Name], nil
		}
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), "ROLLOUT_TEST_ROLE=agent")
		child, err := machine.StartChild(ctx, string(server.Name), cmd)
		open[server.Name] = child
		return child, err
	})
}

// TestBalancerOvertaken has another run begin its epoch while one is at work: not
// even the way back touches the load balancer any more.
func TestBalancerOvertaken(t *testing.T) {
	c := newCloud(t)
	c.deploy(testRelease{Version: "v1"})
	c.hook = func(e event.Event) {
		if e.Kind == event.StepFinished && e.Step.Name == "commit" {
			c.lb.SetTag(elbtest.Rule, "turnout:epoch", "7 run-of-another")
		}
	}
	request := c.request(writeRelease(t, testRelease{Version: "v2", Moody: true}))
	c.fails(request, event.Stranded, "run run-of-another has had it since, in epoch 7; nothing was changed")
	if got := c.lb.Weights(elbtest.Rule)["shop-green"]; got != 100 {
		t.Errorf("green has %d", got)
	}
	c.hook = nil
	if _, err := Recover(context.Background(), c.request("")); err != nil {
		t.Fatal(err)
	}
	c.serves("v1")
	if tags := c.lb.Tags(elbtest.Rule); !strings.HasPrefix(tags["turnout:epoch"], "8 ") {
		t.Errorf("%v", tags)
	}
}

// TestBalancerHandEdits has somebody part the requests, and register a target.
func TestBalancerHandEdits(t *testing.T) {
	c := newCloud(t)
	c.deploy(testRelease{Version: "v1"})
	c.deploy(testRelease{Version: "v2"})
	c.lb.Add(elbtest.Green, "127.0.0.9", "9")
	forward := "ForwardConfig.TargetGroups.member."
	c.lb.SetActions(elbtest.Rule, map[string]string{
		"Type": "forward", forward + "1.TargetGroupArn": string(elbtest.Blue), forward + "1.Weight": "30",
		forward + "2.TargetGroupArn": string(elbtest.Green), forward + "2.Weight": "70",
	})
	drift := strings.Join(c.status().Drift, "\n")
	if !strings.Contains(drift, "were changed by hand") || !strings.Contains(drift, "30 % of the requests go to blue") {
		t.Errorf("drift: %s", drift)
	}
	c.hook = func(e event.Event) {
		if e.Kind == event.StepStarted && e.Step.Name == "ship" && c.lb.Weights(elbtest.Rule)["shop-blue"] != 0 {
			t.Error("requests go to the slot that is to be filled")
		}
	}
	c.deploy(testRelease{Version: "v3"})
	c.serves("v3")
	if targets := c.lb.Targets(elbtest.Green); len(targets) != 1 {
		t.Errorf("%v", targets)
	}
	if status := c.status(); len(status.Drift) != 0 || status.Serving != "blue" {
		t.Errorf("%+v", status)
	}
}

// TestBalancerThatCantBeWatched ends deploys before traffic moves.
func TestBalancerThatCantBeWatched(t *testing.T) {
	c := newCloud(t)
	c.deploy(testRelease{Version: "v1"})
	c.lb.SayTLS()
	c.env.Proxies[0].Hostname = "*.example.com"
	c.fails(c.request(writeRelease(t, testRelease{Version: "v2"})), event.Failed, "prepare: load balancer shop: its listener speaks TLS, and the watch has to know for which name")
	c.env.Proxies[0].Hostname = "shop.example.com"
	result := c.fails(c.request(writeRelease(t, testRelease{Version: "v2"})), event.Failed, "watch: ")
	if !strings.Contains(result.Reason, "connected, but no TLS") || !result.PutBack {
		t.Errorf("%+v", result)
	}
	c.serves("v1")
}

// TestBalancerOfTwoListeners has a rule and a listener that is added later.
func TestBalancerOfTwoListeners(t *testing.T) {
	c := newCloud(t)
	c.deploy(testRelease{Version: "v1"})
	c.deploy(testRelease{Version: "v2"})
	second := *c.env.Proxies[0]
	balancer := *second.Balancer
	second.Balancer, balancer.Resource = &balancer, elbtest.Listener
	c.env.Proxies = append(c.env.Proxies, &second)
	c.fails(c.request(writeRelease(t, testRelease{Version: "v3"})), event.Failed, elbtest.Listener.Resource()+" is new to turnout and forwards to blue")
	c.lb.SetActions(elbtest.Listener, map[string]string{"Type": "forward", "TargetGroupArn": string(elbtest.Green)})
	result := c.deploy(testRelease{Version: "v3"})
	c.serves("v3")
	for _, of := range []value.ARN{elbtest.Listener, elbtest.Rule} {
		if got := c.lb.Weights(of); got["shop-blue"] != 100 || got["shop-green"] != 0 {
			t.Errorf("%s: %v", of.Resource(), got)
		}
	}
	if len(result.Proxies) != 2 || result.Proxies[0].Server != elbtest.Rule.Resource() || result.Proxies[1].Server != elbtest.Listener.Resource() {
		t.Errorf("%+v", result.Proxies)
	}
}

// TestBalancerStopsTheOldSlot after all of the time that it has for requests under
// way.
func TestBalancerStopsTheOldSlot(t *testing.T) {
	c := newCloud(t)
	c.env.KeepPrevious, c.env.Drain = spec.StopDrained, 50*time.Millisecond
	for _, slot := range c.env.Slots {
		slot.Stop = "touch stopped-" + string(slot.Name)
	}
	c.deploy(testRelease{Version: "v1"})
	result := c.deploy(testRelease{Version: "v2"})
	var drained string
	for _, item := range result.Timeline {
		if item.Name == "drain" {
			drained = item.Text
		}
	}
	if drained != "blue had 50ms for its last requests, which AWS does not count; it is stopped" {
		t.Errorf("%q", drained)
	}
	if _, err := os.Stat(filepath.Join(string(c.env.Root), "stopped-blue")); err != nil {
		t.Error(err)
	}
}
