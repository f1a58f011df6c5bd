package cli

import (
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/urfave/cli/v3"
)

// commands are those of turnout by the words that call them, but for the agent's.
func commands(of *cli.Command, words string) map[string]*cli.Command {
	all := make(map[string]*cli.Command)
	for _, c := range of.Commands {
		if c.Name == "agent" {
			continue
		}
		all[words+c.Name] = c
		maps.Copy(all, commands(c, words+c.Name+" "))
	}
	return all
}

// flags are the options of a command, sorted; those of every spec apart.
func flags(c *cli.Command) (own, shared []string) {
	all := slices.Clone(c.Flags)
	for _, exclusive := range c.MutuallyExclusiveFlags {
		all = slices.Concat(all, slices.Concat(exclusive.Flags...))
	}
	for _, flag := range all {
		switch name := flag.Names()[0]; name {
		case "f", "var", "var-file":
			shared = append(shared, name)
		default:
			own = append(own, name)
		}
	}
	slices.Sort(own)
	return own, shared
}

var (
	helpOption = regexp.MustCompile(`(?m)^  -([a-z][a-z-]*)`)
	rowCommand = regexp.MustCompile("(?m)^\\| `turnout ([^`]*)` \\|")
	rowOption  = regexp.MustCompile(`[ \[|]-([a-z][a-z-]*)`)
	listRow    = regexp.MustCompile(`(?m)^  ([a-z]+) +[a-z]`)
)

func found(pattern *regexp.Regexp, text string) []string {
	var all []string
	for _, match := range pattern.FindAllStringSubmatch(text, -1) {
		all = append(all, match[1])
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// TestHelpIsWhole holds the help text of every command to its options, both ways.
func TestHelpIsWhole(t *testing.T) {
	for words, c := range commands(new(app).command(), "") {
		if words == "version" {
			continue
		}
		help := c.CustomHelpTemplate
		if !strings.Contains(help, exitCodes) || !strings.Contains(help, "\nExample:\n  turnout "+words) {
			t.Errorf("turnout %s -h lacks an example or the exit codes", words)
		}
		own, shared := flags(c)
		want := slices.Concat(own, shared)
		told := slices.DeleteFunc(found(helpOption, help), func(name string) bool { return name == "chdir" || name == "no-color" })
		slices.Sort(want)
		if diff := cmp.Diff(want, told); diff != "" && len(want)+len(told) > 0 {
			t.Errorf("turnout %s: options (-) and help (+):\n%s", words, diff)
		}
	}
}

// TestCommandsAreListed holds the lists of commands, that of turnout -h and those of
// the groups, to the commands.
func TestCommandsAreListed(t *testing.T) {
	root := new(app).command()
	for words, c := range commands(root, "") {
		outer, help := root, rootHelp
		if before, _, inner := strings.Cut(words, " "); inner {
			outer = commands(root, "")[before]
			help = outer.CustomHelpTemplate
		}
		if outer.Name == "export" { // its usage lines name them
			if !strings.Contains(help, "turnout "+words) {
				t.Errorf("turnout export -h says nothing of %s", c.Name)
			}
			continue
		}
		if !slices.Contains(found(listRow, help), c.Name) {
			t.Errorf("turnout %s -h does not list %s", strings.TrimPrefix(outer.Name, "turnout"), c.Name)
		}
	}
}

// TestCommandsAreDocumented holds the table of docs/cli.md to the commands and to
// the options that are a command's own.
func TestCommandsAreDocumented(t *testing.T) {
	text, err := os.ReadFile("../../docs/cli.md")
	if err != nil {
		t.Fatal(err)
	}
	told, want := make(map[string][]string), make(map[string][]string)
	all := commands(new(app).command(), "")
	for _, row := range found(rowCommand, string(text)) {
		words := strings.Fields(row)
		name := words[0]
		if len(words) > 1 && all[name+" "+words[1]] != nil {
			name += " " + words[1]
		}
		told[name] = append(told[name], found(rowOption, row)...)
		slices.Sort(told[name])
		told[name] = slices.Compact(told[name])
	}
	for words, c := range all {
		if own, _ := flags(c); len(c.Commands) == 0 || len(own) > 0 {
			want[words] = own
		}
	}
	delete(told, "completion") // the library's own command
	if diff := cmp.Diff(want, told); diff != "" {
		t.Errorf("commands (-) and docs/cli.md (+):\n%s", diff)
	}
	if _, table, _ := strings.Cut(string(text), "## Exit codes\n"); !slices.Equal(found(regexp.MustCompile(`(?m)^  (\d+) `), exitCodes), found(regexp.MustCompile(`(?m)^\| (\d+) \|`), strings.Split(table, "\n## ")[0])) {
		t.Errorf("docs/cli.md has other exit codes than%s", exitCodes)
	}
}
