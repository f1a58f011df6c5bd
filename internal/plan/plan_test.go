package plan_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/org/deploy-action/internal/plan"
	"github.com/org/deploy-action/internal/spec"
)

var update = flag.Bool("update", false, "rewrite the golden files")

const release = `
environment "shop" {
  root = "/srv/shop"

  slot "blue" {
    port = 8081
  }

  slot "green" {
    port = 8082
  }

  proxy "nginx" {
    listen = 80
    config = "/etc/nginx/conf.d/shop.conf"
  }
}

pipeline "release" {
  max_parallel = 2

  stage "deploy" {
    needs = [stage.test, stage.lint]
    when  = github.ref == "refs/heads/main"

    deploy {
      environment = environment.shop
      release     = "dist"
    }
  }

  stage "build" {
    type = "build"
    run  = "make"

    retry {
      attempts = 2
      backoff  = "5s"
    }
  }

  stage "test" {
    needs = [stage.build]
    run   = "make test"
  }

  stage "lint" {
    run = "make lint"
  }

  artifact "app" {
    path     = "dist"
    required = true
  }

  artifact "reports" {
    path = ["reports/**/*.xml", "!reports/old"]
    keep = 1
    when = failed(stage.test)
  }
}
`

func read(t *testing.T, text string) *spec.Spec {
	t.Helper()
	s, problems := spec.Parse([]byte(text), "deploy.hcl", spec.Options{CPUs: 2, Version: "0.1.0"})
	if problems.Failed() {
		t.Fatalf("%+v", problems)
	}
	return s
}

func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil || !bytes.Equal(got, want) {
		t.Errorf("%s (%v), got:\n%s", name, err, got)
	}
}

// TestCanaryPlan holds what a plan says of a canary, and that the first deploy goes
// without one.
func TestCanaryPlan(t *testing.T) {
	s := read(t, strings.Replace(release, `release     = "dist"`, "release = \"dist\"\ncanary {\nsticky = \"cookie\"\nsynthetic = 5\n}", 1))
	p, problems := plan.New(s, s.Pipelines[0])
	if len(problems) > 0 {
		t.Fatalf("%+v", problems)
	}
	p.Stages, p.Artifacts = nil, nil
	var text, data bytes.Buffer
	if err := errors.Join(p.Write(&text), p.WriteJSON(&data)); err != nil {
		t.Fatal(err)
	}
	golden(t, "canary.txt", text.Bytes())
	golden(t, "canary.json", data.Bytes())
	p.Deploys[0].Preview = &plan.Preview{First: true, To: "blue"}
	text.Reset()
	if err := p.Write(&text); err != nil || !strings.Contains(text.String(), "canary   skipped") {
		t.Errorf("the plan of a first deploy, %v:\n%s", err, text.String())
	}
}

func TestPlan(t *testing.T) {
	s := read(t, release)
	p, problems := plan.New(s, s.Pipelines[0])
	if len(problems) > 0 {
		t.Fatalf("%+v", problems)
	}
	p.Deploys[0].Preview = &plan.Preview{
		From: "blue", FromID: "20261123t184501z-1a2b3c4d", To: "green", Config: "/etc/nginx/conf.d/shop.conf",
		Diff: "--- live\n+++ new\n-a\n+b\n", Reload: true, Cost: "one reload", Drift: []string{"edited by hand"},
	}
	var text, data bytes.Buffer
	if err := p.Write(&text); err != nil {
		t.Fatal(err)
	}
	golden(t, "plan.txt", text.Bytes())
	if err := p.WriteJSON(&data); err != nil {
		t.Fatal(err)
	}
	golden(t, "plan.json", data.Bytes())
	if !json.Valid(data.Bytes()) {
		t.Error("not JSON")
	}
}

// awsELB is a load balancer that can't reach this machine.
const awsELB = `proxy "aws_elb" {
    listener_arn = "arn:aws:elasticloadbalancing:eu-central-1:123456789012:listener/app/shop/50dc6c495c0c9188/f2f7dc8efc522ab2"

    target_groups = {
      blue  = "arn:aws:elasticloadbalancing:eu-central-1:123456789012:targetgroup/shop-blue/73e2d6bc24d8a067"
      green = "arn:aws:elasticloadbalancing:eu-central-1:123456789012:targetgroup/shop-green/73e2d6bc24d8a068"
    }
  }
`

