package preview

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"time"

	"github.com/org/deploy-action/internal/machine"
	"github.com/org/deploy-action/internal/preview/register"
	"github.com/org/deploy-action/internal/release"
	"github.com/org/deploy-action/internal/state"
)

// Change is what a pull request is to show.
type Change struct {
	Number  int    // of the pull request
	Release string // directory or archive
	Commit  string
}

// keep is how many releases a preview has on disk: the one it shows and the one
// before.
const keep = 2

// Bring makes a preview show a release, in place where there is one already. An
// update that fails leaves the release before it running; a first one, nothing.
func Bring(ctx context.Context, r Request, c Change) (Record, error) {
	if c.Number < 1 {
		return Record{}, fmt.Errorf("%d is not the number of a pull request", c.Number)
	}
	w, err := begin(ctx, r)
	if err != nil {
		return Record{}, err
	}
	defer w.end()
	p, err := w.place(ctx, c)
	if err != nil {
		return Record{}, err
	}
	if err := w.serveDomain(ctx); err != nil {
		return p.Record, w.settle(ctx, p, p.Release, err)
	}
	return w.bring(ctx, p, c)
}

// place finds the preview of a pull request, or leases a port for a new one.
// What an interrupted removal has left, or stands where the spec has it no more,
// is removed first. A block that another repository has previews of is refused.
func (w *work) place(ctx context.Context, c Change) (*preview, error) {
	wanted, err := w.Preview.Of(c.Number, w.Preview.Ports[0])
	if err != nil {
		return nil, err
	}
	all, err := w.records(ctx)
	if err != nil {
		return nil, err
	}
	if _, others := w.part(all); len(others) > 0 {
		return nil, w.foreign(others[0])
	}
	for {
		now := time.Now().UTC()
		record, err := perform(ctx, w, w.app, register.Lease, register.Leasing{
			Dir: w.dir(), Ports: w.Preview.Ports, Max: w.Preview.Max,
			Record: Record{Name: wanted.Name, Repository: w.Repository, Number: c.Number, State: register.Coming, Created: now, Updated: now},
		})
		if err != nil {
			return nil, err
		}
		p, err := w.at(record)
		if err != nil {
			return nil, err
		}
		if record.State != register.Going && !w.moved(p) {
			p.Root, p.Hostname = p.instance.Root, p.instance.Hostname
			return p, nil
		}
		if err := w.remove(ctx, []Record{record}, "it is made anew"); err != nil {
			return nil, err
		}
	}
}

// moved reports whether the spec has another place for a preview than its record:
// another folder, host name or range of ports.
func (w *work) moved(p *preview) bool {
	if p.Port < w.Preview.Ports[0] || p.Port > w.Preview.Ports[1] {
		return true
	}
	return p.Root != "" && (p.Root != p.instance.Root || p.Hostname != p.instance.Hostname)
}

// bring ships a release, starts it and leads the proxies to it.
func (w *work) bring(ctx context.Context, p *preview, c Change) (Record, error) {
	former := p.Release
	p.State, p.Commit, p.Updated = register.Coming, c.Commit, time.Now().UTC()
	p.Repository = w.Repository
	if err := w.note(ctx, p.Record); err != nil {
		return p.Record, w.settle(ctx, p, former, err)
	}
	shipped, err := release.ShipBy(ctx, w.receive, []machine.Machine{w.app.machine}, p.layout(), c.Release, nil)
	if err != nil {
		return p.Record, w.settle(ctx, p, former, w.app.named(err))
	}
	w.tell(p.Record, "release %s is on %s, port %d", shipped.ID, w.app.server.Name, p.Port)
	if err := w.show(ctx, p, shipped.ID); err != nil {
		return p.Record, w.settle(ctx, p, former, err)
	}
	_, err = perform(ctx, w, w.app, release.Prune, release.Pruning{Root: string(p.Root), Keep: keep, InUse: []string{former}})
	if err != nil {
		w.tell(p.Record, "old releases stay: %v", err)
	}
	return p.Record, nil
}

// show has a preview serve a release that is on its server, from start to proof.
func (w *work) show(ctx context.Context, p *preview, id string) error {
	if err := w.start(ctx, p, id); err != nil {
		return err
	}
	shown := p.Record
	shown.Release, shown.State = id, register.Up
	if err := w.serve(ctx, shown); err != nil {
		return err
	}
	if err := w.note(ctx, shown); err != nil {
		return err
	}
	p.Record = shown
	return nil
}

// settleTime bounds putting a preview back once its run was cancelled: GitHub
// kills a job 7.5 s after its first signal, and what is left then is repaired by
// the next run.
const settleTime = time.Minute

// settle ends a failed change: the former release runs again, or nothing is left
// where there was none. It returns what failed and what is true now.
func (w *work) settle(ctx context.Context, p *preview, former string, cause error) error {
	ctx, stop := context.WithTimeout(context.WithoutCancel(ctx), settleTime)
	defer stop()
	if former == "" {
		if err := w.remove(ctx, []Record{p.Record}, ""); err != nil {
			return &LeftError{cause, fmt.Errorf("and it could not be removed: %w", err)}
		}
		return fmt.Errorf("%s: %w; nothing is left of it", p.Name, cause)
	}
	if err := w.resume(ctx, p, former); err != nil {
		return &LeftError{cause, fmt.Errorf("and release %s, which ran before, could not be put back: %w", former, err)}
	}
	return fmt.Errorf("%s: %w; release %s runs as before", p.Name, cause, former)
}

// resume has a preview go on with a release, which may be running still.
func (w *work) resume(ctx context.Context, p *preview, id string) error {
	held, err := release.Slots.On(ctx, w.app.machine, string(p.Root))
	if err != nil {
		return w.app.named(err)
	}
	if held[current] == id && w.fit(ctx, p) == nil {
		shown := p.Record
		shown.Release, shown.State = id, register.Up
		if err := w.serve(ctx, shown); err != nil {
			return err
		}
		return w.note(ctx, shown)
	}
	return w.show(ctx, p, id)
}

// LeftError is a change that failed and could not be put back.
type LeftError struct{ Cause, Left error }

// Error tells what failed, what could not be put back, and what helps.
func (e *LeftError) Error() string {
	return fmt.Sprintf("%v; %v; \"turnout preview sync\" repairs it", e.Cause, e.Left)
}

func (e *LeftError) Unwrap() []error { return []error{e.Cause, e.Left} }

// Stranded reports whether something could not be put back.
func Stranded(err error) bool {
	var left *LeftError
	return errors.As(err, &left)
}

// note writes the record of a preview on its server.
func (w *work) note(ctx context.Context, r Record) error {
	_, err := perform(ctx, w, w.app, register.Note, register.Noting{Dir: w.dir(), Record: r})
	return err
}

// receive has the server receive a release, in this run's epoch.
func (w *work) receive(ctx context.Context, m machine.Machine, d release.Delivery, in io.Reader, out io.Writer) (release.Received, error) {
	return state.Guarded(release.Receive).Exchange(ctx, m, state.Order[release.Delivery]{Reign: w.reign(), Request: d}, in, out)
}

func (p *preview) layout() release.Layout { return release.Layout{Root: string(p.Root)} }

func (p *preview) dir() string { return filepath.Join(string(p.Root), current) }
