package artifact_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"
	"golang.org/x/sys/unix"

	"github.com/org/deploy-action/internal/artifact"
)

func TestMain(m *testing.M) {
	if os.Getenv(childOf) != "" {
		child()
		return
	}
	goleak.VerifyTestMain(m)
}

const run1, run2 = "20261123t184501z-k3v9qz", "20261123t184502z-aaaaaa"

// plant makes files below dir: "→ x" is a link to x, a name that ends in a slash
// a folder.
func plant(t testing.TB, dir string, files map[string]string) {
	t.Helper()
	for name, content := range files {
		path := filepath.Join(dir, name)
		err := os.MkdirAll(filepath.Dir(path), 0o755)
		target, link := strings.CutPrefix(content, "→ ")
		switch {
		case strings.HasSuffix(name, "/"):
			err = errors.Join(err, os.MkdirAll(path, 0o755))
		case link:
			err = errors.Join(err, os.Symlink(target, path))
		default:
			err = errors.Join(err, os.WriteFile(path, []byte(content), 0o644))
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

// snapshot describes everything below dir.
func snapshot(t testing.TB, dir string) map[string]string {
	t.Helper()
	all := make(map[string]string)
	err := filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || path == dir {
			return err
		}
		info, err := entry.Info()
		if err != nil {
			return err
		}
		var content []byte
		target := ""
		switch entry.Type() {
		case 0:
			content, err = os.ReadFile(path)
		case fs.ModeSymlink:
			target, err = os.Readlink(path)
		}
		name, _ := filepath.Rel(dir, path)
		all[name] = fmt.Sprintf("%s %s %q %q", info.Mode(), info.ModTime().UTC().Format(time.RFC3339Nano), content, target)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func quiet(int64, int64) {}

// keep keeps patterns as the artifact app.
func keep(t testing.TB, workspace, run string, patterns ...string) artifact.Kept {
	t.Helper()
	kept, err := artifact.In(workspace).Keep(context.Background(), artifact.Order{Name: "app", Run: run, Patterns: patterns, Keep: 5}, quiet)
	if err != nil {
		t.Fatal(err)
	}
	return kept
}

func get(t testing.TB, workspace, dest string) {
	t.Helper()
	if _, err := artifact.In(workspace).Get(context.Background(), artifact.Wish{Name: "app", Dest: dest}); err != nil {
		t.Fatal(err)
	}
}

// paths are what an artifact has, in its order.
func paths(t testing.TB, workspace string) []string {
	t.Helper()
	m, err := artifact.In(workspace).Contents("app", "")
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for _, e := range m.Entries {
		all = append(all, string(e.Path))
	}
	return all
}

// TestRoundTrip holds what comes out of an artifact against what went in.
func TestRoundTrip(t *testing.T) {
	for seed := range uint64(25) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			r := rand.New(rand.NewPCG(seed, 7))
			workspace, dest := t.TempDir(), filepath.Join(t.TempDir(), "a", "b")
			grow(t, r, filepath.Join(workspace, "dist"), 3)
			want := snapshot(t, workspace)
			kept := keep(t, workspace, run1, "dist")
			get(t, workspace, dest)
			if diff := cmp.Diff(want, snapshot(t, dest)); diff != "" {
				t.Errorf("in, out:\n%s", diff)
			}
			existing := t.TempDir()
			get(t, workspace, existing)
			if diff := cmp.Diff(want, snapshot(t, existing)); diff != "" {
				t.Errorf("in, out into a folder that exists:\n%s", diff)
			}
			again := keep(t, workspace, run2, "dist")
			if kept.Archive != again.Archive {
				t.Errorf("the same tree packed twice: %v, %v", kept.Archive, again.Archive)
			}
			os.RemoveAll(filepath.Join(workspace, ".turnout"))
			if diff := cmp.Diff(want, snapshot(t, workspace)); diff != "" {
				t.Errorf("the workspace was changed:\n%s", diff)
			}
		})
	}
}

var oddNames = []string{
	"a", "b.js", "index.html", "-rf", "--", "new\nline", "::set-output name=x::y", "##[error]x", "quo\"te'", "back\\slash",
	"\xff\xfe", "latin-\xe9", " space ", "tab\t", "*", "[x]", "{a,b}", "!not", "..dots", "...", ".hidden", "é", "e\u0301", "\u202egpj.exe",
	"\x1b[31mred", "日本語", "~", "$HOME", "`id`", "a;b", strings.Repeat("long", 60), "PaxHeaders.0", "@LongLink",
}

// grow makes a random tree.
func grow(t testing.TB, r *rand.Rand, dir string, depth int) {
	t.Helper()
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	for _, i := range r.Perm(len(oddNames))[:r.IntN(6)] {
		path := filepath.Join(dir, oddNames[i])
		switch {
		case r.IntN(3) == 0 && depth > 0:
			grow(t, r, path, depth-1)
		case r.IntN(4) == 0:
			age(t, r, path, os.Symlink([]string{"other", "./b", "missing/\xff", "..dot", "new\nlines", strings.Repeat("x/", 80)}[r.IntN(6)], path))
		default:
			content := make([]byte, []int{0, 1, 511, 512, 513, 300_000}[r.IntN(6)])
			for i := range content {
				content[i] = byte(r.IntN(256) & (i >> 8)) // from easy to hard to pack
			}
			age(t, r, path, errors.Join(os.WriteFile(path, content, 0o600), os.Chmod(path, fs.FileMode(r.IntN(0o1000)))))
		}
	}
	age(t, r, dir, os.Chmod(dir, fs.FileMode(0o500|r.IntN(0o1000))))
	t.Cleanup(func() { os.Chmod(dir, 0o700) })
}

// age gives a random time.
func age(t testing.TB, r *rand.Rand, path string, err error) {
	t.Helper()
	at := unix.NsecToTimespec(r.Int64N(4e18) - 5e17)
	if err = errors.Join(err, unix.UtimesNanoAt(unix.AT_FDCWD, path, []unix.Timespec{at, at}, unix.AT_SYMLINK_NOFOLLOW)); err != nil {
		t.Fatal(err)
	}
}

func TestPatterns(t *testing.T) {
	workspace := t.TempDir()
	plant(t, workspace, map[string]string{
		"dist/app.js": "x", "dist/app.js.map": "x", "dist/sub/lib.js": "x", "dist/sub/lib.js.map": "x", "dist/empty/": "",
		"reports/a.xml": "x", "reports/a.txt": "x", "reports/deep/b.xml": "x", "src/main.go": "x", "current": "→ dist",
		".git/HEAD": "x", "dist/.git/config": "x", "dist/.github/x.yml": "x", ".turnout/runs/r/report.md": "x", "sub/.turnout/x": "x",
		"[draft].md": "x", "!bang": "x",
	})
	dist := []string{"dist", "dist/.github", "dist/.github/x.yml", "dist/app.js", "dist/app.js.map", "dist/empty", "dist/sub", "dist/sub/lib.js", "dist/sub/lib.js.map"}
	for name, test := range map[string]struct{ patterns, want []string }{
		"a folder":             {[]string{"dist"}, dist},
		"all below":            {[]string{"dist/**"}, dist},
		"all in":               {[]string{"dist/*"}, dist},
		"twice":                {[]string{"dist", "dist/**", "**/dist"}, dist},
		"a file":               {[]string{"dist/sub/lib.js"}, []string{"dist", "dist/sub", "dist/sub/lib.js"}},
		"files of a folder":    {[]string{"reports/*.xml"}, []string{"reports", "reports/a.xml"}},
		"files at any depth":   {[]string{"reports/**/*.xml"}, []string{"reports", "reports/a.xml", "reports/deep", "reports/deep/b.xml"}},
		"alternatives":         {[]string{"{src,reports/deep}/*.{go,xml}"}, []string{"reports", "reports/deep", "reports/deep/b.xml", "src", "src/main.go"}},
		"an excluded kind":     {[]string{"dist", "!**/*.map", "!dist/.github"}, []string{"dist", "dist/app.js", "dist/empty", "dist/sub", "dist/sub/lib.js"}},
		"an excluded folder":   {[]string{"!dist/sub", "dist/**/*.js"}, []string{"dist", "dist/app.js"}},
		"excluded altogether":  {[]string{"dist", "!dist"}, nil},
		"nothing":              {[]string{"build/**"}, nil},
		"git by name":          {[]string{".git"}, []string{".git", ".git/HEAD"}},
		"a file of git":        {[]string{"dist/.git/*", "src"}, []string{"dist", "dist/.git", "dist/.git/config", "src", "src/main.go"}},
		"ours":                 {[]string{".turnout/runs", "sub"}, []string{"sub"}},
		"characters as such":   {[]string{`\[draft\].md`, `\!bang`}, []string{"!bang", "[draft].md"}},
		"a link":               {[]string{"current"}, []string{"current"}},
		"never through a link": {[]string{"current/*"}, nil},
		"all": {[]string{"**"}, slices.Concat([]string{"!bang", "[draft].md", "current"}, dist,
			[]string{"reports", "reports/a.txt", "reports/a.xml", "reports/deep", "reports/deep/b.xml", "src", "src/main.go", "sub"})},
	} {
		t.Run(name, func(t *testing.T) {
			os.RemoveAll(filepath.Join(workspace, artifact.Dir))
			kept := keep(t, workspace, run1, test.patterns...)
			if kept.Missing != (test.want == nil) {
				t.Fatalf("missing: %v", kept.Missing)
			}
			if test.want == nil {
				return
			}
			if diff := cmp.Diff(test.want, paths(t, workspace)); diff != "" {
				t.Errorf("want, got:\n%s", diff)
			}
		})
	}
}

func TestMissingLeavesNothing(t *testing.T) {
	workspace := t.TempDir()
	plant(t, workspace, map[string]string{"releases/7/app": "x", "current": "→ releases/7"})
	kept := keep(t, workspace, run1, "dist", "current/app")
	if !kept.Missing || len(kept.Notices) != 1 || !strings.HasPrefix(kept.Notices[0], "current is a link, and links are not followed") {
		t.Errorf("%+v", kept)
	}
	if _, err := os.Stat(filepath.Join(workspace, ".turnout")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("left behind: %v", err)
	}
}

func TestNotices(t *testing.T) {
	workspace := t.TempDir()
	plant(t, workspace, map[string]string{"dist/a": "x", "dist/abs": "→ /etc/passwd", "dist/up": "→ ../../x", "dist/in": "→ ../other"})
	if err := unix.Mkfifo(filepath.Join(workspace, "dist/pipe\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	kept := keep(t, workspace, run1, "dist")
	want := []string{
		`"dist/pipe\n" is left out: it is neither file, folder nor link (p---------)`,
		"dist/abs is a link that leads out of the workspace or in circles (to /etc/passwd): it is kept, and unpacking will refuse it",
		"dist/up is a link that leads out of the workspace or in circles (to ../../x): it is kept, and unpacking will refuse it",
	}
	if diff := cmp.Diff(want, kept.Notices); diff != "" || kept.Files != 1 || kept.Size != 1 {
		t.Errorf("%+v; want, got:\n%s", kept, diff)
	}
	for i := range 20 {
		plant(t, workspace, map[string]string{fmt.Sprintf("dist/abs%d", i): "→ /"})
	}
	if kept = keep(t, workspace, run2, "dist"); len(kept.Notices) != 11 || kept.Notices[10] != "and 13 more of this sort" {
		t.Errorf("%q", kept.Notices)
	}
}