// TestUnsupported holds that what this version can't run is refused, each with
// its place.
func TestUnsupported(t *testing.T) {
	stage := func(body string) string { return "pipeline \"p\" {\nstage \"a\" {\nrun = \"true\"\n" + body + "\n}\n" }
	ssh := "server \"web\" {\nhost = \"10.0.0.1\"\n}\nserver \"twin\" {\nhost = \"10.0.0.1\"\n}\n"
	start := strings.Index(release, `proxy "nginx"`)
	elb := release[:start] + awsELB + "}\n\n" + release[strings.Index(release, "pipeline"):]
	rollback := elb[:strings.Index(elb, "pipeline")] + stage("") + "}"
	for what, text := range map[string]string{
		"rollback":      strings.Replace(rollback, "stage \"a\"", "rollback \"b\" {\nwhen = failed()\ndeploy {\nenvironment = environment.shop\n}\n}\nstage \"a\"", 1),
		"one machine":   ssh + strings.Replace(release, "root = ", "servers = [server.web, server.twin]\nroot = ", 1),
		"loopback":      ssh + strings.Replace(release, `proxy "nginx" {`, "proxy \"nginx\" {\nservers = [server.web]", 1),
		"load balancer": elb,
		"two proxies": strings.Replace(release, `proxy "nginx" {`,
			"proxy \"haproxy\" {\nlisten = 81\nconfig = \"/etc/haproxy/conf.d/shop.cfg\"\n}\nproxy \"nginx\" {", 1),
	} {
		s := read(t, text)
		p, problems := plan.New(s, s.Pipelines[0])
		if p != nil || !problems.Failed() {
			t.Errorf("%s: planned", what)
		}
		for _, problem := range problems {
			if problem.Pos.Line == 0 || problem.Summary == "" || !strings.Contains(problem.Detail, "Nothing was started") {
				t.Errorf("%s: %+v", what, problem)
			}
		}
	}
}

// TestCanaryOfBalancer holds that what a load balancer can't do is named beside what
// this version can't.
func TestCanaryOfBalancer(t *testing.T) {
	start := strings.Index(release, `proxy "nginx"`)
	elb := release[:start] + awsELB + "}\n\n" + release[strings.Index(release, "pipeline"):]
	s := read(t, strings.Replace(elb, `release     = "dist"`, "release = \"dist\"\ncanary {\nsticky = \"client_ip\"\n}", 1))
	_, problems := plan.New(s, s.Pipelines[0])
	var found []string
	for _, p := range problems {
		found = append(found, p.Summary)
	}
	if !slices.Contains(found, "Sticky by address") || !slices.Contains(found, "No figures") || !slices.Contains(found, "Address out of reach") {
		t.Errorf("%v", found)
	}
}

func TestPick(t *testing.T) {
	s := read(t, release+"\npipeline \"other\" {\n  stage \"a\" {\n    run = \"true\"\n  }\n}\n")
	for name, want := range map[string]string{
		"":      "deploy.hcl: has 2 pipeline blocks, name one: release, other",
		"reles": `deploy.hcl: has no pipeline "reles"; it has: release, other`,
	} {
		if _, err := plan.Pick(s, name); err == nil || err.Error() != want {
			t.Errorf("%q: %v", name, err)
		}
	}
	if p, err := plan.Pick(s, "other"); err != nil || p.Name != "other" {
		t.Errorf("other: %v, %v", p, err)
	}
	if env, err := plan.PickEnvironment(s, ""); err != nil || env.Name != "shop" {
		t.Errorf("the only environment: %v, %v", env, err)
	}
}

// fanned has all that is planned in other shapes than it is written: legs, waves
// and strategies.
const fanned = `
server "here" {
  connection = "local"
}

server "there" {
  connection = "local"
}

server "beyond" {
  connection = "local"
}

task "warm" {
  target       = [server.here, server.there, server.beyond]
  run          = "./warm"
  env          = { SHOP = "a" }
  strategy     = "rolling"
  batch        = "34%"
  pause        = "5s"
  max_failures = "50%"

  retry {
    attempts = 1
    backoff  = "1s"
  }
}

environment "shop" {
  root = "/srv/shop"

  slot "blue" {
    port = 8081
  }

  slot "green" {
    port = 8082
  }

  proxy "nginx" {
    listen = 80
    config = "/etc/nginx/conf.d/shop.conf"
  }
}

pipeline "release" {
  max_parallel = 8

  stage "after" {
    needs = [stage.test]
    task  = task.warm
  }

  stage "test" {
    needs  = [stage.build]
    matrix = { suite = ["unit", "e2e"], node = [20, 22] }
    when   = matrix.node == "22" || matrix.suite == "unit"
    run    = "npm run test:${matrix.suite}"
  }

  stage "build" {
    matrix = { os = ["linux", "darwin"] }
    run    = "make ${matrix.os}"
  }

  rollback "shop" {
    when    = failed(stage.test)
    timeout = "1m"

    deploy {
      environment = environment.shop
    }
  }

  rollback "page" {
    when = cancelled()
    run  = "./page"
  }
}
`

