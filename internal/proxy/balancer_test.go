package proxy_test

import (
	"context"
	"errors"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/org/deploy-action/internal/elb"
	"github.com/org/deploy-action/internal/elb/client"
	"github.com/org/deploy-action/internal/elb/elbtest"
	"github.com/org/deploy-action/internal/machine"
	"github.com/org/deploy-action/internal/protocol"
	"github.com/org/deploy-action/internal/proxy"
	"github.com/org/deploy-action/internal/value"
)

// balanced is an environment behind a load balancer, whose slots answer.
type balanced struct {
	*testing.T
	lb   *elbtest.Server
	m    machine.Machine
	site proxy.Site
}

func newBalanced(t *testing.T) *balanced {
	t.Helper()
	for name, text := range elbtest.Credentials {
		t.Setenv(name, text)
	}
	here := machine.NewLocal("here")
	proxy.Balancing(here.Session(), client.Connect)
	b := &balanced{T: t, lb: elbtest.New(), m: here}
	t.Cleanup(b.lb.Close)
	b.site = proxy.Site{
		Env: "shop", Kind: proxy.AWSELB, Epoch: protocol.Epoch{Number: 1, Run: "run-1"},
		Balancer: &elb.Balancer{Resource: elbtest.Rule, Endpoint: b.lb.Endpoint(), Groups: map[value.Name]value.ARN{"blue": elbtest.Blue, "green": elbtest.Green}},
		Pools:    []proxy.Pool{{Slot: "blue", Addresses: b.slot("blue")}, {Slot: "green", Addresses: b.slot("green")}},
	}
	return b
}

func (b *balanced) slot(name string) []value.Address {
	app := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(name)) }))
	b.Cleanup(app.Close)
	return []value.Address{value.Address(strings.TrimPrefix(app.URL, "http://"))}
}

func perform[Req, Res any](b *balanced, op machine.Op[Req, Res], request Req) Res {
	b.Helper()
	result, err := op.On(b.Context(), b.m, request)
	if err != nil {
		b.Fatalf("%s: %v", op.Name, err)
	}
	return result
}

// put installs what the site renders to while a slot serves.
func (b *balanced) put(active value.Name, releases map[value.Name]string) proxy.Installed {
	b.Helper()
	rendered, err := proxy.Render(b.site)
	if err != nil {
		b.Fatal(err)
	}
	in := proxy.Install{Site: b.site, Rendered: rendered, Releases: releases, Active: active}
	if live := perform(b, proxy.Inspect, b.site); live.Header != nil {
		in.Expect = live.Header.Generation
	}
	perform(b, proxy.Verify, in)
	return perform(b, proxy.Put, in)
}

// answers counts who answers so many requests.
func (b *balanced) answers(n int) map[string]int {
	b.Helper()
	all := make(map[string]int)
	for range n {
		response, err := http.Get(b.lb.URL())
		if err != nil {
			b.Fatal(err)
		}
		body := make([]byte, 5)
		k, _ := response.Body.Read(body)
		_ = response.Body.Close()
		all[string(body[:k])]++
	}
	return all
}

func TestBalancerSwitch(t *testing.T) {
	b := newBalanced(t)
	if live := perform(b, proxy.Inspect, b.site); live.Exists || live.Running != nil || live.Edited {
		t.Errorf("before the first deploy: %+v", live)
	}
	perform(b, proxy.Claim, b.site)
	if epoch := perform(b, proxy.Standing, b.site); epoch != b.site.Epoch {
		t.Errorf("epoch %+v", epoch)
	}
	b.put("blue", map[value.Name]string{"blue": "r1"})
	perform(b, proxy.Ready, proxy.Selection{Site: b.site, Slot: "green"})
	rendered, _ := proxy.Render(b.site)
	live := perform(b, proxy.Inspect, b.site)
	if !live.Exists || live.Body != rendered.Body || live.Running.ID != live.Header.ID || live.Active != "blue" || live.Header.Releases["blue"] != "r1" {
		t.Errorf("%+v, body\n%swant\n%s", live.Header, live.Body, rendered.Body)
	}
	if !slices.Equal(live.Header.Pools[1].Addresses, b.site.Pools[1].Addresses) || live.Door.Login || !strings.HasPrefix(string(live.Door.Address), "localhost:") {
		t.Errorf("%+v %+v", live.Header.Pools, live.Door)
	}
	for _, slot := range []value.Name{"green", "blue", "green"} {
		selected := perform(b, proxy.Select, proxy.Selection{Site: b.site, Slot: slot})
		if selected.From == slot || selected.FromShare != 0 {
			t.Errorf("%+v", selected)
		}
		if got := b.answers(20); got[string(slot)] != 20 {
			t.Errorf("%s serves, and %v answered", slot, got)
		}
	}
	if open := perform(b, proxy.Connections, proxy.Flow{Site: b.site, Slot: "blue"}); !open.Uncounted {
		t.Errorf("%+v", open)
	}
}

