package inventory_test

import (
	"flag"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.yaml.in/yaml/v3"

	"github.com/org/deploy-action/internal/inventory"
	"github.com/org/deploy-action/internal/spec"
)

var update = flag.Bool("update", false, "write the golden file")

func read(t *testing.T, text string) *spec.Spec {
	t.Helper()
	s, problems := spec.Parse([]byte(text), "deploy.hcl", spec.Options{Dir: t.TempDir(), Version: "0.1.0", CPUs: 2})
	if problems.Failed() {
		t.Fatalf("%+v", problems)
	}
	return s
}

func TestInventory(t *testing.T) {
	text, err := os.ReadFile("testdata/fleet.hcl")
	if err != nil {
		t.Fatal(err)
	}
	got, err := inventory.Write(read(t, string(text)))
	if err != nil {
		t.Fatal(err)
	}
	const golden = "testdata/fleet.yml"
	if *update {
		if err := os.WriteFile(golden, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("%s (-) and what is written (+):\n%s", golden, diff)
	}
	var back struct {
		All struct{ Hosts map[string]map[string]any }
	}
	if err := yaml.Unmarshal(got, &back); err != nil {
		t.Fatal(err)
	}
	const key = "~/.ssh/{{ lookup }}: #key\n"
	if read := back.All.Hosts["no"]["ansible_ssh_private_key_file"]; read != key {
		t.Errorf("the key file %q is read back as %q", key, read)
	}
}

func TestRefused(t *testing.T) {
	const one = "server \"a\" {\n  host = \"a\"\n  tags = [\"x\"]\n}\n"
	for name, c := range map[string]struct{ text, why string }{
		"two names that become one": {one + "group \"a-b\" {\n  tags = [\"x\"]\n}\ngroup \"a_b\" {\n  tags = [\"x\"]\n}\n", `the group "a-b" and the group "a_b" would both be Ansible's group "a_b"`},
		"a group and a tag":         {one + "group \"tag_x\" {\n  tags = [\"x\"]\n}\n", `the group "tag_x" and the tag "x"`},
		"a group of Ansible's":      {one + "group \"all\" {\n  tags = [\"x\"]\n}\n", `Ansible makes a group "all" itself`},
		"a secret": {"variable \"who\" {\n  default   = \"s3cr3t\"\n  sensitive = true\n}\nserver \"a\" {\n  host = \"a\"\n  user = var.who\n}\n",
			"would show the value of a secret"},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := inventory.Write(read(t, c.text))
			if err == nil || !strings.Contains(err.Error(), c.why) || got != nil {
				t.Errorf("%v, want %q", err, c.why)
			}
		})
	}
}
