package proxy

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/org/deploy-action/internal/machine"
)

// nginx's selector is a link in the name of the second slot. Where it is not
// there, every request goes to the first slot. Where it is, it leads to a
// directory with one empty file per point that the second slot gets, named
// after these points: "green -> .points/0-10" has 00 to 09. To move the
// traffic is to replace or to remove this one link.
//
// A ladder of flag files, one per step, would need a test for each step at every
// request, another configuration for other steps, and one more file system
// operation to get from rung to rung.
//
// The directories stay: a request that has just followed the link may still
// look into the former one. There are at most 199.
const pointsDir = ".points"

// splitMark is a file in directories of points of a split. While it is to be
// seen, nginx logs requests for Counters to read.
const splitMark = "split"

func readPoints(s Site) (traffic, error) {
	target, err := os.Readlink(string(s.selector()))
	if errors.Is(err, fs.ErrNotExist) {
		return all(s.Pools[0].Slot), nil
	}
	if err != nil {
		return traffic{}, fmt.Errorf("selector: %w", err)
	}
	var low, high int
	if _, err := fmt.Sscanf(target, pointsDir+"/%d-%d", &low, &high); err == nil {
		for _, t := range []traffic{{s.Pools[0].Slot, high}, {s.Pools[1].Slot, low}} {
			if target == s.pointsOf(t) && t.share < hundred {
				return t, nil
			}
		}
	}
	return traffic{}, fmt.Errorf("selector: %s leads to %q, which turnout never makes it: remove it to send all requests to %s, then deploy again", s.selector(), target, s.Pools[0].Slot)
}

func writePoints(s Site, t traffic) error {
	link := string(s.selector())
	if low, high := s.points(t); low == high {
		return machine.RemoveFile(link)
	}
	if err := s.fill(t); err != nil {
		return fmt.Errorf("selector: %w", err)
	}
	return machine.ReplaceLink(s.pointsOf(t), link)
}

// pointsOf is where the link leads for t.
func (s Site) pointsOf(t traffic) string {
	low, high := s.points(t)
	return fmt.Sprintf("%s/%d-%d", pointsDir, low, high)
}

// fill makes the directory for t hold what its name says.
func (s Site) fill(t traffic) error {
	dir := filepath.Join(string(s.liveDir()), s.pointsOf(t))
	for _, d := range []string{filepath.Dir(dir), dir} {
		if err := os.MkdirAll(d, 0o755); err != nil {
			return err
		}
		if err := os.Chmod(d, 0o755); err != nil { // whatever the umask
			return err
		}
	}
	wanted := s.pointNames(t)
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, entry := range entries {
		if !wanted[entry.Name()] {
			if err := os.Remove(filepath.Join(dir, entry.Name())); err != nil {
				return err
			}
		}
		delete(wanted, entry.Name())
	}
	for name := range wanted {
		if err := os.WriteFile(filepath.Join(dir, name), nil, 0o644); err != nil {
			return err
		}
	}
	return errors.Join(machine.SyncDir(dir), machine.SyncDir(filepath.Dir(dir)))
}

// pointNames are the files in the directory for t.
func (s Site) pointNames(t traffic) map[string]bool {
	names := make(map[string]bool)
	low, high := s.points(t)
	for point := low; point < high; point++ {
		names[fmt.Sprintf("%02d", point)] = true
	}
	if t.share > 0 {
		names[splitMark] = true
	}
	return names
}
