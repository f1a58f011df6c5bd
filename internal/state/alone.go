package state

import (
	"context"
	"fmt"
	"time"

	"github.com/org/deploy-action/internal/protocol"
)

// Alone puts a proxy back whose run has gone in the middle of a switch.
type Alone func(context.Context, Orphan) error

// Orphan is a switch whose run has gone.
type Orphan struct {
	Entries []Entry // of its journal
	dir     string
}

// Back rules in the journal that this host returns to the old slot.
func (o Orphan) Back() error {
	entry := o.Entries[len(o.Entries)-1]
	entry.Time, entry.Kind, entry.By, entry.Alone = time.Now().UTC(), Back, "agent", nil
	return note(Writing{Dir: o.dir, Entry: entry})
}

// aloneTime bounds what an agent does alone: others wait for its lock.
const aloneTime = 10 * time.Second

// actAlone does what the journal asks of an agent that is alone.
func (h *heldLock) actAlone() error {
	journal, err := readJournal(h.dir)
	if err != nil {
		return fmt.Errorf("journal: %w", err)
	}
	if !protocol.Alone(journal.Standing()) {
		return nil
	}
	ctx, stop := context.WithTimeout(context.Background(), aloneTime)
	defer stop()
	return h.alone(ctx, Orphan{Entries: journal.Entries, dir: h.dir})
}
