package spec_test

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/org/deploy-action/internal/spec"
)

var update = flag.Bool("update", false, "write the golden files anew")

const corpus = "../../testdata/spec"

// world is what every spec of the corpus is read with.
func world() spec.Options {
	env := map[string]string{"PROMETHEUS_TOKEN": "hunter2-prometheus", "SSH_PRIVATE_KEY": "-----BEGIN KEY-----\nc2VjcmV0\n-----END KEY-----\n", "SSH_KNOWN_HOSTS": "web01 ssh-ed25519 AAAA"}
	return spec.Options{
		Vars:    []spec.Assignment{{Name: "pager_token", Value: "hunter2-pager", Origin: "TURNOUT_VAR_pager_token"}},
		Getenv:  func(name string) string { return env[name] },
		Dir:     corpus,
		GitHub:  map[string]string{"sha": "0123abc", "ref": "refs/heads/main", "title": "; rm -rf /", "actor": "mallory", "head_ref": "$(id)"},
		Version: "0.1.0",
		CPUs:    2,
	}
}

func files(t testing.TB, pattern string) []string {
	t.Helper()
	all, err := filepath.Glob(filepath.Join(corpus, pattern))
	if err != nil || len(all) == 0 {
		t.Fatalf("%s: %d files, %v", pattern, len(all), err)
	}
	return all
}

// parse reads a file of the corpus under its base name.
func parse(t *testing.T, path string) (*spec.Spec, spec.Problems) {
	t.Helper()
	src, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return spec.Parse(src, filepath.Base(path), world())
}

func TestSoundSpecs(t *testing.T) {
	for _, path := range files(t, "ok/*.hcl") {
		t.Run(filepath.Base(path), func(t *testing.T) {
			_, problems := parse(t, path)
			var out bytes.Buffer
			if err := problems.Write(&out, false); err != nil {
				t.Fatal(err)
			}
			for _, p := range problems {
				if p.Summary != "Unknown variable" { // the world's pager_token
					t.Fatalf("problems in a sound spec:\n%s", &out)
				}
			}
		})
	}
}

func TestBadSpecs(t *testing.T) {
	all := files(t, "err/*.hcl")
	if len(all) < 60 {
		t.Errorf("%d bad specs, want at least 60", len(all))
	}
	for _, path := range all {
		t.Run(filepath.Base(path), func(t *testing.T) {
			src, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			o := world()
			o.Vars = nil
			_, problems := spec.Parse(src, filepath.Base(path), o)
			if !problems.Failed() {
				t.Fatal("no error in a bad spec")
			}
			checkWording(t, problems)
			var out bytes.Buffer
			if err := problems.Write(&out, false); err != nil {
				t.Fatal(err)
			}
			golden(t, strings.TrimSuffix(path, ".hcl")+".out", out.Bytes())
		})
	}
}

// checkWording holds problems against the rules of their form.
func checkWording(t *testing.T, problems spec.Problems) {
	t.Helper()
	for i, p := range problems {
		switch {
		case p.Summary == "" || regexp.MustCompile(`["%\d]`).MatchString(p.Summary):
			t.Errorf("summary %q is empty or not constant", p.Summary)
		case !regexp.MustCompile(`(?s)^(["A-Z0-9$(\[/]|[a-z]+[._(]).*[.?!]$`).MatchString(p.Detail):
			t.Errorf("detail %q is not a sentence", p.Detail)
		case p.Pos.Line < 1 || p.Pos.Column < 1 || p.Pos.File == "":
			t.Errorf("%s: place %v", p.Summary, p.Pos)
		case i > 0 && problems[i-1].Pos.Line > p.Pos.Line:
			t.Errorf("line %d comes after line %d", p.Pos.Line, problems[i-1].Pos.Line)
		}
		if strings.Contains(p.Detail+p.Snippet, "hunter2") || strings.Contains(p.Detail+p.Snippet, "BEGIN KEY") {
			t.Errorf("a secret shows: %+v", p)
		}
	}
}

func golden(t *testing.T, path string, got []byte) {
	t.Helper()
	if *update {
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("%s (-want +got):\n%s", path, diff)
	}
}