func TestBalancerShare(t *testing.T) {
	b := newBalanced(t)
	b.site.Canary = &proxy.Canary{Sticky: proxy.StickyNone}
	perform(b, proxy.Claim, b.site)
	b.put("blue", nil)
	for _, percent := range []int{10, 90, 1, 100, 30, 0} {
		perform(b, proxy.Share, proxy.Portion{Site: b.site, Slot: "green", Percent: percent})
		live := perform(b, proxy.Inspect, b.site)
		active, share := value.Name("blue"), percent
		if percent == 100 {
			active, share = "green", 0
		}
		if live.Active != active || live.Share != share || *live.Running != (proxy.Answer{ID: live.Header.ID, Slot: active, Share: share}) {
			t.Errorf("%d %%: %s, %d %% elsewhere, %+v", percent, live.Active, live.Share, live.Running)
		}
		if got := b.lb.Weights(elbtest.Rule); got["shop-green"] != percent || got["shop-blue"] != 100-percent {
			t.Errorf("%d %%: %v", percent, got)
		}
	}
	perform(b, proxy.Share, proxy.Portion{Site: b.site, Slot: "green", Percent: 10})
	if got := b.answers(1000); got["green"] < 60 || got["green"] > 140 {
		t.Errorf("10 %%: %v", got)
	}
	b.site.Canary.Sticky = proxy.StickyCookie
	perform(b, proxy.Share, proxy.Portion{Site: b.site, Slot: "green", Percent: 20})
	forward := func() map[string]string { return b.lb.Actions(elbtest.Rule)[0] }
	if forward()["ForwardConfig.TargetGroupStickinessConfig.DurationSeconds"] != "86400" {
		t.Errorf("%v", forward())
	}
	perform(b, proxy.Share, proxy.Portion{Site: b.site, Slot: "green", Percent: 100})
	if forward()["ForwardConfig.TargetGroupStickinessConfig.Enabled"] != "false" {
		t.Errorf("clients stay at the old slot: %v", forward())
	}
	b.site.Canary.Sticky = proxy.StickyClientIP
	if _, err := proxy.Share.On(t.Context(), b.m, proxy.Portion{Site: b.site, Slot: "green", Percent: 20}); err == nil || !strings.Contains(err.Error(), "sticky") {
		t.Errorf("%v", err)
	}
	if _, err := proxy.Counters.On(t.Context(), b.m, proxy.Tally{Site: b.site}); err == nil {
		t.Error("requests were counted")
	}
}

// TestBalancerFence has a run write that another one has overtaken.
func TestBalancerFence(t *testing.T) {
	b := newBalanced(t)
	perform(b, proxy.Claim, b.site)
	installed := b.put("blue", nil)
	later := b.site
	later.Epoch = protocol.Epoch{Number: 2, Run: "run-2"}
	perform(b, proxy.Claim, later)
	before := b.lb.Tags(elbtest.Rule)
	refused := func(what string, err error) {
		t.Helper()
		if err == nil || !strings.Contains(err.Error(), "is not this run's any more (epoch 1): run run-2 has had it since, in epoch 2; nothing was changed") {
			t.Errorf("%s: %v", what, err)
		}
	}
	_, err := proxy.Select.On(t.Context(), b.m, proxy.Selection{Site: b.site, Slot: "green"})
	refused("select", err)
	_, err = proxy.Put.On(t.Context(), b.m, proxy.Install{Site: b.site, Active: "blue", Expect: installed.Generation})
	refused("install", err)
	_, err = proxy.Restore.On(t.Context(), b.m, proxy.Restoration{Site: b.site, Active: "green", Expect: installed.Generation})
	refused("restore", err)
	if !maps.Equal(before, b.lb.Tags(elbtest.Rule)) || b.lb.Weights(elbtest.Rule)["shop-green"] != 0 {
		t.Errorf("%v became %v", before, b.lb.Tags(elbtest.Rule))
	}
	perform(b, proxy.Select, proxy.Selection{Site: later, Slot: "green"})
}

// TestBalancerRefusesToMove has a slot that the load balancer does not find
// healthy, and a call that AWS refuses.
func TestBalancerRefusesToMove(t *testing.T) {
	b := newBalanced(t)
	perform(b, proxy.Claim, b.site)
	b.put("blue", nil)
	b.lb.Fail("ModifyRule", "AccessDenied", "not authorized", 403, 1)
	_, err := proxy.Select.On(t.Context(), b.m, proxy.Selection{Site: b.site, Slot: "green"})
	var refused *proxy.SelectError
	if !errors.As(err, &refused) || refused.Back != nil || !strings.Contains(err.Error(), "lack elasticloadbalancing:ModifyRule") {
		t.Errorf("%v", err)
	}
	b.site.Pools[1].Addresses = []value.Address{"127.0.0.1:1"}
	ctx, stop := context.WithTimeout(t.Context(), 2*time.Second)
	defer stop()
	_, err = proxy.Select.On(ctx, b.m, proxy.Selection{Site: b.site, Slot: "green"})
	if err == nil || !strings.Contains(err.Error(), "127.0.0.1:1 is not registered; nothing was changed") {
		t.Errorf("%v", err)
	}
	if got := b.answers(10); got["blue"] != 10 {
		t.Errorf("%v", got)
	}
}

