package proxy

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/org/deploy-action/internal/machine"
)

// A proxy in a container is one whose files are elsewhere for it than for us, and
// whose processes have other ids. Both are bridged by the engine's command line:
// what the proxy does to itself is run inside, and its processes are found from
// the one that the engine started.

// engine is a container engine's command line in a shell command.
const engine = sbin + `exec "$(command -v docker || command -v podman || echo docker)" `

// program is a shell command that runs one of the proxy's own programs, arguments
// included, where the proxy runs.
func (s Site) program(command string) string {
	if s.Container == "" {
		return sbin + "exec " + command
	}
	return engine + "exec " + string(s.Container) + " " + command
}

// containerInit is the id, as we see it, of the process that the container is.
func (s Site) containerInit(ctx context.Context) (int, error) {
	exit, err := machine.Run.Do(ctx, quiet(machine.At{}), machine.Command{
		Shell: engine + "container inspect --format '{{.State.Pid}}' " + string(s.Container), Timeout: askTime,
	})
	if err == nil {
		err = exit.Err()
	}
	if err != nil {
		return 0, fmt.Errorf("container %s: %w", s.Container, err)
	}
	pid, err := strconv.Atoi(strings.TrimSpace(strings.Join(exit.Tail, "\n")))
	if err != nil || pid == 0 {
		return 0, fmt.Errorf("container %s does not run", s.Container)
	}
	return pid, nil
}

// containerStopped is why the container is known not to run.
func (s Site) containerStopped(ctx context.Context) string {
	if _, err := s.containerInit(ctx); err != nil {
		return err.Error()
	}
	return ""
}

// containerProcesses are those of a program in the site's container; none where
// they can't be told, as for an engine on another machine.
func (s Site) containerProcesses(ctx context.Context, program string) map[int]bool {
	init, err := s.containerInit(ctx)
	if err != nil {
		return nil
	}
	pids := make(map[int]bool)
	for _, pid := range descendants(init) {
		if comm(pid) == program { // a shell that has started it has its name in the title, too
			pids[pid] = true
		}
	}
	return pids
}

// descendants are a process and all that come from it.
func descendants(pid int) []int {
	children := make(map[int][]int)
	for _, candidate := range processes() {
		children[parent(candidate)] = append(children[parent(candidate)], candidate)
	}
	all := []int{pid}
	for i := 0; i < len(all); i++ {
		all = append(all, children[all[i]]...)
	}
	return all
}

// innerID is a process's id as it sees it itself: the last of "NSpid" (proc(5)).
func innerID(pid int) int {
	data, _ := os.ReadFile(filepath.Join(procDir(pid), "status"))
	for line := range strings.Lines(string(data)) {
		if ids, ok := strings.CutPrefix(line, "NSpid:"); ok {
			fields := strings.Fields(ids)
			id, _ := strconv.Atoi(fields[len(fields)-1])
			return id
		}
	}
	return 0
}

// enterable is an error for a container that does not run, or has a network of
// its own: its listener could not be asked from here, nor its connections counted.
func (s Site) enterable(ctx context.Context) error {
	if s.Container == "" {
		return nil
	}
	init, err := s.containerInit(ctx)
	if err != nil {
		return err
	}
	theirs, err := os.Readlink(filepath.Join(procDir(init), "ns/net"))
	if errors.Is(err, os.ErrPermission) || errors.Is(err, os.ErrNotExist) {
		return nil // the proof will tell
	}
	ours, oursErr := os.Readlink("/proc/self/ns/net")
	if err := errors.Join(err, oursErr); err != nil {
		return err
	}
	if theirs != ours {
		return fmt.Errorf("container %s has a network of its own, in which turnout can neither ask the proxy what it serves nor count its connections: run it in the host's (--network host)", s.Container)
	}
	return nil
}
