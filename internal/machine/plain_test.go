package machine_test

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/org/deploy-action/internal/machine"
)

// scripts are run both by bash and as they are where they are plain commands.
// What "show" prints is its whole environment and its arguments.
var scripts = []string{
	"true", "false", "  true\n\n", "\tfalse\t", "true --help", "false x", "/bin/true", "/usr/bin/false",
	"show", "show one two", "./show", "show a=b %x @y +z -- -n 1,2:3/4", "show\n", "show one\nshow two", "show one; show two",
	"show 'a b'", `show "$PATH"`, "show f*r", "show ~", "show {a,b}", "show a\\ b", "show # not this", "show <show", "show | cat",
	"show `true`", "show !", "show é", "show \r", "! show", "( show )", "{ show; }",
	"A=1", "A=1 show", "env A=1 show", "+x=1", "-x",
	"nosuch", "nosuch one", "./nosuch", "./folder", "folder", "./locked", "locked", "./textonly a", "textonly a", "./lost", "./empty",
	"./killed", "./exit7", "./exit255", "ls nosuch", "cat", "wc -c", "sh", "sh nosuch", "expr 1 + 1", "grep -e SigB -e SigC -e SigI /proc/self/status",
	"find /proc/self/fd", "id", "./uses/slash", "uses/slash",
	"echo one", "echo -e a", "printf x", "pwd", "pwd -P", "test -f show", "kill -l", "kill 0x", "cd folder", "exit 3", "exec ./exit7",
	"if", "for", "then", "done", "command show", "builtin show", "type show", "hash show", "eval show", "source show", ". show", "wait", "set -x", "umask",
	"ulimit", "trap", "help", "let 1", "readonly", "coproc show", "function", "select", "case", "select x in", "compgen -b", "history",
}

// settings are environments to run them in, on top of the test's.
var settings = map[string][]string{
	"as it is":              nil,
	"in a shell of a shell": {"SHLVL=3", "_=/bin/x", "OLDPWD=/usr"},
	"with odd levels":       {"SHLVL=-4"},
	"with no level":         {"SHLVL=x1"},
	"too deep":              {"SHLVL=999"},
	"a level with blanks":   {"SHLVL= 2"},
	"nowhere before":        {"OLDPWD=/no/such/place"},
	"a start file":          {"BASH_ENV=start"},
	"a function":            {"BASH_FUNC_show%%=() { echo function; }"},
	"options":               {"SHELLOPTS=xtrace"},
	"strict":                {"POSIXLY_CORRECT=y"},
	"bash's own":            {"RANDOM=5", "OPTIND=7"},
	"a relative path":       {"PATH=.:/usr/bin:/bin"},
	"an empty path":         {"PATH="},
	"here last":             {"PATH=/usr/bin/:/bin:"},
	"another true":          {"PATH={dir}/other:/usr/bin:/bin"},
	"a name for the place":  {"PWD={link}"},
	"a wrong name":          {"PWD=/usr"},
	"a relative name":       {"PWD=."},
	"odd names":             {"1a=b", "a.b=c", "LC_ALL=C", "TERM=", "PS4=x", "HOSTNAME=h", "COLUMNS=3"},
}

func TestPlainCommandsAreWhatBashMakesOfThem(t *testing.T) {
	t.Parallel()
	b := newBash(t)
	link := filepath.Join(t.TempDir(), "link")
	if err := os.Symlink(b.dir, link); err != nil {
		t.Fatal(err)
	}
	for name, setting := range settings {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			env := map[string]string{"PATH": b.dir + ":/usr/bin:/bin"}
			for _, variable := range setting {
				name, value, _ := strings.Cut(strings.NewReplacer("{dir}", b.dir, "{link}", link).Replace(variable), "=")
				env[name] = value
			}
			few := []string{"true", "show", "./show a", "nosuch", "locked", "textonly a", "./killed", "./exit7"}
			if setting == nil {
				few = scripts
			}
			for _, script := range few {
				b.compare(t, script, env)
			}
			if setting == nil {
				env["TIMEFORMAT"] = "timed" // figures differ each time
				b.compare(t, "time true", env)
			}
		})
	}
}

// Every variable that this bash knows is one it may change.
func TestPlainCommandsInAnEnvironmentFullOfBash(t *testing.T) {
	t.Parallel()
	b := newBash(t)
	names := told(t, machine.Command{Args: append(slices.Clip(b.shell), "compgen -v"), Dir: b.dir})
	for _, name := range names[:len(names)-1] {
		if name != "PATH" && !strings.HasPrefix(name, "EPOCH") { // a clock
			b.compare(t, "./show", map[string]string{name: "7"})
		}
	}
}

// bash runs scripts in a folder.
type bash struct {
	shell []string
	dir   string
}

func newBash(t *testing.T) bash {
	t.Helper()
	path, err := exec.LookPath("bash")
	if err != nil {
		t.Skip("there is no bash to compare with")
	}
	return bash{[]string{path, "--noprofile", "--norc", "-e", "-o", "pipefail", "-c"}, plainFolder(t)}
}

func (b bash) compare(t *testing.T, script string, env map[string]string) {
	t.Helper()
	by := told(t, machine.Command{Args: append(slices.Clip(b.shell), script), Dir: b.dir, Env: env})
	as := told(t, machine.Command{Script: script, Dir: b.dir, Env: env})
	if diff := cmp.Diff(by, as); diff != "" {
		t.Errorf("%q with %v: by bash, as it is:\n%s", script, env, diff)
	}
}

// plainFolder is a folder of programs that go wrong in every way.
func plainFolder(t *testing.T) string {
	t.Helper()
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	const show = "#!/bin/cat /proc/self/environ\n" // and its own text
	for name, file := range map[string]struct {
		text string
		mode os.FileMode
	}{
		"show":       {show, 0o755},
		"uses/slash": {"#!/bin/sh\necho \"$0\" \"$@\" \"$_\"\n", 0o755},
		"other/true": {"#!/bin/sh\necho another one\n", 0o755},
		"locked":     {"#!/bin/sh\necho never\n", 0o644},
		"textonly":   {"echo text $1 $0\n", 0o755},
		"lost":       {"#!/no/such/interpreter\n", 0o755},
		"empty":      {"", 0o755},
		"killed":     {"#!/bin/sh\nkill -TERM $$\n", 0o755},
		"exit7":      {"#!/bin/sh\nexit 7\n", 0o755},
		"exit255":    {"#!/bin/sh\necho bad >&2\nexit 255\n", 0o755},
		"start":      {"echo started\n", 0o644},
	} {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(file.text), file.mode); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Mkdir(filepath.Join(dir, "folder"), 0o755); err != nil {
		t.Fatal(err)
	}
	return dir
}

// told is everything that can be seen of a command, in an order of its own.
func told(t *testing.T, c machine.Command) []string {
	t.Helper()
	local := machine.NewLocal("here")
	defer local.Close()
	var out bytes.Buffer
	exit, err := machine.Run.Stream(context.Background(), local, c, &out)
	lines := strings.FieldsFunc(out.String(), func(r rune) bool { return r == '\n' || r == 0 })
	slices.Sort(lines)
	for i, line := range lines { // the process's own number
		if strings.HasPrefix(line, "/proc/") {
			lines[i] = filepath.Base(line)
		}
	}
	return append(lines, fmt.Sprint(exit.Code, exit.Signal, err))
}
