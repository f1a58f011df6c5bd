package proxy

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/org/deploy-action/internal/machine"
)

// Withdraw takes sites away for good: their files, one reload, and proof that the
// running proxy answers for none of them any more. Sites that are not there are
// no error, so that an interrupted withdrawal is repeated. All sites are those of
// one proxy.
var Withdraw = machine.Op[[]Site, Withdrawn]{Name: "proxy.withdraw", Do: withdraw}

// Withdrawn is what Withdraw did.
type Withdrawn struct {
	Files    int  `json:"files"` // that were there
	Reloaded bool `json:"reloaded"`
}

func withdraw(ctx context.Context, at machine.At, sites []Site) (Withdrawn, error) {
	for _, s := range sites {
		if err := s.validate(); err != nil {
			return Withdrawn{}, fmt.Errorf("withdraw %s: %w", s.Config, err)
		}
	}
	var done Withdrawn
	var errs []error
	for _, s := range sites {
		existed, err := s.takeAway()
		if existed {
			done.Files++
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("withdraw %s: %w", s.Config, err))
		}
	}
	if err := errors.Join(errs...); err != nil {
		return done, err
	}
	var err error
	if done.Reloaded, err = dismiss(ctx, at, sites); err != nil {
		return done, err
	}
	for _, s := range sites {
		errs = append(errs, os.RemoveAll(string(s.StateDir)))
	}
	return done, errors.Join(errs...)
}

// takeAway removes the site's file. One that is not ours stays.
func (s Site) takeAway() (existed bool, err error) {
	live, _, err := s.onDisk()
	if err != nil || !live.Exists {
		return false, err
	}
	if live.Header == nil {
		return true, errors.New("the file was not written by turnout: move it away")
	}
	return true, machine.RemoveFile(string(s.Config))
}

// dismiss has the running proxy forget sites whose files are gone. Where it knows
// none of them there is nothing to reload.
func dismiss(ctx context.Context, at machine.At, sites []Site) (reloaded bool, err error) {
	var known []Site
	for _, s := range sites {
		if answer, err := s.ask(ctx); err == nil && answer.ID != "" {
			known = append(known, s)
		}
	}
	if len(known) == 0 {
		return false, nil
	}
	first := reload{site: known[0], at: at, good: gone, turnover: true}
	if err := first.do(ctx); err != nil {
		return false, fmt.Errorf("the files of %d sites are removed, and the proxy may still serve them; %s: %w", len(known), known[0].dialect().where, err)
	}
	for _, s := range known[1:] { // the workers that knew them have left
		if err := gone(s.ask(ctx)); err != nil {
			return true, fmt.Errorf("%s: %w", s.Hostname, err)
		}
	}
	return true, nil
}

// gone is a complaint while the proxy answers for a site. A proxy that does not
// answer at all proves nothing.
func gone(answer Answer, err error) error {
	var status *notOurs
	switch {
	case err == nil:
		return fmt.Errorf("the running proxy still serves configuration %s", answer.ID)
	case errors.As(err, &status):
		return nil
	}
	return err
}
