package spec_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/org/deploy-action/internal/spec"
	"github.com/org/deploy-action/internal/value"
)

// sound reads a spec of the corpus that has no mistakes.
func sound(t *testing.T, name string) *spec.Spec {
	t.Helper()
	s, problems := parse(t, filepath.Join(corpus, "ok", name))
	if problems.Failed() {
		t.Fatalf("%s: %v", name, problems)
	}
	return s
}

func TestEverything(t *testing.T) {
	s := sound(t, "everything.hcl")
	shop, release := s.Environments[0], s.Pipelines[0]
	if got := serverNames(shop.Servers); !slices.Equal(got, []string{"web01", "web02"}) {
		t.Errorf("servers of shop: %q", got)
	}
	if got := shop.Slots[1].Start; got != "sudo systemctl restart shop@green" {
		t.Errorf("start of green: %q", got)
	}
	if got := shop.Slots[0].HealthRun; got != "./bin/selfcheck" {
		t.Errorf("health.run: %q", got)
	}
	if shop.Health.TCP || shop.Health.HTTP.Host != "shop.example.com" || shop.Health.HTTP.MaxLatency != 500*time.Millisecond {
		t.Errorf("health: %+v %+v", shop.Health, shop.Health.HTTP)
	}
	proxy := shop.Proxies[0]
	want := spec.Proxy{
		Kind: spec.NGINX, Servers: proxy.Servers, Listen: value.Listen{Port: 80}, Hostname: "shop.example.com",
		Config: "/etc/nginx/conf.d/shop.conf", Main: "/etc/nginx/nginx.conf", ErrorLog: "/var/log/nginx/error.log", Pos: proxy.Pos,
	}
	if diff := cmp.Diff(want, *proxy); diff != "" {
		t.Errorf("proxy (-want +got):\n%s", diff)
	}
	if got := release.Stages[2].Matrix; !slices.Equal(got["suite"], []string{"unit", "integration"}) {
		t.Errorf("matrix: %v", got)
	}
	deploy := release.Stages[4]
	if deploy.When.Fixed == nil || !*deploy.When.Fixed || deploy.Timeout != 30*time.Minute || deploy.Deploy.Environment != shop {
		t.Errorf("deploy: %+v", deploy)
	}
	if steps := deploy.Deploy.Canary.Steps; len(steps) != 2 || steps[1].Weight != 50 || steps[1].Hold != 5*time.Minute {
		t.Errorf("steps: %+v", steps)
	}
	if got := release.Stages[5].Task; got != s.Tasks[0] {
		t.Errorf("task: %+v", got)
	}
	if got := s.Previews[0].Deferred; !slices.Equal(got, []string{"root", "hostname", "start", "stop"}) {
		t.Errorf("deferred of the preview: %q", got)
	}
	if s.Servers[1].SSH.User != "deploy" || s.Servers[3].SSH.User != "postgres" || s.Servers[1].Address != "10.0.1.11" {
		t.Errorf("servers: %+v", s.Servers)
	}
	for _, secret := range []string{"hunter2-pager", "-----BEGIN KEY-----\nc2VjcmV0\n-----END KEY-----\n"} {
		if !slices.Contains(s.Secrets, secret) {
			t.Errorf("%q is not among the secrets", secret)
		}
	}
}

func serverNames(servers []*spec.Server) []string {
	var names []string
	for _, server := range servers {
		names = append(names, string(server.Name))
	}
	return names
}

func TestDefaults(t *testing.T) {
	e := sound(t, "minimal.hcl").Environments[0]
	local := &spec.Server{Name: "local", Connection: spec.Local, Address: "127.0.0.1"}
	want := spec.Environment{
		Name: "shop", Servers: []*spec.Server{local}, Root: "/srv/shop", StateDir: "/var/lib/turnout/shop",
		KeepReleases: 3, Slots: e.Slots, Proxies: e.Proxies, Pos: e.Pos,
		Health: spec.Health{TCP: true, Interval: time.Second, Timeout: 2 * time.Second, HealthyAfter: 3, Deadline: time.Minute, Pos: e.Pos},
		Drain:  30 * time.Second, Watch: 30 * time.Second, Probe: 20, KeepPrevious: spec.Warm,
		LockTimeout: 15 * time.Minute, StartTimeout: time.Minute,
	}
	if diff := cmp.Diff(want, *e); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	canary := sound(t, "canary.hcl").Pipelines[0].Stages[0].Deploy.Canary
	if diff := cmp.Diff(spec.DefaultCanary(spec.Pos{}), canary, cmpopts.IgnoreTypes(spec.Pos{})); diff != "" {
		t.Errorf("an empty canary block (-default +read):\n%s", diff)
	}
	var weights []int
	for _, step := range canary.Steps {
		weights = append(weights, step.Weight)
	}
	if !slices.Equal(weights, []int{10, 30, 50, 70, 90}) || canary.Analysis.Failures != 2 || canary.Sticky != "none" {
		t.Errorf("canary: %+v", canary)
	}
}

