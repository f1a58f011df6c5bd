package rollout

import (
	"strings"
	"testing"
	"time"

	"github.com/org/deploy-action/internal/event"
	"github.com/org/deploy-action/internal/proxy"
)

// fault is something that goes wrong on one host in the middle of a deploy.
type fault struct {
	step    string // at whose start it happens; empty: before the deploy
	happens func(*farm)
	mended  func(*farm) // before what serves is looked at
	release testRelease
	says    []string // in the reason
	outcome event.Outcome
	putBack bool
}

// TestFaultsOnOneOfTwo has something go wrong on one proxy or one server. All
// proxies serve the old release afterwards, no request has failed, and the next
// deploy succeeds.
func TestFaultsOnOneOfTwo(t *testing.T) {
	t.Parallel()
	f := newFarm(t, "web1", "web2")
	f.deploy(testRelease{Version: "v1"})
	second := f.deploy(testRelease{Version: "v2"})
	f.serves("v2")
	wantBoth(t, second)
	end := f.load(fresh, keepAlive)

	on := func(host, script string) func(*farm) { return func(f *farm) { f.hosts.Host(host).Exec(f.t, script) } }
	for _, test := range []struct {
		name string
		fault
	}{
		{"nginx is not proven in prepare", fault{
			happens: func(f *farm) { f.env.Proxies[0].Hostname, f.env.Proxies[0].Reload = "shop", "false" },
			mended:  func(f *farm) { f.env.Proxies[0].Hostname, f.env.Proxies[0].Reload = "", "" },
			says:    []string{"prepare: proxy1: "}, outcome: event.Failed,
		}},
		{"HAProxy refuses its configuration in prepare", fault{
			happens: func(f *farm) { f.env.Proxies[1].Hostname, f.env.Proxies[1].Check = "shop", "echo no; exit 1" },
			mended:  func(f *farm) { f.env.Proxies[1].Hostname, f.env.Proxies[1].Check = "", "" },
			says:    []string{"prepare: proxy2: "}, outcome: event.Failed,
		}},
		{"HAProxy can't reach a server", fault{
			step:    "prepare",
			happens: on("proxy2", "ip route add blackhole "+f.hosts.Host("web2").Address),
			mended:  on("proxy2", "ip route del blackhole "+f.hosts.Host("web2").Address),
			says:    []string{"prepare: proxy2: slot blue: ", f.hosts.Host("web2").Address + ":8081"}, outcome: event.Failed,
		}},
		{"HAProxy can't be told in commit", fault{
			step: "commit", happens: on("proxy2", "mv /run/haproxy/admin.sock /run/haproxy/away"), mended: on("proxy2", "mv /run/haproxy/away /run/haproxy/admin.sock"),
			says: []string{"commit: proxy2: "}, outcome: event.Failed, putBack: true,
		}},
		{"nginx's flag can't be written in commit", fault{
			step:    "commit",
			happens: on("proxy1", "cd /var/lib/turnout/shop/live && mount --bind . . && mount -o remount,bind,ro ."),
			mended:  on("proxy1", "umount /var/lib/turnout/shop/live"),
			says:    []string{"commit: proxy1: ", "read-only"}, outcome: event.Failed, putBack: true,
		}},
		{"one server is not healthy", fault{
			happens: func(f *farm) { f.env.Health.Deadline = 10 * time.Second },
			mended:  func(f *farm) { f.env.Health.Deadline = time.Minute },
			release: testRelease{Version: "v3", Sick: "web2"}, says: []string{"health: web2: blue is not healthy"}, outcome: event.Failed,
		}},
		{"the agent on a proxy dies in watch", fault{
			step: "watch", happens: func(f *farm) { f.killAgent("proxy2") }, says: []string{"watch: proxy2: "}, outcome: event.Failed, putBack: true,
		}},
		{"the agent on a server dies in health", fault{
			step: "health", happens: func(f *farm) { f.killAgent("web2") }, says: []string{"health: web2: "}, outcome: event.Failed,
		}},
		{"HAProxy is moved by hand in watch", fault{
			step: "watch", happens: (*farm).moveByHand,
			says: []string{"watch: proxy2: the proxy no longer serves blue"}, outcome: event.Failed, putBack: true,
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			f.t = t
			f.suffers(test.fault)
		})
	}
	f.t = t
	f.proxyGoesAway()
	third := f.deploy(testRelease{Version: "v3"})
	wantBoth(t, third)
	f.serves("v3")
	f.must(f.run(f.request("")))
	f.serves("v2")
	end()
	f.masterDies()
	f.must(f.run(f.request("")))
	f.suffers(fault{
		release: testRelease{Version: "v4", Moody: true}, says: []string{"watch: proxy1 through nginx", "proxy2 through haproxy"}, outcome: event.Failed, putBack: true,
	})
}

