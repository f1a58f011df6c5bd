package release

import (
	"bufio"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/klauspost/compress/zstd"
	"golang.org/x/sys/unix"

	"github.com/org/deploy-action/internal/machine"
)

// Receive takes part in the upload of a release; Ship is the other part. An
// upload that is cut off leaves what has arrived, for the next one.
var Receive = machine.Op[Delivery, Received]{Name: "release.receive", Do: receive}

// Delivery says where an upload goes.
type Delivery struct {
	Layout Layout `json:"layout"`
	Salt   Salt   `json:"salt"`
	Alone  bool   `json:"alone,omitempty"` // there is no other machine to wait for
}

// Received is what became of an upload.
type Received struct {
	Linked  int      `json:"linked"`            // files taken over from what was there
	Awaited []string `json:"awaited,omitempty"` // see Arrival
}

// receiver builds one release in a .partial folder.
type receiver struct {
	Delivery
	in     *bufio.Reader
	out    io.Writer
	buffer []byte

	manifest Manifest
	proof    Sum
	newest   string          // id of the newest release before this one
	seeds    map[string]bool // shared paths the release brings to a machine without them
	stock    *stock
	missing  []int    // items that have to be sent
	former   []string // what interrupted uploads have left
	partial  string
	received Received
}

func receive(ctx context.Context, at machine.At, d Delivery) (Received, error) {
	if err := errors.Join(d.Layout.check(), d.Layout.prepare()); err != nil {
		return Received{}, err
	}
	claimed, err := d.Layout.claim(ctx)
	if err != nil {
		return Received{}, err
	}
	defer claimed.Close()
	r := &receiver{Delivery: d, in: bufio.NewReader(at.In), out: at.Out, buffer: make([]byte, maxBlock)}
	if err := r.take(ctx); err != nil {
		if ctx.Err() != nil {
			return Received{}, fmt.Errorf("%w; what has arrived waits for the next upload", err)
		}
		return Received{}, errors.Join(err, r.discard())
	}
	return r.received, nil
}

// take has the conversation that is an upload.
func (r *receiver) take(ctx context.Context) error {
	for _, step := range []func(context.Context) error{
		r.readManifest, r.look, r.fit, r.answer, r.build, r.fetch, r.finish, r.seal,
	} {
		if err := step(ctx); err != nil {
			return err
		}
	}
	return nil
}

// discard removes what was built.
func (r *receiver) discard() error {
	if r.partial == "" {
		return nil
	}
	return errors.Join(removeTree(r.partial), r.Layout.sweepShared())
}

// readManifest reads what is to be built, and refuses what can't be, before
// anything is written.
func (r *receiver) readManifest(context.Context) error {
	in, err := receiveMessage(r.in)
	if err != nil {
		return err
	}
	r.manifest, r.proof, err = readManifest(in)
	if err := errors.Join(err, in.close()); err != nil {
		return fmt.Errorf("manifest: %w", err)
	}
	if err := r.manifest.check(); err != nil {
		return err
	}
	return r.Layout.suits(r.manifest)
}

// suits refuses shared paths that a release has no place for.
func (l Layout) suits(m Manifest) error {
	for _, item := range m {
		for _, shared := range l.Shared {
			if strings.HasPrefix(shared, item.Path+"/") && !item.Mode.IsDir() {
				return fmt.Errorf("shared path %q: the release has no folder at %s", shared, item.Path)
			}
		}
	}
	return nil
}

// look sees what there is already.
func (r *receiver) look(ctx context.Context) (err error) {
	if err := r.Layout.sweepShared(); err != nil {
		return err
	}
	if r.newest, err = r.Layout.newest(); err != nil {
		return err
	}
	if err := r.plantSeeds(); err != nil {
		return err
	}
	return r.takeStock(ctx)
}

func (r *receiver) takeStock(ctx context.Context) error {
	var wanted []int
	for i, item := range r.manifest {
		if item.Mode.IsRegular() && r.destination(item) != "" {
			wanted = append(wanted, i)
		}
	}
	trees, err := r.trees()
	if err != nil {
		return err
	}
	if r.stock, err = takeStock(ctx, r.manifest, wanted, trees); err != nil {
		return err
	}
	r.missing = slices.DeleteFunc(wanted, func(i int) bool { return r.stock.found[i].path != "" })
	return nil
}

// trees are the folders to look in: the newest release, what was interrupted on
// its way to the one after it, then earlier ones.
func (r *receiver) trees() ([]string, error) {
	ids, err := r.Layout.ids()
	if err != nil {
		return nil, err
	}
	var trees []string
	for _, id := range slices.Backward(ids) {
		trees = append(trees, filepath.Join(r.Layout.releases(), id))
	}
	r.former = r.Layout.partials()
	return slices.Insert(trees, min(1, len(trees)), r.former...), nil
}

