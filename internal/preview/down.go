package preview

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/org/deploy-action/internal/preview/register"
	"github.com/org/deploy-action/internal/release"
)

// Remove takes away the preview of a pull request: its host name first, then what
// runs, its folder and its port. One that is not there is no error: found is
// false, and so it is for one of another repository.
func Remove(ctx context.Context, r Request, number int) (found bool, err error) {
	w, err := begin(ctx, r)
	if err != nil {
		return false, err
	}
	defer w.end()
	numbered := func(r Record) bool { return r.Number == number }
	all, err := w.records(ctx)
	if err != nil {
		return false, err
	}
	own, others := w.part(all)
	if i := slices.IndexFunc(own, numbered); i >= 0 {
		return true, w.remove(ctx, own[i:i+1], "")
	}
	if i := slices.IndexFunc(others, numbered); i >= 0 && w.Repository == "" {
		return false, w.foreign(others[i])
	}
	return false, nil
}

func (w *work) records(ctx context.Context) ([]Record, error) {
	all, err := register.All.On(ctx, w.app.machine, w.dir())
	return all, w.app.named(err)
}

// remove takes previews away. That one can't be is no reason to leave the others.
func (w *work) remove(ctx context.Context, records []Record, why string) error {
	for i := range records {
		records[i].State = register.Going
		if err := w.note(ctx, records[i]); err != nil {
			return err
		}
	}
	// Nothing is stopped while a proxy may lead to it.
	if err := w.unserve(ctx, records); err != nil {
		return err
	}
	var errs []error
	for _, record := range records {
		if err := w.clear(ctx, record); err != nil {
			errs = append(errs, fmt.Errorf("%s: its host name is gone, and not all of the rest: %w", record.Name, err))
			continue
		}
		if why != "" {
			w.tell(record, "removed: %s", why)
		}
	}
	return errors.Join(errs...)
}

// clear removes what a preview has on its server, and last its record.
func (w *work) clear(ctx context.Context, r Record) error {
	if r.Root != "" {
		p, err := w.at(r)
		if err != nil {
			return err
		}
		if err := w.stop(ctx, p); err != nil && !errors.Is(err, errTaken) {
			return err
		}
		if _, err := perform(ctx, w, w.app, release.Vacate, string(r.Root)); err != nil {
			return err
		}
	}
	_, err := perform(ctx, w, w.app, register.Forget, register.Noting{Dir: w.dir(), Record: r})
	return err
}
