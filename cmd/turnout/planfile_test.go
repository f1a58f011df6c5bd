package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/org/deploy-action/internal/proxy"
)

const plannedPipeline = `
variable "release" {
}

variable "token" {
  sensitive = true
}

pipeline "release" {
  stage "greet" {
    run = "echo hello"
    env = { TOKEN = var.token }
  }

  stage "deploy" {
    needs = [stage.greet]

    deploy {
      environment = environment.shop
      release     = var.release
    }
  }
}
`

// TestPlanFile makes plans, and runs them while they hold and after something has
// moved.
func TestPlanFile(t *testing.T) {
	t.Parallel()
	s := newSite(t, proxy.NGINX)
	spec := s.read("deploy.hcl") + plannedPipeline
	s.write("deploy.hcl", spec)
	s.env = []string{"TURNOUT_VAR_token=hunter2hunter2"}
	refused := func(want string, args ...string) {
		t.Helper()
		if said := s.run(2, append([]string{"run"}, args...)...); !strings.Contains(said, want) || !strings.Contains(said, "nothing was started") {
			t.Errorf("turnout run %s: want %q, got\n%s", strings.Join(args, " "), want, said)
		}
	}

	s.run(0, "plan", "-out", "first.json", "-var", "release="+s.release("v1"))
	if text := s.read("first.json"); strings.Contains(text, "hunter2") {
		t.Errorf("a secret is in the plan:\n%s", text)
	}
	if info, err := os.Stat(filepath.Join(s.dir, "first.json")); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the plan's file: %v, %v; want mode 0600", info.Mode(), err)
	}
	s.run(0, "run", "first.json")
	s.serves("v1")
	refused("local: serves: was nothing, is blue", "first.json")

	s.run(0, "plan", "-out", "second.json", "-var", "release="+s.release("v2"))
	refused(`+      "release": "v1"`, "second.json", "-var", "release=v1")
	s.write("deploy.hcl", strings.Replace(spec, "echo hello", "echo good morning", 1))
	refused(`+      "run": "echo good morning"`, "second.json")
	s.write("deploy.hcl", strings.Replace(spec, `watch = "1s"`, `watch = "2s"`, 1))
	refused("deploy.hcl, a template or a variable has changed", "second.json")
	s.write("deploy.hcl", spec)
	refused("-stage, -finish, -needs and -hand-over go with a pipeline", "-stage", "greet", "second.json")
	refused("-stage, -finish, -needs and -hand-over go with a pipeline", "-needs", ".", "second.json")
	if said := s.run(2, "plan", "-out", "release.plan", "-var", "release=v2"); !strings.Contains(said, "must end in .json") {
		t.Errorf("a plan that run would take for a pipeline:\n%s", said)
	}
	if said := s.run(0, "run", "-dry-run", "second.json"); !strings.Contains(said, "blue (2") {
		t.Errorf("a dry run of a plan says\n%s", said)
	}
	s.run(0, "run", "second.json")
	s.serves("v2")

	s.run(0, "plan", "-out", "third.json", "-var", "release=v1")
	config := s.read("conf.d/shop.conf")
	s.write("conf.d/shop.conf", config+"# by hand\n")
	refused("edited by hand since", "third.json")
	s.run(0, "plan", "-out", "edited.json", "-var", "release=v1")
	s.write("conf.d/shop.conf", config+"# by hand, twice\n")
	refused("edited by hand since", "edited.json")
	s.write("conf.d/shop.conf", config)
	s.run(0, "run", "third.json")
	s.serves("v1")

	s.write("torn.json", s.read("third.json")[:200])
	refused("is no plan, or damaged", "torn.json")
	s.write("other.json", `{"a": 1}`)
	refused("is no plan that turnout plan -out has written", "other.json")
	s.write("old.json", strings.Replace(s.read("third.json"), `"turnout": "`, `"turnout": "9`, 1))
	refused("was made by turnout 9", "old.json")
	refused("no such file", "missing.json")
}

func (s *site) read(name string) string {
	s.t.Helper()
	text, err := os.ReadFile(filepath.Join(s.dir, name))
	if err != nil {
		s.t.Fatal(err)
	}
	return string(text)
}
