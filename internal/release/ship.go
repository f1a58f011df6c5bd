package release

import (
	"context"
	"fmt"
	"path/filepath"
	"time"

	"github.com/org/deploy-action/internal/machine"
)

// Shipped is a release that has arrived whole.
type Shipped struct {
	ID     string        `json:"id"`     // sorts by time; ends in the content's hash
	Files  int           `json:"files"`  // in the release, linked ones included
	Bytes  int64         `json:"bytes"`  // of those files
	Linked int           `json:"linked"` // files taken over from an earlier release
	Took   time.Duration `json:"took_ns"`

	// Awaited are the shared files that no one has put on the machine yet; the
	// release has links that lead nowhere until then.
	Awaited []string `json:"awaited,omitempty"`
}

// Ship makes the directory source a new release on m. Nothing refers to the
// release yet: Point does that. On an error nothing of it is left, and a source
// that can't be shipped is refused before anything is written.
//
// Modes, times and links of the source survive; of what it shares with an
// earlier release, the very files are used, with the times they have.
func Ship(ctx context.Context, m machine.Machine, layout Layout, source string) (Shipped, error) {
	began := time.Now()
	source, err := filepath.Abs(source)
	if err != nil {
		return Shipped{}, fmt.Errorf("ship %s: %w", source, err)
	}
	manifest, err := scan(ctx, source)
	if err != nil {
		return Shipped{}, fmt.Errorf("ship %s: %w", source, err)
	}
	shipped, err := Receive.On(ctx, m, Delivery{Layout: layout, Source: source, Manifest: manifest})
	if err != nil {
		return Shipped{}, fmt.Errorf("ship %s to %s: %w", source, layout.Root, err)
	}
	shipped.Took = time.Since(began)
	return shipped, nil
}
