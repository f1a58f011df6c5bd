package preview

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/org/deploy-action/internal/preview/register"
	"github.com/org/deploy-action/internal/release"
)

// Synced is what Sync found and did, by numbers of pull requests.
type Synced struct {
	Kept     []int    `json:"kept"`
	Repaired []int    `json:"repaired"`
	Removed  []Record `json:"removed"`
	Missing  []int    `json:"missing"` // open, and without a preview: only a run that has their release can bring them up
}

// Sync makes the repository's previews those of its open pull requests: removes
// those of others, those that are older than their time to live and those that
// never came up, and repairs the rest. open is asked while the lock is held, so
// that a preview that is brought up meanwhile is not taken for one too many.
func Sync(ctx context.Context, r Request, open func(context.Context) ([]int, error)) (Synced, error) {
	w, err := begin(ctx, r)
	if err != nil {
		return Synced{}, err
	}
	defer w.end()
	numbers, err := open(ctx)
	if err != nil {
		return Synced{}, fmt.Errorf("which pull requests are open: %w; nothing was changed", err)
	}
	return w.sync(ctx, numbers)
}

// Prune removes the repository's previews that are older than their time to live, and what an
// interrupted removal has left.
func Prune(ctx context.Context, r Request) (Synced, error) {
	w, err := begin(ctx, r)
	if err != nil {
		return Synced{}, err
	}
	defer w.end()
	all, err := w.records(ctx)
	if err != nil {
		return Synced{}, err
	}
	all = w.mine(all)
	var numbers []int
	for _, record := range all {
		numbers = append(numbers, record.Number)
	}
	var s Synced
	return s, w.leave(ctx, all, numbers, &s)
}

func (w *work) sync(ctx context.Context, open []int) (Synced, error) {
	var s Synced
	all, err := w.records(ctx)
	if err != nil {
		return s, err
	}
	left := w.leave(ctx, w.mine(all), open, &s)
	if all, err = w.records(ctx); err != nil {
		return s, errors.Join(left, err)
	}
	all, _ = w.part(all)
	errs := []error{left}
	if len(all) > 0 {
		errs = append(errs, w.serveDomain(ctx))
	}
	there := make(map[int]bool)
	for _, record := range all {
		there[record.Number] = record.State != register.Going
		if there[record.Number] {
			errs = append(errs, w.repair(ctx, record, &s))
		}
	}
	slices.Sort(open)
	for _, number := range slices.Compact(open) {
		if !there[number] {
			s.Missing = append(s.Missing, number)
		}
	}
	return s, errors.Join(errs...)
}

// leave removes the previews that are not to be there.
func (w *work) leave(ctx context.Context, all []Record, open []int, s *Synced) error {
	reasons := make(map[string][]Record)
	var order []string
	for _, record := range all {
		why := w.surplus(record, open)
		if why == "" {
			continue
		}
		if reasons[why] == nil {
			order = append(order, why)
		}
		reasons[why] = append(reasons[why], record)
	}
	var errs []error
	for _, why := range order {
		errs = append(errs, w.remove(ctx, reasons[why], why))
		s.Removed = append(s.Removed, reasons[why]...)
	}
	return errors.Join(errs...)
}

// surplus is why a preview is not to be there; empty where it is.
func (w *work) surplus(r Record, open []int) string {
	switch {
	case r.State == register.Going:
		return "its removal was interrupted"
	case !slices.Contains(open, r.Number):
		return "its pull request is closed"
	case r.Release == "":
		return "it never came up"
	case r.Expired(w.Preview.TTL, time.Now()):
		return fmt.Sprintf("nothing has come to it for longer than its ttl (%s)", w.Preview.TTL)
	}
	return ""
}

// repair has a preview that is to be there run its last good release, and the
// proxies lead to it.
func (w *work) repair(ctx context.Context, r Record, s *Synced) error {
	p, err := w.at(r)
	if err != nil {
		return err
	}
	held, err := release.Slots.On(ctx, w.app.machine, string(r.Root))
	if err != nil {
		return w.app.named(err)
	}
	var why error
	switch {
	case r.State != register.Up:
		why = errors.New("an update was interrupted")
	case held[current] != r.Release:
		why = fmt.Errorf("%s leads to %q", p.dir(), held[current])
	default:
		why = w.fit(ctx, p)
	}
	if why == nil {
		s.Kept = append(s.Kept, r.Number)
		return w.serve(ctx, r)
	}
	if err := w.show(ctx, p, r.Release); err != nil {
		return fmt.Errorf("%s: %v; repair: %w", r.Name, why, err)
	}
	w.tell(r, "repaired: %v", why)
	s.Repaired = append(s.Repaired, r.Number)
	return nil
}
