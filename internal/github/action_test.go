package github

import (
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// declared are the names below a top-level key of action.yml, sorted.
func declared(t *testing.T, key string) []string {
	t.Helper()
	return slices.Sorted(maps.Keys(defaults(t, key)))
}

// defaults are those of the names below a top-level key of action.yml; "" is none.
func defaults(t *testing.T, key string) map[string]string {
	t.Helper()
	text, err := os.ReadFile("../../action.yml")
	if err != nil {
		t.Fatal(err)
	}
	section := regexp.MustCompile(`(?m)^` + key + `:\n((?:  .*\n|\n)*)`).FindSubmatch(text)
	if section == nil {
		t.Fatalf("action.yml has no %s", key)
	}
	all, name := make(map[string]string), ""
	for _, found := range regexp.MustCompile(`(?m)^  (\w+):$|^    default: (.*)$`).FindAllStringSubmatch(string(section[1]), -1) {
		if found[1] != "" {
			name = found[1]
		}
		all[name] = strings.Trim(found[2], `"`)
	}
	return all
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
		told := make(map[string]string)
		for _, row := range regexp.MustCompile("(?m)^\\| `(\\w+)` \\|([^|]*)\\|").FindAllStringSubmatch(table, -1) {
			told[row[1]] = ""
			if key == "inputs" {
				told[row[1]] = strings.Trim(row[2], " `")
			}
		}
		want := defaults(t, key)
		if want["token"] == "${{ github.token }}" {
			want["token"] = "the job's"
		}
		if diff := cmp.Diff(want, told); diff != "" {
			t.Errorf("%s of action.yml (-) and of docs/action.md (+), with their defaults:\n%s", key, diff)
		}
	}
}

// TestDefaultsOfInputs has inputs that say their defaults be as empty ones, as they
// are where turnout is called without the action.
func TestDefaultsOfInputs(t *testing.T) {
	inputs := defaults(t, "inputs")
	inputs["token"] = "" // an expression, which the runner evaluates
	inputs["spec"] = ""  // what it says is passed on
	full := func(name string) string { return inputs[strings.ToLower(strings.TrimPrefix(name, "INPUT_"))] }
	empty := func(string) string { return "" }
	for name, read := range map[string]func(func(string) string) (any, error){
		"arguments": func(getenv func(string) string) (any, error) { return EntrypointArgs("/turnout-action", getenv) },
		"settings":  func(getenv func(string) string) (any, error) { return readSettings(getenv) },
	} {
		want, err := read(empty)
		got, err2 := read(full)
		if err != nil || err2 != nil {
			t.Fatal(err, err2)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s of empty inputs (-) and of their defaults (+):\n%s", name, diff)
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
