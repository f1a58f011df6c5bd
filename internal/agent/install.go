package agent

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// Prefix begins the names of agents that were uploaded, a Build ends them;
// UploadPrefix begins those that are on their way.
const (
	Prefix       = "agent-"
	UploadPrefix = ".agent-"
)

// keepAgents is how long an agent stays that nobody started. Runs of an older or
// a younger turnout may go on beside ours.
const keepAgents = 24 * time.Hour

// Install is done by an agent that was just uploaded, self, on its server: it
// makes sure that it is whole and takes its name in its folder. Agents that were
// not used for a day are removed.
func Install(self, hash string) error {
	sent, err := At(self)
	if err != nil {
		return err
	}
	arrived, err := sent.Content()
	if err != nil {
		return err
	}
	if arrived.Hash != hash {
		return fmt.Errorf("%s has not arrived as it was sent: its hash is %s, not %s", self, arrived.Hash, hash)
	}
	dir, name := filepath.Dir(self), Prefix+sent.Build
	if err := os.Rename(self, filepath.Join(dir, name)); err != nil {
		return err
	}
	return removeOld(dir, name)
}

// removeOld removes the agents of a folder that are not used any more, but keep.
func removeOld(dir, keep string) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	var errs []error
	for _, entry := range entries {
		name := entry.Name()
		info, err := entry.Info()
		if name == keep || err != nil || !strings.HasPrefix(name, Prefix) && !strings.HasPrefix(name, UploadPrefix) {
			continue // another may have removed it at the same time
		}
		if time.Since(info.ModTime()) > keepAgents {
			if err := os.Remove(filepath.Join(dir, name)); !errors.Is(err, os.ErrNotExist) {
				errs = append(errs, err)
			}
		}
	}
	return errors.Join(errs...)
}

// OneCPU sets the number of CPUs for the start of an agent, of a user who has not set
// it: Go's runtime starts with fewer threads then, and one is enough for most of what
// an agent is asked. The 0 tells it from what a user has set.
const OneCPU = cpus + "=${" + cpus + ":-" + one + "}"

const (
	cpus = "GOMAXPROCS" // package runtime
	one  = "01"
)

// Started notes that the agent self was started, so that Install keeps it; a binary
// that nobody uploaded is left alone. What it was started with is not passed on.
func Started(self string) {
	if os.Getenv(cpus) == one {
		_ = os.Unsetenv(cpus)
	}
	if strings.HasPrefix(filepath.Base(self), Prefix) {
		now := time.Now()
		_ = os.Chtimes(self, now, now) // else it is uploaded again some day
	}
}
