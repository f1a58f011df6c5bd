package rollout

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
)

// named is a machine of the environment, or something on one.
type named interface{ Name() string }

// together does something on every host side by side and waits for all of them.
// Its error names the hosts on which it went wrong, in the order of hosts.
func together[H named](ctx context.Context, hosts []H, do func(context.Context, H) error) error {
	_, err := gather(ctx, hosts, func(ctx context.Context, host H) (struct{}, error) { return struct{}{}, do(ctx, host) })
	return err
}

// gather is together for what every host is asked. The answers are in the order of
// hosts, also those that came with an error.
func gather[H named, A any](ctx context.Context, hosts []H, ask func(context.Context, H) (A, error)) ([]A, error) {
	answers, errs := make([]A, len(hosts)), make([]error, len(hosts))
	var visits sync.WaitGroup
	for i, host := range hosts {
		visits.Go(func() {
			answer, err := ask(ctx, host)
			answers[i], errs[i] = answer, on(host, err)
		})
	}
	visits.Wait()
	return answers, joined(errs)
}

// errElsewhere ends what is done on a host because it went wrong on another one.
var errElsewhere = errors.New("given up: it failed on another server")

// allOrNone is together for what has to work everywhere and takes its time: the
// first failure ends it on the other hosts, which have no error of their own then.
func allOrNone[H named](ctx context.Context, hosts []H, do func(context.Context, H) error) error {
	ctx, giveUp := context.WithCancelCause(ctx)
	defer giveUp(nil)
	return together(ctx, hosts, func(ctx context.Context, host H) error {
		err := do(ctx, host)
		if errors.Is(context.Cause(ctx), errElsewhere) {
			return nil
		}
		if err != nil {
			giveUp(errElsewhere)
		}
		return err
	})
}

// on adds the host's name to an error that does not begin with it, as in "edge01:"
// or "edge01 through nginx:".
func on(host named, err error) error {
	if err == nil {
		return nil
	}
	if rest, ok := strings.CutPrefix(err.Error(), host.Name()); ok && strings.ContainsAny(rest[:min(1, len(rest))], ": ") {
		return err
	}
	return fmt.Errorf("%s: %w", host.Name(), err)
}

// shownErrors is how many hosts an error tells of.
const shownErrors = 5

// hostErrors are what went wrong on several hosts, in one line.
type hostErrors []error

func joined(errs []error) error {
	var all hostErrors
	for _, err := range errs {
		if err != nil {
			all = append(all, err)
		}
	}
	switch len(all) {
	case 0:
		return nil
	case 1:
		return all[0]
	}
	return all
}

func (e hostErrors) Error() string {
	var texts []string
	for _, err := range e[:min(len(e), shownErrors)] {
		texts = append(texts, err.Error())
	}
	if more := len(e) - len(texts); more > 0 {
		texts = append(texts, fmt.Sprintf("and on %d more", more))
	}
	return strings.Join(texts, "; ")
}

func (e hostErrors) Unwrap() []error { return e }