func TestPlanOfLegsTasksAndRollbacks(t *testing.T) {
	s := read(t, fanned)
	p, problems := plan.New(s, s.Pipelines[0])
	if len(problems) > 0 {
		t.Fatalf("%+v", problems)
	}
	var text, data bytes.Buffer
	if err := errors.Join(p.Write(&text), p.WriteJSON(&data)); err != nil {
		t.Fatal(err)
	}
	golden(t, "fanned.txt", text.Bytes())
	golden(t, "fanned.json", data.Bytes())
}

func TestWavesAndFailures(t *testing.T) {
	for attributes, want := range map[string]struct {
		waves string
		most  int
	}{
		``:                        {"a,b,c,d,e", 0},
		`strategy = "sequential"`: {"a b c d e", 0},
		`strategy = "rolling"`:    {"a,b c,d e", 0},
		"strategy = \"rolling\"\nbatch = \"10%\"": {"a b c d e", 0},
		"strategy = \"rolling\"\nbatch = \"50%\"": {"a,b,c d,e", 0},
		"strategy = \"rolling\"\nbatch = 9":       {"a,b,c,d,e", 0},
		`max_failures = "30%"`:                    {"a,b,c,d,e", 1},
		`max_failures = "100%"`:                   {"a,b,c,d,e", 5},
		`max_failures = 2`:                        {"a,b,c,d,e", 2},
	} {
		var text strings.Builder
		for _, name := range []string{"a", "b", "c", "d", "e"} {
			fmt.Fprintf(&text, "server %q {\nconnection = \"local\"\ntags = [\"all\"]\n}\n", name)
		}
		text.WriteString("group \"all\" {\ntags = [\"all\"]\n}\ntask \"t\" {\ntarget = group.all\nrun = \"true\"\n" + attributes + "\n}\n")
		text.WriteString("pipeline \"p\" {\nstage \"a\" {\ntask = task.t\n}\n}\n")
		s := read(t, text.String())
		p, problems := plan.New(s, s.Pipelines[0])
		if len(problems) > 0 {
			t.Fatalf("%+v", problems)
		}
		var waves []string
		for _, wave := range p.Stages[0].Task.Waves {
			var names []string
			for _, server := range wave {
				names = append(names, string(server.Name))
			}
			waves = append(waves, strings.Join(names, ","))
		}
		if got := strings.Join(waves, " "); got != want.waves || p.Stages[0].Task.MaxFailures != want.most {
			t.Errorf("%s: %s with %d failures", attributes, got, p.Stages[0].Task.MaxFailures)
		}
	}
}

// TestSupplied finds the deploys whose release is there before their run.
func TestSupplied(t *testing.T) {
	for name, change := range map[string][]string{
		"after commands":  {"", ""},
		"may be skipped":  {`needs = [stage.test, stage.lint]`, `needs = []`},
		"of this run":     {`"dist"`, "artifact.app"},
		"after nothing":   {"needs = [stage.test, stage.lint]\n    when  = github.ref == \"refs/heads/main\"", ""},
		"after a task: 1": {"needs = [stage.test, stage.lint]\n    when  = github.ref == \"refs/heads/main\"", "needs = [stage.migrate]"},
	} {
		text := strings.Replace(release, change[0], change[1], 1)
		text = strings.Replace(text, `stage "lint" {`, "stage \"migrate\" {\n    task = task.migrate\n  }\n\n  stage \"lint\" {", 1)
		s := read(t, text+"\nserver \"here\" {\n  connection = \"local\"\n}\n\ntask \"migrate\" {\n  target = server.here\n  run = \"migrate\"\n}\n")
		p, problems := plan.New(s, s.Pipelines[0])
		if len(problems) > 0 {
			t.Fatalf("%s: %+v", name, problems)
		}
		want := strings.Count(name, ": 1")
		if got := len(p.Supplied()); got != want {
			t.Errorf("%s: %d, want %d", name, got, want)
		}
	}
}

// TestReleaseOfThisRun finds out which deploys ship what their own run makes.
func TestReleaseOfThisRun(t *testing.T) {
	for written, made := range map[string]bool{
		`artifact.app`: true, `"artifact:app"`: true, `"artifact:app@20261123t184501z-k3v9qz"`: false, `"artifact:other"`: false, `"app"`: false,
	} {
		s := read(t, strings.Replace(release, `"dist"`, written, 1))
		whole, problems := plan.New(s, s.Pipelines[0])
		if len(problems) > 0 {
			t.Fatalf("%s: %+v", written, problems)
		}
		part, err := whole.Stage("deploy")
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range []*plan.Plan{whole, part} {
			var text bytes.Buffer
			if err := p.Write(&text); err != nil {
				t.Fatal(err)
			}
			said := strings.Contains(text.String(), "deploy   artifact app of this run to environment shop")
			if got := p.Deploys[0].Made != nil; got != made || said != made {
				t.Errorf("%s: of this run: %t, said so: %t; want %t", written, got, said, made)
			}
		}
	}
}
