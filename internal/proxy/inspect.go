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
	live.listen(ctx, s)
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

// listen fills in what the running proxy says.
func (l *Live) listen(ctx context.Context, s Site) {
	answer, err := s.ask(ctx)
	if err != nil {
		l.Trouble = err.Error()
		return
	}
	l.Running = &answer
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

// generation is that of the file on disk; 0 for none, or one that is not ours.
func (l Live) generation() int {
	if l.Header == nil {
		return 0
	}
	return l.Header.Generation
}
