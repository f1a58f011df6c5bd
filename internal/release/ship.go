package release

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"time"

	"github.com/org/deploy-action/internal/machine"
)

// Shipped is a release that has arrived whole on every machine.
type Shipped struct {
	ID       string        `json:"id"`       // the same everywhere; sorts by time, ends in the content's hash
	Files    int           `json:"files"`    // in the release
	Bytes    int64         `json:"bytes"`    // of those files
	Arrivals []Arrival     `json:"arrivals"` // in the order of the machines
	Took     time.Duration `json:"took_ns"`
}

// Arrival is what bringing a release to one machine came to.
type Arrival struct {
	Server string `json:"server"`
	Linked int    `json:"linked"` // files taken over from an earlier release
	Sent   int64  `json:"sent"`   // bytes that travelled, both ways, compressed

	// Awaited are the shared files that no one has put on the machine yet; the
	// release has links that lead nowhere until then.
	Awaited []string `json:"awaited,omitempty"`
}

// Progress is how far the upload to one server has come, in bytes of files.
type Progress struct {
	Server      string
	Done, Total int64
}

// Ship makes source, a directory or an archive of one, a new release, under one id, on every machine:
// it returns once all of them have it, or an error that names the server. Nothing
// refers to the release yet: Point does that. A source that can't be shipped is
// refused before anything is written.
//
// Modes, times and links of the source survive; of what it shares with an
// earlier release, the very files are used, with the times they have. progress
// is called from several goroutines, and may be nil.
func Ship(ctx context.Context, machines []machine.Machine, layout Layout, source string, progress func(Progress)) (Shipped, error) {
	return ShipBy(ctx, Receive.Exchange, machines, layout, source, progress)
}

// Receiving has a machine take its part in an upload: Receive.Exchange, or that
// behind a guard.
type Receiving func(context.Context, machine.Machine, Delivery, io.Reader, io.Writer) (Received, error)

// ShipBy is Ship with another way to have a machine receive.
func ShipBy(ctx context.Context, receive Receiving, machines []machine.Machine, layout Layout, source string, progress func(Progress)) (Shipped, error) {
	began := time.Now()
	source, err := filepath.Abs(source)
	if err != nil {
		return Shipped{}, fmt.Errorf("ship %s: %w", source, err)
	}
	dir, done, err := open(ctx, source)
	if err != nil {
		return Shipped{}, fmt.Errorf("ship %s: %w", source, err)
	}
	shipped, err := ship(ctx, machines, upload{receive: receive, layout: layout, source: source, dir: dir, progress: progress})
	if err := errors.Join(err, done()); err != nil {
		return Shipped{}, err
	}
	shipped.Took = time.Since(began)
	return shipped, nil
}

func ship(ctx context.Context, machines []machine.Machine, u upload) (Shipped, error) {
	manifest, err := scan(ctx, u.dir)
	if err == nil {
		err = u.layout.suits(manifest)
	}
	if err == nil {
		err = apart(machines, u.layout, u.dir)
	}
	if err != nil {
		return Shipped{}, fmt.Errorf("ship %s: %w", u.source, err)
	}
	u.manifest = manifest
	if u.progress == nil {
		u.progress = func(Progress) {}
	}
	id, err := u.run(ctx, machines)
	if err != nil {
		return Shipped{}, err
	}
	shipped := Shipped{ID: id}
	shipped.Files, shipped.Bytes = manifest.files()
	for _, t := range u.talks {
		shipped.Arrivals = append(shipped.Arrivals, t.arrival())
	}
	return shipped, nil
}

// apart refuses to ship a folder into itself.
func apart(machines []machine.Machine, layout Layout, source string) error {
	relative, err := filepath.Rel(source, layout.Root)
	if err != nil || !filepath.IsLocal(relative) {
		return nil
	}
	for _, m := range machines {
		if machine.IsHere(m) {
			return fmt.Errorf("root %s lies in the folder to ship", layout.Root)
		}
	}
	return nil
}
