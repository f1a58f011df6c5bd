package proxy

import (
	"bytes"
	"context"
	"fmt"

	"github.com/org/deploy-action/internal/machine"
)

// Put installs a configuration while traffic stays where it is, and proves that
// the running proxy serves it. The order is: selector, copy of the former file,
// new file by one rename, reload, proof. A body that the proxy serves already
// gets a new header and no reload.
//
// A *StaleError means that someone else wrote since Inspect, and nothing was
// changed. A *RefusedError means that the proxy did not take the configuration
// up; it says whether the former one is back and proven. With any other error
// the former file is in place, and whatever the proxy served it serves.
var Put = machine.Op[Install, Installed]{Name: "proxy.install", Do: put}

func put(ctx context.Context, at machine.At, in Install) (Installed, error) {
	do := in.put
	if in.Site.Balancer != nil {
		do = in.putBalanced
	}
	installed, err := do(ctx, at)
	if err != nil {
		return Installed{}, fmt.Errorf("install %s: %w", in.Site.Place(), err)
	}
	return installed, nil
}

// StaleError is a write that expected another generation than there is.
type StaleError struct{ Expected, Found int }

func (e *StaleError) Error() string {
	return fmt.Sprintf("generation %d is there and %d was expected: another run wrote it in the meantime; nothing was changed", e.Found, e.Expected)
}

func (in Install) put(ctx context.Context, at machine.At) (Installed, error) {
	s := in.Site
	if err := s.validate(); err != nil {
		return Installed{}, err
	}
	live, former, err := s.onDisk()
	if err != nil {
		return Installed{}, err
	}
	if live.generation() != in.Expect {
		return Installed{}, &StaleError{Expected: in.Expect, Found: live.generation()}
	}
	live.listen(ctx, s)
	if err := s.openDirs(); err != nil {
		return Installed{}, err
	}
	saved, err := s.keep(live, former)
	if err != nil {
		return Installed{}, err
	}
	if err := s.settle(ctx, all(in.Active), live.Running); err != nil {
		return Installed{}, err
	}
	done := Installed{Generation: live.generation() + 1, Previous: former, Saved: saved}
	done.Reloaded, err = in.swap(ctx, at, live, former)
	return done, err
}

// swap writes the file and, where the proxy serves another body, has it taken up.
func (in Install) swap(ctx context.Context, at machine.At, live Live, former []byte) (reloaded bool, err error) {
	s := in.Site
	if err := s.write(in.file(live)); err != nil {
		return false, err
	}
	if live.Running != nil && live.Running.ID == in.Rendered.ID && live.Body == in.Rendered.Body {
		return false, nil
	}
	good := both(serves(in.Rendered.ID), leads(all(in.Active)))
	r := reload{site: s, at: at, good: good, turnover: true}
	if err := r.do(ctx); err != nil {
		refused := r.refused(err, s.putBack(ctx, at, in, live, former))
		refused.First, refused.Mute = !live.Exists, live.Running == nil
		return false, refused
	}
	return true, nil
}

// putBack takes a refused configuration back, though the context may have ended.
func (s Site) putBack(ctx context.Context, at machine.At, in Install, live Live, former []byte) error {
	ctx, stop := context.WithTimeout(context.WithoutCancel(ctx), 2*proofTime)
	defer stop()
	if err := s.putFile(former, live.Exists); err != nil {
		return err
	}
	good := forgets(in.Rendered.ID)
	if live.Running != nil {
		good = serves(live.Running.ID)
	}
	return reload{site: s, at: at, good: good}.insist(ctx)
}

// settle makes the selector say t, on disk and in the running proxy.
func (s Site) settle(ctx context.Context, t traffic, running *Answer) error {
	disk, err := s.dialect().read(s)
	if err != nil {
		return err
	}
	if disk != t {
		if err := s.place(t); err != nil {
			return err
		}
	}
	if running == nil || running.traffic() == t {
		return nil
	}
	return s.dialect().tell(ctx, s, t)
}

// Restore takes an Install back: the former file, reload if the proxy serves
// another body, and proof. It is idempotent.
var Restore = machine.Op[Restoration, Restored]{Name: "proxy.restore", Do: restore}

func restore(ctx context.Context, at machine.At, r Restoration) (Restored, error) {
	do := r.restore
	if r.Site.Balancer != nil {
		do = r.restoreBalanced
	}
	restored, err := do(ctx, at)
	if err != nil {
		return Restored{}, fmt.Errorf("restore %s: %w", r.Site.Place(), err)
	}
	return restored, nil
}

func (r Restoration) restore(ctx context.Context, at machine.At) (Restored, error) {
	s := r.Site
	if err := s.validate(); err != nil {
		return Restored{}, err
	}
	live, file, err := s.onDisk()
	if err != nil || live.Header == nil || live.generation() != r.Expect {
		return Restored{}, err
	}
	previous, existed, err := r.previous()
	if err != nil {
		return Restored{}, err
	}
	live.listen(ctx, s)
	if r.Active != "" {
		if err := s.settle(ctx, all(r.Active), live.Running); err != nil {
			return Restored{}, err
		}
	}
	if bytes.Equal(previous, file) {
		return Restored{Restored: true}, nil
	}
	if err := s.putFile(previous, existed); err != nil {
		return Restored{}, err
	}
	reloaded, err := s.returnTo(ctx, at, previous, live)
	return Restored{Restored: true, Reloaded: reloaded}, err
}

// previous is the file to put back; existed is false where there was none.
func (r Restoration) previous() (file []byte, existed bool, err error) {
	if r.Previous != nil {
		return r.Previous, true, nil
	}
	return r.Site.kept(r.Expect - 1)
}

// returnTo has the proxy take up the former file, which is in place already.
func (s Site) returnTo(ctx context.Context, at machine.At, previous []byte, live Live) (reloaded bool, err error) {
	header, body, err := Parse(previous)
	good := forgets(live.Header.ID)
	if err == nil {
		good = serves(header.ID)
		if live.Running != nil && live.Running.ID == header.ID && body == live.Body {
			return false, nil
		}
	}
	r := reload{site: s, at: at, good: good}
	if err := r.insist(ctx); err != nil {
		return false, fmt.Errorf("the former file is in place, and not proven to serve: %w", err)
	}
	return true, nil
}
