package proxy

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"strings"

	"github.com/org/deploy-action/internal/machine"
	"github.com/org/deploy-action/internal/value"
)

// Inspect says what a proxy host has on disk and what its proxy serves. A proxy
// that does not answer is no error: Live.Trouble says why.
var Inspect = machine.Op[Site, Live]{Name: "proxy.inspect", Do: inspect}

func inspect(ctx context.Context, at machine.At, s Site) (Live, error) {
	if s.Balancer != nil {
		live, err := s.inspectBalanced(ctx, at)
		if err != nil {
			return Live{}, fmt.Errorf("inspect: %w", err)
		}
		return live, nil
	}
	if err := s.validate(); err != nil {
		return Live{}, fmt.Errorf("inspect %s: %w", s.Config, err)
	}
	live, _, err := s.onDisk()
	if err != nil {
		return Live{}, fmt.Errorf("inspect %s: %w", s.Config, err)
	}
	live.Version = s.version(ctx, at)
	live.IPv6 = hasIPv6()
	if err := live.listen(ctx, s); err != nil {
		return Live{}, fmt.Errorf("inspect %s: %w", s.Config, err)
	}
	if live.Running == nil {
		live.Stopped = s.dialect().stopped(ctx, s)
	}
	return live, nil
}

// hasIPv6 reports whether this machine can listen on IPv6: with it switched off
// in the kernel, a proxy that is told to would not start.
func hasIPv6() bool {
	listener, err := net.Listen("tcp6", "[::]:0")
	return err == nil && listener.Close() == nil
}

// listen fills in what the running proxy says. That the context has ended says
// nothing of a proxy, and is the only error: whoever took it for one that does not
// answer would reload it.
func (l *Live) listen(ctx context.Context, s Site) error {
	answer, err := s.ask(ctx)
	switch {
	case err == nil:
		l.Running = &answer
	case ctx.Err() != nil:
		return context.Cause(ctx)
	default:
		l.Trouble = err.Error()
	}
	return nil
}

// onDisk is the part of Live that files tell, and the whole file.
func (s Site) onDisk() (Live, []byte, error) {
	file, err := os.ReadFile(string(s.Config))
	if errors.Is(err, fs.ErrNotExist) {
		return Live{}, nil, nil
	}
	if err != nil {
		return Live{}, nil, err
	}
	live := Live{Exists: true}
	header, body, err := Parse(file)
	live.Body = body
	if err != nil {
		live.Edited = strings.TrimSpace(body) != "" // an empty file is a place kept for ours
		return live, file, nil
	}
	live.Header = &header
	live.Edited = Sum(body) != header.Sum
	now, err := s.dialect().read(s)
	live.Active, live.Share = now.slot, now.share
	return live, file, err
}

// Serving is the slot that receives requests: what the running proxy says, or the
// selector on disk where it can't be asked. Empty: none yet.
func (l Live) Serving() value.Name {
	if l.Running != nil {
		return l.Running.Slot // also where the file was deleted and not yet reloaded
	}
	return l.Active
}

// Divided reports whether the proxy sends requests to both slots, now or after its
// next reload.
func (l Live) Divided() bool { return l.Share > 0 || l.Running != nil && l.Running.Share > 0 }

// Leads reports whether the proxy sends every request to a slot, now and after its
// next reload. One that has no configuration of ours, or is down, leads anywhere.
func (l Live) Leads(slot value.Name) bool {
	return l.Header == nil || l.Active == slot && l.Serving() == slot && !l.Divided()
}

// generation is that of the file on disk; 0 for none, or one that is not ours.
func (l Live) generation() int {
	if l.Header == nil {
		return 0
	}
	return l.Header.Generation
}
