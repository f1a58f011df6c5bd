// Package release brings releases to a machine and says which slot holds which.
//
//	<root>/releases/<id>/           one folder per release
//	<root>/<slot> → releases/<id>   replaced in one step
//	<root>/shared/…                 what outlives releases, linked into each one
package release

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// Layout is where the releases of an environment live.
type Layout struct {
	Root   string   `json:"root"`             // absolute
	Shared []string `json:"shared,omitempty"` // slash-separated, relative to a release
}

const (
	releasesName  = "releases"
	sharedName    = "shared"
	partialSuffix = ".partial"
	stampLayout   = "20060102t150405z"
	idSize        = len(stampLayout) + len("-12345678")
)

var idPattern = regexp.MustCompile(`\A\d{8}t\d{6}z-[0-9a-f]{8}\z`)

func (l Layout) releases() string { return filepath.Join(l.Root, releasesName) }

// shared is where the machine keeps a shared path.
func (l Layout) shared(p string) string {
	return filepath.Join(l.Root, sharedName, filepath.FromSlash(p))
}

// sharedOver is the shared path that p is or lies under, "" when there is none.
func (l Layout) sharedOver(p string) string {
	for _, shared := range l.Shared {
		if p == shared || strings.HasPrefix(p, shared+"/") {
			return shared
		}
	}
	return ""
}

// check refuses shared paths that leave the release or lie in each other.
func (l Layout) check() error {
	for i, p := range l.Shared {
		if !filepath.IsLocal(p) || path.Clean(p) != p || p == "." {
			return fmt.Errorf("shared path %q: is not a plain path inside the release", p)
		}
		rest := Layout{Shared: slices.Concat(l.Shared[:i], l.Shared[i+1:])}
		if over := rest.sharedOver(p); over != "" {
			return fmt.Errorf("shared path %q: lies in the shared path %q", p, over)
		}
	}
	return nil
}

// prepare makes the root ready to take a release.
func (l Layout) prepare() error {
	if !filepath.IsAbs(l.Root) {
		return fmt.Errorf("root %q: is not an absolute path", l.Root)
	}
	if err := os.MkdirAll(l.Root, 0o755); err != nil {
		return fmt.Errorf("root: %w; give the user who deploys a directory to write to", err)
	}
	real, err := filepath.EvalSymlinks(l.Root)
	if err != nil {
		return fmt.Errorf("root: %w", err)
	}
	if filepath.Base(filepath.Dir(real)) == releasesName && idPattern.MatchString(filepath.Base(real)) {
		return fmt.Errorf("root %s: is a link to the release %s; root is the folder above releases", l.Root, real)
	}
	if err := os.MkdirAll(l.releases(), 0o755); err != nil {
		return fmt.Errorf("root: %w", err)
	}
	return nil
}

// ids are the whole releases, oldest first.
func (l Layout) ids() ([]string, error) {
	entries, err := os.ReadDir(l.releases())
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	var ids []string
	for _, entry := range entries {
		if entry.IsDir() && idPattern.MatchString(entry.Name()) {
			ids = append(ids, entry.Name())
		}
	}
	return ids, err // ReadDir sorts, and an id begins with its time
}

// newest is the id of the newest release, "" where there is none.
func (l Layout) newest() (string, error) {
	ids, err := l.ids()
	if err != nil || len(ids) == 0 {
		return "", err
	}
	return ids[len(ids)-1], nil
}

// newID is an id for content with that hash. It sorts after that of the newest
// release there is, even where the clock has been set back.
func newID(now time.Time, newest string, sum Sum) string {
	now = now.UTC().Truncate(time.Second)
	stamp, _, _ := strings.Cut(newest, "-")
	if then, err := time.Parse(stampLayout, stamp); err == nil && !now.After(then) {
		now = then.Add(time.Second)
	}
	return now.Format(stampLayout) + "-" + sum.String()[:8]
}

// partials are what interrupted uploads and removals left.
func (l Layout) partials() []string {
	left, err := filepath.Glob(filepath.Join(globLiteral(l.releases()), "*"+partialSuffix))
	if err != nil {
		panic("release: a quoted pattern: " + err.Error())
	}
	return left
}

var globSpecial = regexp.MustCompile(`[\\*?\[\]]`)

// globLiteral is a pattern that matches path alone.
func globLiteral(path string) string { return globSpecial.ReplaceAllString(path, `\$0`) }

// sweepShared removes what interrupted uploads left beside shared paths.
func (l Layout) sweepShared() error {
	for _, shared := range l.Shared {
		if err := removeTree(l.shared(shared) + partialSuffix); err != nil {
			return fmt.Errorf("remove what an interrupted upload left: %w", err)
		}
	}
	return nil
}

// claimTime is how long an upload waits for another one to end: a client that
// was cut off is given up within 20 s.
const claimTime = 25 * time.Second

// claim makes sure that no other upload to the root is under way until the file
// it returns is closed.
func (l Layout) claim(ctx context.Context) (*os.File, error) {
	dir, err := os.Open(l.releases())
	if err != nil {
		return nil, err
	}
	deadline := time.After(claimTime)
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		err := unix.Flock(int(dir.Fd()), unix.LOCK_EX|unix.LOCK_NB)
		if err == nil {
			return dir, nil
		}
		if !errors.Is(err, unix.EWOULDBLOCK) {
			return nil, errors.Join(fmt.Errorf("lock %s: %w", dir.Name(), err), dir.Close())
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil, errors.Join(context.Cause(ctx), dir.Close())
		case <-deadline:
			return nil, errors.Join(fmt.Errorf("another upload to %s is under way: try again when it has ended", l.Root), dir.Close())
		}
	}
}

// removeTree removes a tree, folders that forbid it included.
func removeTree(root string) error {
	_ = filepath.WalkDir(root, func(p string, entry fs.DirEntry, err error) error {
		if err == nil && entry.IsDir() {
			_ = os.Chmod(p, 0o700)
		}
		return nil // RemoveAll says what can't be removed
	})
	return os.RemoveAll(root)
}
