package release

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/org/deploy-action/internal/machine"
)

// Receive builds a release from a source that the machine can read; Ship
// prepares the request.
var Receive = machine.Op[Delivery, Received]{Name: "release.receive", Do: receive}

// Delivery is a release to be built. Source holds what Manifest lists.
type Delivery struct {
	Layout   Layout   `json:"layout"`
	Source   string   `json:"source"`
	Manifest Manifest `json:"manifest"`
}

// Received is what was built.
type Received struct {
	ID      string   `json:"id"`
	Files   int      `json:"files"`
	Bytes   int64    `json:"bytes"`
	Linked  int      `json:"linked"`
	Awaited []string `json:"awaited,omitempty"`
}

// receiver builds one release in a .partial folder.
type receiver struct {
	Delivery
	id      string
	former  []string        // earlier releases, newest first
	seeds   map[string]bool // shared paths the release brings to a machine without them
	shipped Received
}

func receive(ctx context.Context, _ machine.At, d Delivery) (Received, error) {
	if err := d.check(); err != nil {
		return Received{}, err
	}
	r, err := newReceiver(d)
	if err != nil {
		return Received{}, err
	}
	if err := r.build(ctx); err != nil {
		if left := r.Layout.sweep(); left != nil {
			err = errors.Join(err, left)
		}
		return Received{}, err
	}
	return r.shipped, nil
}

// check refuses what can't be built, before anything is written.
func (d Delivery) check() error {
	if err := errors.Join(d.Layout.check(), d.Manifest.check()); err != nil {
		return err
	}
	if relative, err := filepath.Rel(d.Source, d.Layout.Root); err == nil && filepath.IsLocal(relative) {
		return fmt.Errorf("root %s lies in the folder to ship", d.Layout.Root)
	}
	for _, item := range d.Manifest {
		for _, shared := range d.Layout.Shared {
			if strings.HasPrefix(shared, item.Path+"/") && !item.Mode.IsDir() {
				return fmt.Errorf("shared path %q: the release has no folder at %s", shared, item.Path)
			}
		}
	}
	return nil
}

func newReceiver(d Delivery) (*receiver, error) {
	if err := d.Layout.prepare(); err != nil {
		return nil, err
	}
	if err := d.Layout.sweep(); err != nil {
		return nil, err
	}
	former, err := d.Layout.ids()
	if err != nil {
		return nil, err
	}
	slices.Reverse(former)
	id, err := d.Layout.newID(time.Now(), d.Manifest.sum())
	if err != nil {
		return nil, err
	}
	r := &receiver{Delivery: d, id: id, former: former, seeds: make(map[string]bool)}
	return r, r.plantSeeds()
}

// plantSeeds finds the shared paths that this release brings first.
func (r *receiver) plantSeeds() error {
	for _, item := range r.Manifest {
		if !slices.Contains(r.Layout.Shared, item.Path) {
			continue
		}
		_, err := os.Stat(r.Layout.shared(item.Path))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		r.seeds[item.Path] = err != nil
	}
	return nil
}

func (r *receiver) partial() string {
	return filepath.Join(r.Layout.releases(), r.id+partialSuffix)
}

func (r *receiver) build(ctx context.Context) error {
	err := errors.Join(os.Mkdir(r.partial(), 0o755), os.Chmod(r.partial(), 0o755)) // proxies read it, whatever the umask
	if err != nil {
		return err
	}
	for _, item := range r.Manifest {
		if err := ctx.Err(); err != nil {
			return context.Cause(ctx)
		}
		if err := r.place(item); err != nil {
			return fmt.Errorf("%s: %w", item.Path, err)
		}
	}
	if err := r.share(); err != nil {
		return err
	}
	if err := r.finishDirs(); err != nil {
		return err
	}
	return r.seal()
}

// destination is where an item is built, "" where the machine has its own.
func (r *receiver) destination(item Item) string {
	shared := r.Layout.sharedOver(item.Path)
	switch {
	case shared == "":
		return filepath.Join(r.partial(), filepath.FromSlash(item.Path))
	case r.seeds[shared]:
		return r.Layout.shared(shared) + partialSuffix + filepath.FromSlash(strings.TrimPrefix(item.Path, shared))
	}
	return ""
}

func (r *receiver) place(item Item) error {
	to := r.destination(item)
	if to == "" {
		return nil
	}
	if slices.Contains(r.Layout.Shared, item.Path) {
		if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
			return err
		}
	}
	switch item.Mode.Type() {
	case fs.ModeDir:
		return os.Mkdir(to, 0o700) // finishDirs gives it its mode
	case fs.ModeSymlink:
		return placeLink(item, to)
	}
	return r.placeFile(item, to)
}

func placeLink(item Item, to string) error {
	if err := os.Symlink(item.Target, to); err != nil {
		return err
	}
	at := unix.NsecToTimespec(item.ModTime.UnixNano())
	return unix.UtimesNanoAt(unix.AT_FDCWD, to, []unix.Timespec{at, at}, unix.AT_SYMLINK_NOFOLLOW)
}

func (r *receiver) placeFile(item Item, to string) error {
	r.shipped.Files++
	r.shipped.Bytes += item.Size
	if r.Layout.sharedOver(item.Path) == "" && r.linkFormer(item, to) {
		r.shipped.Linked++
		return nil
	}
	return copyFile(filepath.Join(r.Source, filepath.FromSlash(item.Path)), to, item)
}

// linkFormer takes the file over from the newest release that has the same one.
// The hash is asked of the file itself: an application may have written to it.
func (r *receiver) linkFormer(item Item, to string) bool {
	for _, id := range r.former {
		from := filepath.Join(r.Layout.releases(), id, filepath.FromSlash(item.Path))
		info, err := os.Lstat(from)
		if err != nil || info.Mode() != item.Mode || info.Size() != item.Size {
			continue
		}
		if sum, _, err := hashFile(from); err == nil && sum == item.Sum {
			return os.Link(from, to) == nil // or it is copied: too many links, for one
		}
	}
	return false
}

// finishDirs gives folders their modes and times, the deepest first: files put
// into them have changed both.
func (r *receiver) finishDirs() error {
	for _, item := range slices.Backward(r.Manifest) {
		to := r.destination(item)
		if !item.Mode.IsDir() || to == "" {
			continue
		}
		err := errors.Join(os.Chmod(to, item.Mode), os.Chtimes(to, item.ModTime, item.ModTime))
		if err != nil {
			return err
		}
	}
	return nil
}

// seal makes the release whole and lasting: its content first, then its name.
func (r *receiver) seal() error {
	if err := syncTree(r.partial()); err != nil {
		return err
	}
	if err := r.sow(); err != nil {
		return err
	}
	r.shipped.ID = r.id
	if err := os.Rename(r.partial(), filepath.Join(r.Layout.releases(), r.id)); err != nil {
		return err
	}
	return machine.SyncDir(r.Layout.releases())
}

// sow puts what the release brings to the shared folder in its place.
func (r *receiver) sow() error {
	for shared, isSeed := range r.seeds {
		if !isSeed {
			continue
		}
		to := r.Layout.shared(shared)
		if err := syncTree(filepath.Dir(to)); err != nil {
			return err
		}
		if err := os.Rename(to+partialSuffix, to); err != nil {
			return err
		}
		if err := machine.SyncDir(filepath.Dir(to)); err != nil {
			return err
		}
	}
	return nil
}