// TestBalancerTakesOver has a rule that serves a slot before the first deploy, and
// targets that are no servers of the environment.
func TestBalancerTakesOver(t *testing.T) {
	b := newBalanced(t)
	host, port, _ := strings.Cut(string(b.site.Pools[0].Addresses[0]), ":")
	b.lb.Add(elbtest.Blue, host, port)
	b.lb.Add(elbtest.Blue, "127.0.0.9", "1")
	live := perform(b, proxy.Inspect, b.site)
	if live.Exists || live.Running == nil || live.Running.Slot != "blue" || !strings.Contains(live.Body, "  127.0.0.9:1\n") {
		t.Errorf("%+v", live)
	}
	perform(b, proxy.Claim, b.site)
	b.put("blue", nil)
	for _, group := range []value.ARN{elbtest.Blue, elbtest.Green} {
		if got := b.lb.Targets(group); len(got) != 1 {
			t.Errorf("%v", got)
		}
	}
	b.lb.SetTag(elbtest.Rule, "turnout:environment", "other")
	if _, err := proxy.Inspect.On(t.Context(), b.m, b.site); err == nil || !strings.Contains(err.Error(), `belongs to the environment "other"`) {
		t.Errorf("%v", err)
	}
}

// TestBalancerEditedByHand has somebody else change the groups: the configuration
// is another one then, until a Put.
func TestBalancerEditedByHand(t *testing.T) {
	b := newBalanced(t)
	perform(b, proxy.Claim, b.site)
	first := b.put("blue", map[value.Name]string{"blue": "r1"})
	b.lb.Add(elbtest.Green, "127.0.0.9", "1")
	live := perform(b, proxy.Inspect, b.site)
	if live.Running.ID == live.Header.ID {
		t.Errorf("not noticed: %+v", live)
	}
	second := b.put("blue", map[value.Name]string{"blue": "r1", "green": "r2"})
	if live = perform(b, proxy.Inspect, b.site); live.Running.ID != live.Header.ID || second.Generation != first.Generation+1 {
		t.Errorf("%+v", live)
	}
	perform(b, proxy.Select, proxy.Selection{Site: b.site, Slot: "green"})
	back := proxy.Restoration{Site: b.site, Previous: second.Previous, Active: "blue", Expect: second.Generation}
	if restored := perform(b, proxy.Restore, back); !restored.Restored {
		t.Error("not restored")
	}
	if live = perform(b, proxy.Inspect, b.site); live.Active != "blue" || live.Header.Releases["green"] != "" || live.Running.ID != live.Header.ID {
		t.Errorf("%+v", live.Header)
	}
	_, err := proxy.Put.On(t.Context(), b.m, proxy.Install{Site: b.site, Active: "blue", Expect: 7})
	var stale *proxy.StaleError
	if !errors.As(err, &stale) {
		t.Errorf("%v", err)
	}
}

// TestBalancerInstances has groups of the other type than the spec says.
func TestBalancerInstances(t *testing.T) {
	b := newBalanced(t)
	perform(b, proxy.Claim, b.site)
	verify := func() error {
		rendered, err := proxy.Render(b.site)
		if err != nil {
			return err
		}
		_, err = proxy.Verify.On(t.Context(), b.m, proxy.Install{Site: b.site, Rendered: rendered, Active: "blue"})
		return err
	}
	b.site.Balancer.Instances = map[string]string{"127.0.0.1": "i-0123456789abcdef0"}
	if err := verify(); err == nil || !strings.Contains(err.Error(), "takes addresses, not instances") {
		t.Errorf("%v", err)
	}
	b.lb.Instances(map[string]string{"i-0123456789abcdef0": "127.0.0.1"})
	if err := verify(); err != nil {
		t.Error(err)
	}
	b.put("blue", nil)
	perform(b, proxy.Select, proxy.Selection{Site: b.site, Slot: "green"})
	if got := b.answers(5); got["green"] != 5 {
		t.Errorf("%v", got)
	}
	if live := perform(b, proxy.Inspect, b.site); !slices.Equal(live.Header.Pools[0].Addresses, b.site.Pools[0].Addresses) {
		t.Errorf("%+v", live.Header.Pools)
	}
	b.site.Balancer.Instances = nil
	if err := verify(); err == nil || !strings.Contains(err.Error(), "takes instances") {
		t.Errorf("%v", err)
	}
}

// An agent that has no calls to AWS says what the server needs.
func TestBalancerWithoutAWS(t *testing.T) {
	b := newBalanced(t)
	_, err := proxy.Inspect.On(t.Context(), machine.NewLocal("here"), b.site)
	if err == nil || !strings.Contains(err.Error(), `turnout-agent calls no AWS: where the spec says agent = "…", name a turnout`) {
		t.Errorf("err = %v", err)
	}
}
