package main

import (
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

const module = "github.com/org/deploy-action/"

var (
	layerRow  = regexp.MustCompile("(?m)^\\| ([0-9]) \\| (`[^|]*) \\|")
	layerName = regexp.MustCompile("`([a-z0-9/-]+)`")
)

// layers are the packages of docs/architecture.md with their levels.
func layers(t *testing.T) map[string]int {
	t.Helper()
	text, err := os.ReadFile("../../docs/architecture.md")
	if err != nil {
		t.Fatal(err)
	}
	levels := make(map[string]int)
	for _, row := range layerRow.FindAllStringSubmatch(string(text), -1) {
		level, _ := strconv.Atoi(row[1]) // a digit by the pattern
		for _, name := range layerName.FindAllStringSubmatch(row[2], -1) {
			levels[name[1]] = level
		}
	}
	return levels
}

// testOnly are packages that nothing which ships may import.
var testOnly = regexp.MustCompile(`^(testing|.*/(loadtest|bench(/[a-z]+)?|proxytest|elbtest|machinetest|sshtest|hosttest|githubtest))$`)

// TestImportsOnlyGoDown holds the map of the code to what the code imports.
func TestImportsOnlyGoDown(t *testing.T) {
	levels := layers(t)
	list := exec.Command("go", "list", "-f", `{{.ImportPath}} {{join .Imports " "}}`, "./cmd/...", "./internal/...", "./templates/...")
	list.Dir = "../.."
	output, err := list.Output()
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(output)) {
		fields := strings.Fields(line)
		name := strings.TrimPrefix(fields[0], module)
		if testOnly.MatchString(fields[0]) {
			continue
		}
		level, known := levels[name]
		if !known && name != "internal/github/e2e" {
			t.Errorf("docs/architecture.md does not place %s", name)
		}
		for _, other := range fields[1:] {
			bare, ours := strings.CutPrefix(other, module)
			switch {
			case ours && levels[bare] >= level:
				t.Errorf("%s (level %d) imports %s (level %d)", name, level, bare, levels[bare])
			case testOnly.MatchString(other):
				t.Errorf("%s ships and imports %s", name, other)
			case strings.Contains(other, "hashicorp/hcl") && name != "internal/spec":
				t.Errorf("%s imports %s: nothing after spec knows HCL", name, other)
			}
		}
	}
}

// notForAgents are libraries that an agent has no use for: each costs every start on
// every server.
var notForAgents = regexp.MustCompile(`hashicorp/hcl|aws/|urfave/|zclconf/|x/crypto/|html/template|go-cmp|go-udiff`)

// TestAgentsLoadLittle holds turnout-agent to what it is there for.
func TestAgentsLoadLittle(t *testing.T) {
	list := exec.Command("go", "list", "-deps", "./cmd/turnout-agent")
	list.Dir = "../.."
	output, err := list.Output()
	if err != nil {
		t.Fatal(err)
	}
	for name := range strings.Lines(string(output)) {
		if !strings.HasPrefix(name, "vendor/") && notForAgents.MatchString(name) {
			t.Errorf("turnout-agent loads %s", name)
		}
	}
}
