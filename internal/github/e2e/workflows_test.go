package e2e

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

// patterns are all workflows and actions that we run, show or write.
var patterns = []string{
	".github/workflows/*.yml", "action.yml", "setup/action.yml", "examples/*/deploy.yml",
	"internal/cli/starter/workflow.yml", "internal/workflow/testdata/*.yml",
}

func workflows(t *testing.T) []string {
	t.Helper()
	var all []string
	for _, pattern := range patterns {
		found, err := filepath.Glob(filepath.Join(root, pattern))
		if err != nil || len(found) == 0 {
			t.Fatalf("%s: no files (%v)", pattern, err)
		}
		all = append(all, found...)
	}
	return all
}

// TestWorkflows holds every file against what GitHub's guide to secure use asks for
// (docs.github.com, "Secure use reference").
func TestWorkflows(t *testing.T) {
	t.Parallel()
	for _, path := range workflows(t) {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for _, problem := range audit(text) {
			t.Errorf("%s: %s", strings.TrimPrefix(path, root+"/"), problem)
		}
	}
}

func TestAudit(t *testing.T) {
	t.Parallel()
	const sha = "3d3c42e5aac5ba805825da76410c181273ba90b1"
	const good = "on: push\npermissions: {}\njobs:\n  a:\n    steps:\n"
	for text, want := range map[string]string{
		good + "      - run: true\n":                                                                               "",
		good + "      - uses: org/deploy-action/setup@v1\n":                                                        "",
		good + "      - uses: a/b@" + sha + " # v1.2.3\n":                                                          "",
		good + "      - uses: a/b@v1\n":                                                                            "a/b@v1 is not pinned",
		good + "      - uses: evil/deploy-action@v1\n":                                                             "is not pinned",
		good + "      - uses: a/b@" + sha + "\n":                                                                   "does not say its version",
		good + "      - uses: actions/checkout@" + sha + " # v7.0.1\n":                                             "leaves its token",
		good + "      - uses: actions/checkout@" + sha + " # v7.0.1\n        with: {persist-credentials: false}\n": "",
		good + "      - run: echo ${{ github.head_ref }}\n":                                                        "an expression in a script",
		"on: push\njobs: {}\n":                                                                                     "has no permissions",
		"on: push\npermissions: write-all\njobs: {}\n":                                                             "gives every job",
		"on: push\npermissions: {contents: write}\njobs: {}\n":                                                     "gives every job",
		"on: [push, pull_request_target]\npermissions: {}\njobs: {}\n":                                             "runs what a fork proposes with secrets",
		"on:\n  workflow_run:\npermissions: {}\njobs: {}\n":                                                        "runs what a fork proposes with secrets",
		"runs:\n  using: composite\n  steps:\n    - uses: a/b@main\n":                                              "a/b@main is not pinned",
	} {
		got := strings.Join(audit([]byte(text)), "; ")
		if want == "" && got != "" || !strings.Contains(got, want) {
			t.Errorf("%s\n%q, want %q", text, got, want)
		}
	}
}

var (
	pinned = regexp.MustCompile(`^[\w.-]+/[\w./-]+@[0-9a-f]{40}$`)
	// Our own action is named by the tag that its releases move.
	own    = regexp.MustCompile(`^(\./|org/deploy-action(/setup)?@v[0-9]+$)`)
	exact  = regexp.MustCompile(`^# v[0-9]+\.[0-9]+\.[0-9]+$`)
	others = regexp.MustCompile(`^(pull_request_target|workflow_run|issue_comment)$`)
)

// audit returns what is wrong with a workflow or an action.
func audit(text []byte) []string {
	var document yaml.Node
	if err := yaml.Unmarshal(text, &document); err != nil {
		return []string{err.Error()}
	}
	var problems []string
	top := document.Content[0]
	if jobs := field(top, "jobs"); jobs != nil {
		problems = append(problems, triggers(field(top, "on"))...)
		problems = append(problems, permissions(field(top, "permissions"))...)
	}
	return append(problems, steps(top)...)
}

func triggers(on *yaml.Node) []string {
	var problems []string
	for _, name := range append([]*yaml.Node{on}, on.Content...) {
		if others.MatchString(name.Value) {
			problems = append(problems, name.Value+" runs what a fork proposes with secrets")
		}
	}
	return problems
}

func permissions(given *yaml.Node) []string {
	if given == nil {
		return []string{"has no permissions"}
	}
	for _, value := range append([]*yaml.Node{given}, given.Content...) {
		if strings.HasPrefix(value.Value, "write") {
			return []string{"gives every job permission to write"}
		}
	}
	return nil
}

// steps looks at everything that has "uses" or "run".
func steps(node *yaml.Node) []string {
	var problems []string
	if uses := field(node, "uses"); uses != nil {
		problems = append(problems, action(uses, field(node, "with"))...)
	}
	if run := field(node, "run"); run != nil && strings.Contains(run.Value, "${{") {
		problems = append(problems, "an expression in a script: "+run.Value)
	}
	for _, child := range node.Content {
		problems = append(problems, steps(child)...)
	}
	return problems
}

func action(uses, with *yaml.Node) []string {
	var problems []string
	switch {
	case own.MatchString(uses.Value):
		return nil
	case !pinned.MatchString(uses.Value):
		return []string{uses.Value + " is not pinned to a commit"}
	case !exact.MatchString(uses.LineComment):
		problems = append(problems, uses.Value+" does not say its version")
	}
	if strings.HasPrefix(uses.Value, "actions/checkout@") {
		if kept := field(with, "persist-credentials"); kept == nil || kept.Value != "false" {
			problems = append(problems, "checkout leaves its token in the workspace")
		}
	}
	return problems
}

// field is the value of a key of a mapping, or nil.
func field(node *yaml.Node, key string) *yaml.Node {
	if node == nil || node.Kind != yaml.MappingNode {
		return nil
	}
	for i := 0; i < len(node.Content); i += 2 {
		if node.Content[i].Value == key {
			return node.Content[i+1]
		}
	}
	return nil
}

// TestLint has actionlint read what is a workflow.
func TestLint(t *testing.T) {
	t.Parallel()
	need(t, "actionlint")
	var args []string
	for _, path := range workflows(t) {
		if filepath.Base(path) != "action.yml" {
			args = append(args, path)
		}
	}
	// The entry points are files of the image, which actionlint can't know.
	args = append([]string{"-ignore", `file "/turnout-(action|post)" does not exist`}, args...)
	if out, err := exec.Command("actionlint", args...).CombinedOutput(); err != nil {
		t.Errorf("actionlint: %v\n%s", err, out)
	}
}