func TestQueries(t *testing.T) {
	s := sound(t, "attributes.hcl")
	for _, stage := range s.Pipelines[0].Stages {
		if stage.Name != "measured" {
			continue
		}
		of := stage.Deploy.Canary.Analysis.Prometheus
		one, err := of.Metrics[0].For("blue", "20260101t000000z-aaaaaaaa")
		if one != `100 * errors:rate1m{slot="blue", release="20260101t000000z-aaaaaaaa"}` || err != nil {
			t.Errorf("%s, %v", one, err)
		}
		two, err := of.Metrics[1].For("green", "")
		if two != `sum(increase(requests_total{slot="green"}[30000ms]))` || err != nil || *of.Metrics[1].Enough != 50 {
			t.Errorf("%s, %v, %+v", two, err, of.Metrics[1].Limits)
		}
		if of.Token == "" || !slices.Contains(s.Secrets, of.Token) {
			t.Errorf("the token is no secret: %q", s.Secrets)
		}
		return
	}
	t.Error("no such stage")
}

func TestSockets(t *testing.T) {
	e := sound(t, "sockets.hcl").Environments[0]
	want := "systemctl start shop@green --property=Sock=/run/shop/green.sock --chdir=/srv/shop/green"
	if got := e.Slots[1].Start; got != want {
		t.Errorf("start: %q, want %q", got, want)
	}
	if e.Probe != 0 || e.Watch != 0 || e.KeepPrevious != spec.StopDrained || e.Proxies[0].Listen.Host != "127.0.0.1" {
		t.Errorf("environment: %+v", e)
	}
}

func TestFactsFillTexts(t *testing.T) {
	stages := sound(t, "variables.hcl").Pipelines[0].Stages
	facts := spec.Facts{Outputs: map[string]map[string]string{"build": {"tag": "v7"}}}
	got, err := stages[1].Run.Value(facts)
	if got != "docker push app:v7" || err != nil {
		t.Errorf("run: %q, %v", got, err)
	}
	if holds, err := stages[1].When.Holds(facts); !holds || err != nil {
		t.Errorf("when: %v, %v", holds, err)
	}
	_, err = stages[1].Run.Value(spec.Facts{})
	if want := `variables.hcl:61,32: the stage build put out no "tag"`; err == nil || !strings.HasPrefix(err.Error(), want) {
		t.Errorf("run without outputs: %v, want %s", err, want)
	}
	if got, err := stages[0].Env["TITLE"].Value(spec.Facts{}); got != "; rm -rf /" || err != nil {
		t.Errorf("env: %q, %v", got, err)
	}
	if !slices.Equal(stages[1].Run.Needs, []string{"build"}) {
		t.Errorf("needs: %q", stages[1].Run.Needs)
	}
}

func TestFactsFillMatrix(t *testing.T) {
	legs := sound(t, "functions.hcl").Pipelines[0].Stages[1]
	got, err := legs.Run.Value(spec.Facts{Matrix: map[string]string{"os": "t1", "n": "2"}})
	if got != "test t1 2" || err != nil {
		t.Errorf("run: %q, %v", got, err)
	}
}

func TestFunctions(t *testing.T) {
	got, err := sound(t, "functions.hcl").Pipelines[0].Stages[0].Run.Value(spec.Facts{})
	if want := `echo A-B fallback yes spec {"a":1,"b":2} true empty`; got != want || err != nil {
		t.Errorf("%q, want %q; %v", got, want, err)
	}
}