// proxyGoesAway has a proxy's host vanish after its traffic has moved. The other
// one goes back, the reason says what the lost one serves, and the new slot goes
// on for it until the next run settles both.
func (f *farm) proxyGoesAway() {
	f.t.Helper()
	f.hook = func(e event.Event) {
		if e.Kind == event.StepStarted && e.Step.Name == "watch" {
			f.away["proxy2"] = true
			f.killAgent("proxy2")
		}
	}
	result := f.run(f.request(writeRelease(f.t, testRelease{Version: "v2"})))
	f.hook = nil
	if result.Outcome != event.Stranded || !strings.Contains(result.Reason, "now proxy1 serves green, proxy2 serves blue; blue goes on running for whatever still sends to it; once that is mended: turnout recover shop") {
		f.t.Errorf("%s: %s", result.Outcome, result.Reason)
	}
	status, err := Inspect(f.t.Context(), f.request(""))
	if err != nil || len(status.Unreached) != 1 || !strings.Contains(status.Unreached[0], "proxy2: unreachable") || status.Serving != "green" || status.Unsettled == "" {
		f.t.Errorf("status without proxy2: %+v, %v", status, err)
	}
	if result := f.run(f.request("")); result.Outcome != event.Failed || !strings.Contains(result.Reason, "proxy2: unreachable") {
		f.t.Errorf("a rollback without proxy2: %s: %s", result.Outcome, result.Reason)
	}
	f.away["proxy2"] = false
	if did, err := Recover(f.t.Context(), f.request("")); err != nil || !strings.Contains(did, "traffic is back on green") {
		f.t.Errorf("recover: %q, %v", did, err)
	}
	f.sound()
}

// masterDies has nginx's master killed between the rename of its configuration and the
// reload: its workers go on with the former one.
func (f *farm) masterDies() {
	f.t.Helper()
	end := f.load(fresh, keepAlive)
	nginx := f.env.Proxies[0]
	f.suffers(fault{
		happens: func(*farm) {
			nginx.Hostname, nginx.Reload = "shop", "pid=$(cat /run/nginx.pid); kill -KILL $pid; while kill -0 $pid 2>/dev/null; do sleep 0.01; done; nginx -s reload -c /etc/nginx/nginx.conf"
		},
		mended: func(*farm) { nginx.Hostname, nginx.Reload = "", "" },
		says:   []string{"prepare: proxy1: ", "No such process", "the former configuration is back and serves"}, outcome: event.Failed,
	})
	end()
	f.hosts.Host("proxy1").Exec(f.t, "pkill -KILL nginx; while pgrep nginx >/dev/null; do sleep 0.01; done; nginx")
	nginx.Hostname = "shop"
	f.deploy(testRelease{Version: "v2"})
}

// suffers deploys while something goes wrong.
func (f *farm) suffers(test fault) {
	f.t.Helper()
	if test.step == "" && test.happens != nil {
		test.happens(f)
	}
	f.hook = func(e event.Event) {
		if e.Kind == event.StepStarted && e.Step.Name == test.step {
			test.happens(f)
		}
	}
	if test.release.Version == "" {
		test.release.Version = "bad"
	}
	result := f.run(f.request(writeRelease(f.t, test.release)))
	f.hook = nil
	if test.mended != nil {
		test.mended(f)
	}
	for _, text := range test.says {
		if !strings.Contains(result.Reason, text) {
			f.t.Errorf("the reason does not say %q: %s", text, result.Reason)
		}
	}
	if result.Outcome != test.outcome || result.PutBack != test.putBack || result.Serving.Slot != "green" {
		f.t.Errorf("%s, put back %v, serving %v: %s", result.Outcome, result.PutBack, result.Serving, result.Reason)
	}
	f.serves("v2")
	if status := f.sound(); status.Serving != "green" {
		f.t.Errorf("status: %+v", status)
	}
}

// wantBoth wants an account in which both proxies moved at nearly the same time.
func wantBoth(t *testing.T, s event.Switch) {
	t.Helper()
	if len(s.Servers) != 2 || len(s.Proxies) != 2 || s.Traffic == nil || s.Traffic.Failed > 0 {
		t.Errorf("account: %+v", s)
		return
	}
	sum := 0
	for _, p := range s.Proxies {
		if p.Serving != s.Serving.Slot || p.Doubt != "" || p.After == nil || *p.After > s.Gap || p.Traffic == nil {
			t.Errorf("account of %s: %+v, gap %s", p.Server, p, s.Gap)
			return
		}
		sum += p.Traffic.Requests
	}
	if s.Gap <= 0 || sum != s.Traffic.Requests {
		t.Errorf("gap %s, %d of %d requests", s.Gap, sum, s.Traffic.Requests)
	}
	t.Logf("gap %s", s.Gap)
}

// moveByHand has HAProxy serve the slot that it has just moved away from.
func (f *farm) moveByHand() {
	f.t.Helper()
	request := f.request("")
	r := &rollout{Request: request, account: newAccount(request)}
	var err error
	if r.fleet, err = open(f.t.Context(), request); err == nil {
		_, err = proxy.Select.On(f.t.Context(), r.fleet.edges[1].machine, proxy.Selection{Site: r.fleet.edges[1].site, Slot: "green"})
	}
	if err != nil {
		f.t.Fatal(err)
	}
}
