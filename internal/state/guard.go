package state

import (
	"context"
	"fmt"

	"github.com/org/deploy-action/internal/machine"
	"github.com/org/deploy-action/internal/protocol"
)

// Guarded is op for the run that has the environment: it is performed only while
// the session holds the lock and the run's epoch stands, else there is a
// *FencedError and nothing was changed. A run that slept while another took its
// place can't write any more, in its old session or in a new one. What the order
// announces is in the journal, durably, before op begins.
func Guarded[Req, Res any](op machine.Op[Req, Res]) machine.Op[Order[Req], Res] {
	return machine.Op[Order[Req], Res]{Name: "guarded " + op.Name, Do: func(ctx context.Context, at machine.At, o Order[Req]) (Res, error) {
		if err := o.announce(at); err != nil {
			var none Res
			return none, err
		}
		return op.Do(ctx, at, o.Request)
	}}
}

// Order is a request of a run that names its epoch.
type Order[Req any] struct {
	Reign
	Entry   *Entry `json:"entry,omitempty"` // for the journal; nil: none
	Request Req    `json:"request"`
}

// announce lets the order in and writes its entry.
func (o Order[Req]) announce(at machine.At) error {
	if err := o.admit(at); err != nil || o.Entry == nil {
		return err
	}
	lock := held(at, o.Dir)
	lock.journal.Lock()
	defer lock.journal.Unlock()
	return note(Writing{Dir: o.Dir, Entry: *o.Entry})
}

// admit is nil while the session may change something under that epoch.
func (r Reign) admit(at machine.At) error {
	standing, err := readEpoch(r.Dir)
	if err != nil {
		return err
	}
	if held(at, r.Dir) == nil || !protocol.Admits(standing, r.Epoch) {
		return fencedOut(r)
	}
	return nil
}

// FencedError is an operation of a run that has lost the lock.
type FencedError struct {
	Reign
	Standing protocol.Epoch // what stands on the machine
	By       *Holder        // who holds the lock now; nil: nobody
}

func (e *FencedError) Error() string {
	who := "nobody holds it now"
	if e.By != nil {
		who = "it is held by " + e.By.String()
	}
	if e.Standing.Number > e.Epoch.Number {
		who += fmt.Sprintf("; run %s has had it since, in epoch %d", e.Standing.Run, e.Standing.Number)
	}
	return fmt.Sprintf("the lock in %s is not this run's any more (epoch %d): %s; nothing was changed", e.Dir, e.Epoch.Number, who)
}

func fencedOut(r Reign) error {
	e := &FencedError{Reign: r}
	var err error
	if e.Standing, err = readEpoch(r.Dir); err != nil {
		return err
	}
	grant, err := lockStatus(context.Background(), machine.At{}, r.Dir)
	if err != nil {
		return err
	}
	if grant.Held {
		e.By = &grant.By
	}
	return e
}
