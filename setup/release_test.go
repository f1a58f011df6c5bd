package setup

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

const image = "ghcr.io/org/deploy-action@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

// repository is a copy of what a release is made from, in a repository of its own.
type repository struct {
	t   *testing.T
	dir string
}

func newRepository(t *testing.T) *repository {
	t.Helper()
	r := &repository{t: t, dir: t.TempDir()}
	for _, name := range []string{"action.yml", "internal/version/version.go", "scripts/release.sh", "setup/action.yml", "setup/install.sh"} {
		r.write(name, read(t, "../"+name))
	}
	r.write("internal/version/version.go", "package version\n\nvar (\n\tNumber = \"1.2.3\"\n)\n")
	r.write("CHANGELOG.md", "# Changelog\n\n## 1.3.0 (unreleased)\n\n- Later.\n\n## 1.2.3\n\n- New.\n\n- More.\n\n## 1.2.2\n\n- Old.\n")
	r.must("git", "init", "--quiet", "--initial-branch=main")
	r.must("git", "config", "user.name", "t")
	r.must("git", "config", "user.email", "t@example.com")
	r.commit()
	return r
}

func (r *repository) write(name, text string) {
	r.t.Helper()
	n := &runner{t: r.t, dir: r.dir}
	n.write(name, text, 0o755)
}

func (r *repository) commit() {
	r.t.Helper()
	r.must("git", "add", "--all")
	r.must("git", "commit", "--quiet", "--message=t")
}

func (r *repository) run(name string, args ...string) (string, error) {
	cmd := exec.Command(name, args...)
	cmd.Dir = r.dir
	out, err := cmd.CombinedOutput()
	return string(out), err
}

func (r *repository) must(name string, args ...string) string {
	r.t.Helper()
	out, err := r.run(name, args...)
	if err != nil {
		r.t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, out)
	}
	return out
}

// refuses fails the test unless the script fails and says why.
func (r *repository) refuses(why string, args ...string) {
	r.t.Helper()
	if out, err := r.run("scripts/release.sh", args...); err == nil || !strings.Contains(out, why) {
		r.t.Errorf("release.sh %s: %v %q, want %q", strings.Join(args, " "), err, out, why)
	}
}

// TestRelease makes a tag, and installs what it names by the action that it has.
func TestRelease(t *testing.T) {
	t.Parallel()
	r, served := newRepository(t), newRelease(t)
	sums := filepath.Join(t.TempDir(), "checksums.txt")
	if err := os.WriteFile(sums, []byte(served.files["checksums.txt"]+strings.Repeat("0", 64)+"  another\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	before := r.must("git", "rev-parse", "HEAD")
	r.must("scripts/release.sh", "tag", "1.2.3", image, sums)

	if got := r.must("git", "rev-parse", "v1.2.3^{commit}~1"); got != before {
		t.Errorf("the tag's parent is %s, not what was built: %s", got, before)
	}
	if got := r.must("git", "diff", "--name-only", "HEAD~1"); got != "action.yml\nsetup/checksums.txt\nsetup/version\n" {
		t.Errorf("the tag changes %q", got)
	}
	if got := r.must("git", "show", "v1.2.3:action.yml"); !strings.Contains(got, "  image: \"docker://"+image+"\"\n") || strings.Contains(got, "Dockerfile") {
		t.Errorf("action.yml of the tag:\n%s", got)
	}
	n := newRunner(t, served, false)
	for _, name := range []string{"version", "checksums.txt", "install.sh"} {
		n.write("action/"+name, read(t, filepath.Join(r.dir, "setup", name)), 0o755)
	}
	n.installed("turnout-linux-amd64")
	r.refuses("the tag v1.2.3 is there already", "check", "1.2.3")
}

func TestReleaseNotes(t *testing.T) {
	t.Parallel()
	r := newRepository(t)
	if got := r.must("scripts/release.sh", "notes", "1.2.3"); got != "- New.\n\n- More.\n\n" {
		t.Errorf("%q", got)
	}
}

func TestNoRelease(t *testing.T) {
	t.Parallel()
	r := newRepository(t)
	for version, why := range map[string]string{
		"v1.2.3": "is no version", "1.2": "is no version", "1.2.3; rm -rf /": "is no version", "01.2.3": "is no version",
		"1.2.4": "internal/version/version.go has another version",
	} {
		r.refuses(why, "check", version)
	}
	r.must("scripts/release.sh", "check", "1.2.3")
	r.refuses("is no image by its digest", "tag", "1.2.3", "ghcr.io/org/deploy-action:v1.2.3", "/dev/null")
	r.refuses("names no turnout-linux-amd64", "tag", "1.2.3", image, "/dev/null")
	r.must("git", "reset", "--hard", "--quiet")
	r.must("git", "clean", "-fdq")

	r.write("new", "")
	r.refuses("not committed", "check", "1.2.3")
	r.write("CHANGELOG.md", "## 1.2.3 (unreleased)\n\n- New.\n")
	r.commit()
	r.refuses("still marked as unreleased?", "check", "1.2.3")
}
