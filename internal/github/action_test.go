package github

import (
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// declared are the names below a top-level key of action.yml, sorted.
func declared(t *testing.T, key string) []string {
	t.Helper()
	text, err := os.ReadFile("../../action.yml")
	if err != nil {
		t.Fatal(err)
	}
	section := regexp.MustCompile(`(?m)^` + key + `:\n((?:  .*\n|\n)*)`).FindSubmatch(text)
	if section == nil {
		t.Fatalf("action.yml has no %s", key)
	}
	var names []string
	for _, found := range regexp.MustCompile(`(?m)^  (\w+):$`).FindAllSubmatch(section[1], -1) {
		names = append(names, string(found[1]))
	}
	slices.Sort(names)
	return names
}

func TestEveryInputIsRead(t *testing.T) {
	asked := make(map[string]bool)
	if _, err := EntrypointArgs("/turnout-action", func(name string) string {
		if input, ok := strings.CutPrefix(name, "INPUT_"); ok {
			asked[strings.ToLower(input)] = true
		}
		return ""
	}); err != nil {
		t.Fatal(err)
	}
	var read []string
	for name := range asked {
		read = append(read, name)
	}
	slices.Sort(read)
	if diff := cmp.Diff(declared(t, "inputs"), read); diff != "" {
		t.Errorf("action.yml (-) and what is read (+):\n%s", diff)
	}
}

// TestInputsAndOutputsAreDocumented holds docs/action.md to action.yml.
func TestInputsAndOutputsAreDocumented(t *testing.T) {
	text, err := os.ReadFile("../../docs/action.md")
	if err != nil {
		t.Fatal(err)
	}
	for section, key := range map[string]string{"Inputs": "inputs", "Outputs": "outputs"} {
		_, after, _ := strings.Cut(string(text), "\n## "+section+"\n")
		table, _, _ := strings.Cut(after, "\n## ")
		var names []string
		for _, row := range regexp.MustCompile("(?m)^\\| `(\\w+)` ").FindAllStringSubmatch(table, -1) {
			names = append(names, row[1])
		}
		slices.Sort(names)
		if diff := cmp.Diff(declared(t, key), names); diff != "" {
			t.Errorf("%s of action.yml (-) and of docs/action.md (+):\n%s", key, diff)
		}
	}
}

func TestEveryOutputIsSet(t *testing.T) {
	var set []string
	for _, o := range NewListener(newJob(t).actions(t)).outputs("report.md") {
		set = append(set, o.name)
	}
	slices.Sort(set)
	if diff := cmp.Diff(declared(t, "outputs"), set); diff != "" {
		t.Errorf("action.yml (-) and what is set (+):\n%s", diff)
	}
}

// The entry points are files of the image, which actionlint can't know.
func TestWorkflowsAreSound(t *testing.T) {
	if _, err := exec.LookPath("actionlint"); err != nil {
		if os.Getenv("CI") != "" || slices.Contains(strings.Split(os.Getenv("TURNOUT_MUST_RUN"), ","), "actionlint") {
			t.Fatal("actionlint is not installed, and it must be here")
		}
		t.Skip("actionlint is not installed")
	}
	cmd := exec.Command("actionlint", "-ignore", `file "/turnout-(action|post)" does not exist`,
		".github/workflows/ci.yml", ".github/workflows/selftest.yml")
	cmd.Dir = "../.."
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("actionlint: %v\n%s", err, out)
	}
}