// plantSeeds finds the shared paths that this release brings first.
func (r *receiver) plantSeeds() error {
	r.seeds = make(map[string]bool)
	for _, item := range r.manifest {
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

// destination is where an item is built, "" where the machine has its own.
func (r *receiver) destination(item Item) string {
	shared := r.Layout.sharedOver(item.Path)
	switch {
	case shared == "":
		return filepath.Join(r.partial, filepath.FromSlash(item.Path))
	case r.seeds[shared]:
		return r.Layout.shared(shared) + partialSuffix + filepath.FromSlash(strings.TrimPrefix(item.Path, shared))
	}
	return ""
}

// answer tells what is missing.
func (r *receiver) answer(context.Context) error {
	if _, err := r.out.Write(append([]byte{byte(len(r.newest))}, r.newest...)); err != nil {
		return err
	}
	o, err := send(r.out, zstd.SpeedDefault)
	if err != nil {
		return err
	}
	defer o.drop()
	o.number(uint64(len(r.missing)))
	before := 0
	for _, i := range r.missing {
		o.number(uint64(i - before))
		before = i
		bases, err := r.stock.bases(i)
		if err == nil {
			err = writeSums(o, r.Salt, bases, r.manifest[i].Size, r.buffer)
		}
		closeAll(bases)
		if err != nil {
			return fmt.Errorf("%s: %w", r.manifest[i].Path, err)
		}
	}
	return o.close()
}

// build makes what needs no sending.
func (r *receiver) build(ctx context.Context) error {
	r.partial = filepath.Join(r.Layout.releases(), "upload-"+rand.Text()+partialSuffix)
	err := errors.Join(os.Mkdir(r.partial, 0o755), os.Chmod(r.partial, 0o755)) // proxies read it, whatever the umask
	if err != nil {
		return err
	}
	for i, item := range r.manifest {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if err := r.place(i, item); err != nil {
			return fmt.Errorf("%s: %w", item.Path, err)
		}
	}
	return nil
}

func (r *receiver) place(i int, item Item) error {
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
	if from := r.stock.found[i]; from.path != "" {
		r.received.Linked++
		return r.takeOver(item, from, to)
	}
	return nil
}

func placeLink(item Item, to string) error {
	if err := os.Symlink(item.Target, to); err != nil {
		return err
	}
	at := unix.NsecToTimespec(item.ModTime.UnixNano())
	return unix.UtimesNanoAt(unix.AT_FDCWD, to, []unix.Timespec{at, at}, unix.AT_SYMLINK_NOFOLLOW)
}

// takeOver makes a file of one that is there: the very same where it can.
func (r *receiver) takeOver(item Item, from find, to string) error {
	if r.linkable(item, from) && os.Link(from.path, to) == nil {
		return nil // else there are too many links, for one
	}
	return copyFile(from.path, to, item)
}

// linkable reports whether two releases may share a file. One that is where it
// was may keep its time: a fresh checkout gives every file a new one. What an
// application writes to in place must not be in an earlier release, and a file
// that an interrupted upload has left may not have its time yet.
func (r *receiver) linkable(item Item, from find) bool {
	info, err := os.Lstat(from.path)
	if err != nil || info.Mode() != item.Mode || r.Layout.sharedOver(item.Path) != "" {
		return false
	}
	interrupted := slices.ContainsFunc(r.former, func(dir string) bool { return strings.HasPrefix(from.path, dir+"/") })
	return info.ModTime().Equal(item.ModTime) || from.inPlace && !interrupted
}

// fetch takes what is missing.
func (r *receiver) fetch(ctx context.Context) error {
	in, err := receiveMessage(r.in)
	if err != nil {
		return err
	}
	defer in.packed.Close()
	for _, i := range r.missing {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if err := r.fetchFile(in, i); err != nil {
			return fmt.Errorf("%s: %w", r.manifest[i].Path, err)
		}
	}
	return in.close()
}

func (r *receiver) fetchFile(in *incoming, i int) error {
	item := &r.manifest[i]
	bases, err := r.stock.bases(i)
	if err != nil {
		return err
	}
	defer closeAll(bases)
	to := r.destination(*item)
	file, err := os.OpenFile(to, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	h := sha256.New()
	err = assemble(io.MultiWriter(file, h), in, bases, item.Size, r.buffer)
	if err == nil && !sumOf(h).matches(item.Sum) {
		err = errors.New("changed while it was shipped: what has arrived has another SHA-256")
	}
	if err == nil {
		item.Sum = sumOf(h)
		err = file.Chmod(item.Mode)
	}
	if err := errors.Join(err, file.Close()); err != nil {
		return err
	}
	return os.Chtimes(to, item.ModTime, item.ModTime)
}

// finish makes the release whole and lasting, but for its name.
func (r *receiver) finish(context.Context) error {
	if r.manifest.proof(r.Layout) != r.proof {
		return errors.New("what has arrived is not what was sent: the SHA-256 of the whole differs")
	}
	if err := r.share(); err != nil {
		return err
	}
	if err := r.finishDirs(); err != nil {
		return err
	}
	return syncTree(r.partial)
}

// finishDirs gives folders their modes and times, the deepest first: files put
// into them have changed both.
func (r *receiver) finishDirs() error {
	for _, item := range slices.Backward(r.manifest) {
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

// ready is what a machine says when all it needs is there.
const ready = 'R'

// seal gives the release its name, once every machine is ready.
func (r *receiver) seal(context.Context) error {
	if !r.Alone {
		if _, err := r.out.Write([]byte{ready}); err != nil {
			return err
		}
	}
	var name [idSize]byte
	if _, err := io.ReadFull(r.in, name[:]); err != nil {
		return err
	}
	id := string(name[:])
	if !idPattern.MatchString(id) || id <= r.newest {
		return fmt.Errorf("%q is not the id of a release after %s", id, r.newest)
	}
	if err := r.sow(); err != nil {
		return err
	}
	if err := os.Rename(r.partial, filepath.Join(r.Layout.releases(), id)); err != nil {
		return err
	}
	for _, dir := range r.former {
		if err := removeTree(dir); err != nil {
			return fmt.Errorf("remove what an interrupted upload left: %w", err)
		}
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
