package proxy

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"time"

	"github.com/org/deploy-action/internal/machine"
)

// HAProxy's selector is a map file with one line: "shop green", or "shop green:10"
// while green gets 10 % of the requests and the other slot the rest.

func readMap(s Site) (traffic, error) {
	data, err := os.ReadFile(string(s.selector()))
	if errors.Is(err, fs.ErrNotExist) {
		return traffic{}, nil
	}
	if err != nil {
		return traffic{}, fmt.Errorf("selector: %w", err)
	}
	for line := range strings.Lines(string(data)) {
		env, word, _ := strings.Cut(strings.TrimSpace(line), " ")
		if env != string(s.Env) {
			continue
		}
		t, err := s.parseWord(strings.TrimSpace(word))
		if err != nil {
			return traffic{}, fmt.Errorf("selector: %s: %w", s.selector(), err)
		}
		return t, nil
	}
	return traffic{}, nil
}

func writeMap(s Site, t traffic) error {
	line := fmt.Sprintf("%s %s\n", s.Env, s.word(t))
	return machine.WriteFile(string(s.selector()), []byte(line), 0o644)
}

// tellMap changes the running HAProxy's copy of the map.
func tellMap(ctx context.Context, s Site, t traffic) error {
	word := s.word(t)
	answer, err := command(ctx, s.Socket, fmt.Sprintf("set map %s %s %s", s.selector(), s.Env, word))
	if err != nil {
		return err
	}
	if answer != "" {
		return fmt.Errorf("haproxy: set map: %s (is %s loaded by the running HAProxy?)", answer, s.Config)
	}
	entries, err := command(ctx, s.Socket, "show map "+string(s.selector()))
	if err != nil {
		return err
	}
	for line := range strings.Lines(entries) { // "0x55d0 shop green:10"
		fields := strings.Fields(line)
		if len(fields) == 3 && fields[1] == string(s.Env) && fields[2] == word {
			return nil
		}
	}
	return fmt.Errorf("haproxy: set map had no effect: the map holds %q", strings.TrimSpace(entries))
}

// settleTime bounds the wait for somebody's reload: a large configuration takes
// seconds to read, and much more where the processors are busy.
const settleTime = 15 * time.Second

// settleMap tells t once more, when no reload is under way any more. One that has
// read the map before t was in it would send everything to the former slot, and
// nobody would notice before it is stopped. Where the reload does not end in time,
// the watch tells what serves.
func settleMap(ctx context.Context, s Site, t traffic) error {
	for limit := time.Now().Add(settleTime); haproxyReloading(ctx, s) && time.Now().Before(limit); {
		if err := pause(ctx); err != nil {
			return err
		}
	}
	return tellMap(ctx, s, t)
}
