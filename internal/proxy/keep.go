package proxy

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"

	"github.com/org/deploy-action/internal/machine"
)

// keepConfigs is how many former configurations are kept on a proxy host.
const keepConfigs = 10

// keep copies the file that is about to be replaced, so that a run that dies can
// still be taken back. It returns where a file that is not as we wrote it went.
func (s Site) keep(live Live, file []byte) (saved string, err error) {
	dir := s.keptDir()
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", fmt.Errorf("keep the former configuration: %w", err)
	}
	copyPath := s.keptPath(live.generation())
	if !live.Exists {
		return "", machine.RemoveFile(copyPath)
	}
	if err := machine.WriteFile(copyPath, file, 0o600); err != nil {
		return "", err
	}
	s.forgetOld(live.generation())
	if !live.Edited {
		return "", nil
	}
	saved = filepath.Join(dir, "edited-"+Sum(string(file))[:12])
	return saved, machine.WriteFile(saved, file, 0o600)
}

func (s Site) keptPath(generation int) string {
	return filepath.Join(s.keptDir(), strconv.Itoa(generation))
}

// kept is the copy of a generation; generation 0 may have been no file at all.
func (s Site) kept(generation int) (file []byte, existed bool, err error) {
	file, err = os.ReadFile(s.keptPath(generation))
	if generation == 0 && errors.Is(err, fs.ErrNotExist) {
		return nil, false, nil
	}
	if err != nil {
		return nil, false, fmt.Errorf("copy of generation %d: %w", generation, err)
	}
	return file, true, nil
}

// forgetOld removes copies that are older than the last ten generations. What
// cannot be removed is tried again at the next write.
func (s Site) forgetOld(newest int) {
	entries, _ := os.ReadDir(s.keptDir())
	for _, entry := range entries {
		if n, err := strconv.Atoi(entry.Name()); err == nil && n <= newest-keepConfigs {
			_ = machine.RemoveFile(filepath.Join(s.keptDir(), entry.Name()))
		}
	}
}
