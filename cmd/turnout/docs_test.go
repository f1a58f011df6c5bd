package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/org/deploy-action/internal/cli"
	"github.com/org/deploy-action/internal/plan"
	"github.com/org/deploy-action/internal/spec"
)

// documents are all that people read.
func documents(t *testing.T) map[string]string {
	t.Helper()
	paths, err := filepath.Glob("../../docs/*.md")
	if err != nil || len(paths) == 0 {
		t.Fatalf("docs: %v, %v", paths, err)
	}
	texts := make(map[string]string)
	for _, path := range append(paths, "../../README.md", "../../CHANGELOG.md") {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		texts[path] = string(text)
	}
	return texts
}

var hclFence = regexp.MustCompile("(?ms)^```hcl\n(.*?)^```$")

// TestDocumentedSpecsAreValid reads every spec that the documents show.
func TestDocumentedSpecsAreValid(t *testing.T) {
	found := 0
	for path, text := range documents(t) {
		for i, match := range hclFence.FindAllStringSubmatch(text, -1) {
			found++
			name := fmt.Sprintf("%s, spec %d", filepath.Base(path), i+1)
			_, problems := spec.Parse([]byte(match[1]), name, spec.Options{Dir: t.TempDir(), Version: "0.1.0", CPUs: 2})
			if len(problems) > 0 {
				var told bytes.Buffer
				_ = problems.Write(&told, false)
				t.Errorf("%s:\n%s", name, told.String())
			}
			formatted, _ := spec.Format([]byte(match[1]), name)
			if string(formatted) != match[1] {
				t.Errorf("%s is not in the canonical layout:\n%s", name, formatted)
			}
		}
	}
	if found < 7 {
		t.Errorf("only %d specs found", found)
	}
}

// TestExampleIsValid reads the example of a fleet; TestFleetThroughAJumpHost
// deploys it.
func TestExampleIsValid(t *testing.T) {
	const name = "../../examples/fleet/deploy.hcl"
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	s, problems := spec.Parse(text, name, spec.Options{Dir: t.TempDir(), Version: "0.1.0", CPUs: 2, Getenv: func(string) string { return "x" }})
	if len(problems) > 0 {
		t.Fatalf("%+v", problems)
	}
	if _, problems := plan.New(s, s.Pipelines[0]); len(problems) > 0 {
		t.Errorf("%+v", problems)
	}
	if formatted, _ := spec.Format(text, name); !bytes.Equal(formatted, text) {
		t.Errorf("not in the canonical layout:\n%s", formatted)
	}
}

// shownCommand is a command in code: between backticks, indented, or a run: step.
var shownCommand = regexp.MustCompile("(?m)(?:`|^ {4}|run: (?:exec )?)turnout ([a-z]+)")

// TestDocumentedCommandsExist asks every command that the documents name to
// explain itself.
func TestDocumentedCommandsExist(t *testing.T) {
	for path, text := range documents(t) {
		for _, match := range shownCommand.FindAllStringSubmatch(text, -1) {
			name := match[1]
			if code, output := turnout(name, "-h"); code != 0 || !strings.Contains(output, "Usage: turnout "+name) && name != "completion" {
				t.Errorf("%s: turnout %s -h: exit code %d\n%s", filepath.Base(path), name, code, output)
			}
		}
	}
}

var link = regexp.MustCompile(`\]\(([a-z0-9/_.-]+\.md)\)`)

// TestLinksLead follows every link from one document to another.
func TestLinksLead(t *testing.T) {
	for path, text := range documents(t) {
		for _, match := range link.FindAllStringSubmatch(text, -1) {
			if _, err := os.Stat(filepath.Join(filepath.Dir(path), match[1])); err != nil {
				t.Errorf("%s: %v", filepath.Base(path), err)
			}
		}
	}
}

// turnout runs a command that touches nothing.
func turnout(args ...string) (code int, output string) {
	var out bytes.Buffer
	code = cli.Main(context.Background(), cli.Env{
		Args: append([]string{"turnout"}, args...), System: runtime.GOOS, Stdin: strings.NewReader(""), Stdout: &out, Stderr: &out,
	})
	return code, out.String()
}

var message = regexp.MustCompile("(?m)^### `(.*)`$")

// TestTroublesAreReal looks for every message of docs/troubleshooting.md in the
// code: the parts between what differs in it stand in one file there.
func TestTroublesAreReal(t *testing.T) {
	sources := sources(t)
	messages := message.FindAllStringSubmatch(document(t, "troubleshooting.md"), -1)
	if len(messages) < 20 {
		t.Errorf("only %d messages found", len(messages))
	}
	for _, m := range messages {
		said := func(source string) bool {
			for part := range strings.SplitSeq(m[1], "…") {
				if !strings.Contains(source, strings.Trim(part, " ;:")) {
					return false
				}
			}
			return true
		}
		if !slices.ContainsFunc(sources, said) {
			t.Errorf("no source says %q", m[1])
		}
	}
}

// sources are the files of the code, without tests.
func sources(t *testing.T) []string {
	t.Helper()
	paths, err := filepath.Glob("../../internal/*/*.go")
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for _, path := range paths {
		if strings.HasSuffix(path, "_test.go") {
			continue
		}
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, string(text))
	}
	return all
}
