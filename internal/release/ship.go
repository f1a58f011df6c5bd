package release

import (
	"context"
	"fmt"
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

// Ship makes the directory source a new release, under one id, on every machine:
// it returns once all of them have it, or an error that names the server. Nothing
// refers to the release yet: Point does that. A source that can't be shipped is
// refused before anything is written.
//
// Modes, times and links of the source survive; of what it shares with an
// earlier release, the very files are used, with the times they have. progress
// is called from several goroutines, and may be nil.
func Ship(ctx context.Context, machines []machine.Machine, layout Layout, source string, progress func(Progress)) (Shipped, error) {
	began := time.Now()
	source, err := filepath.Abs(source)
	if err != nil {
		return Shipped{}, fmt.Errorf("ship %s: %w", source, err)
	}
	manifest, err := scan(ctx, source)
	if err != nil {
		return Shipped{}, fmt.Errorf("ship %s: %w", source, err)
	}
	var shipped Shipped
	for _, m := range machines {
		received, err := Receive.On(ctx, m, Delivery{Layout: layout, Source: source, Manifest: manifest})
		if err != nil {
			return Shipped{}, fmt.Errorf("%s: ship %s to %s: %w", m.Name(), source, layout.Root, err)
		}
		shipped.ID, shipped.Files, shipped.Bytes = received.ID, received.Files, received.Bytes
		shipped.Arrivals = append(shipped.Arrivals, Arrival{Server: m.Name(), Linked: received.Linked, Awaited: received.Awaited})
	}
	shipped.Took = time.Since(began)
	return shipped, nil
}