func TestRollbackConditions(t *testing.T) {
	src := `pipeline "p" {
  stage "a" {
    run = "x"
  }
  stage "b" {
    run = "x"
  }
  rollback "any" {
    when = failed()
    run  = "x"
  }
  rollback "a" {
    when = failed(stage.a)
    run  = "x"
  }
  rollback "gone" {
    when = cancelled() && !failed(stage.a, stage.b)
    run  = "x"
  }
}`
	s, problems := spec.Parse([]byte(src), "x.hcl", spec.Options{})
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	for _, test := range []struct {
		facts spec.Facts
		want  []bool
	}{
		{spec.Facts{}, []bool{false, false, false}},
		{spec.Facts{Failed: map[string]bool{"a": true}}, []bool{true, true, false}},
		{spec.Facts{Failed: map[string]bool{"a": false, "b": true}}, []bool{true, false, false}},
		{spec.Facts{Cancelled: true}, []bool{false, false, true}},
		{spec.Facts{Cancelled: true, Failed: map[string]bool{"b": true}}, []bool{true, false, false}},
	} {
		for i, rollback := range s.Pipelines[0].Rollbacks {
			if got, err := rollback.When.Holds(test.facts); got != test.want[i] || err != nil {
				t.Errorf("%+v: %s: %v, want %v; %v", test.facts, rollback.Name, got, test.want[i], err)
			}
		}
	}
}

func TestArtifacts(t *testing.T) {
	all := sound(t, "artifacts.hcl").Pipelines[0].Artifacts
	app, maps, reports, shots := all[0], all[1], all[2], all[3]
	if app.When != nil || app.Keep != 5 || app.Required || !slices.Equal(app.Patterns, []string{"dist"}) {
		t.Errorf("defaults: %+v", app)
	}
	if maps.Keep != 1 || !maps.Required || maps.Patterns[2] != `docs/\[draft\].md` || maps.Patterns[4] != "!**/.cache" {
		t.Errorf("maps: %+v", maps)
	}
	if want := []string{"reports/**/*.xml", "coverage/{lcov,clover}.*"}; !slices.Equal(reports.Patterns, want) {
		t.Errorf("reports: %q", reports.Patterns)
	}
	built := map[string]map[string]string{"build": {"kind": "full"}}
	for _, test := range []struct {
		facts spec.Facts
		want  [3]bool // maps, reports, shots
	}{
		{spec.Facts{Outputs: built}, [3]bool{true, true, false}},
		{spec.Facts{Outputs: built, Failed: map[string]bool{"test": true}}, [3]bool{true, true, true}},
		{spec.Facts{Outputs: built, Failed: map[string]bool{"test": true}, Cancelled: true}, [3]bool{true, true, false}},
	} {
		for i, a := range []*spec.Artifact{maps, reports, shots} {
			if got, err := a.When.Holds(test.facts); got != test.want[i] || err != nil {
				t.Errorf("%+v: %s: %v, %v", test.facts, a.Name, got, err)
			}
		}
	}
	if _, err := maps.When.Holds(spec.Facts{}); err == nil || !strings.Contains(err.Error(), `the stage build put out no "kind"`) {
		t.Errorf("without the output: %v", err)
	}
}

func TestJumpHosts(t *testing.T) {
	s := sound(t, "jumps.hcl")
	if s.Servers[0].SSH.Via != nil || s.Servers[1].SSH.Via != s.Servers[0] {
		t.Errorf("via: %v, %v", s.Servers[0].SSH.Via, s.Servers[1].SSH.Via)
	}
	if got := s.Tasks[0].Retry; got != (spec.Retry{Attempts: 2, Backoff: time.Second, BackoffMax: 10 * time.Second}) {
		t.Errorf("retry: %+v", got)
	}
}

func TestUnreadableFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "none.hcl")
	s, problems := spec.Load(path, spec.Options{})
	if s != nil || len(problems) != 1 || problems[0].Pos.Line != 1 || !strings.Contains(problems[0].Detail, "no such file") {
		t.Errorf("%v, %v", s, problems)
	}
	if _, problems := spec.VarFile(path); !problems.Failed() {
		t.Error("a missing file of variables is no problem")
	}
}

func TestFormat(t *testing.T) {
	got, problems := spec.Format([]byte("server \"a\" {\nhost=\"a\"\n  address   = \"b\"\n}\n"), "x.hcl")
	want := "server \"a\" {\n  host    = \"a\"\n  address = \"b\"\n}\n"
	if string(got) != want || len(problems) > 0 {
		t.Errorf("%q, %v", got, problems)
	}
	if got, problems := spec.Format([]byte("server \"a {\n"), "x.hcl"); got != nil || !problems.Failed() {
		t.Errorf("%q, %v", got, problems)
	}
}

func writeFile(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}
