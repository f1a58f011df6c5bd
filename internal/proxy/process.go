package proxy

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"

	"github.com/org/deploy-action/internal/machine"
)

func procDir(pid int) string { return filepath.Join("/proc", strconv.Itoa(pid)) }

// processes are the ids of all processes.
func processes() []int {
	entries, _ := os.ReadDir("/proc")
	var pids []int
	for _, entry := range entries {
		if pid, err := strconv.Atoi(entry.Name()); err == nil {
			pids = append(pids, pid)
		}
	}
	return pids
}

// parent is the id of a process's parent, 0 when the process is gone.
func parent(pid int) int {
	data, _ := os.ReadFile(filepath.Join(procDir(pid), "stat"))
	// "pid (name) state ppid …", and the name may hold anything.
	fields := strings.Fields(string(data[strings.LastIndexByte(string(data), ')')+1:]))
	if len(fields) < 2 {
		return 0
	}
	ppid, _ := strconv.Atoi(fields[1])
	return ppid
}

func children(pid int) []int {
	var found []int
	for _, candidate := range processes() {
		if parent(candidate) == pid {
			found = append(found, candidate)
		}
	}
	return found
}

// title is what ps shows for a process, "" when it is gone.
func title(pid int) string {
	data, _ := os.ReadFile(filepath.Join(procDir(pid), "cmdline"))
	return strings.TrimSpace(strings.ReplaceAll(string(data), "\x00", " "))
}

// family is a master with its children.
func family(master int) map[int]bool {
	pids := map[int]bool{master: true}
	for _, child := range children(master) {
		pids[child] = true
	}
	return pids
}

var (
	pidDirective = regexp.MustCompile(`(?m)(?:^|[;{}])[ \t]*pid[ \t]+([^;\s]+)[ \t]*;`)
	pidPath      = regexp.MustCompile(`--pid-path=(\S+)`)
	remark       = regexp.MustCompile(`(?m)#.*$`)
)

// nginxProcesses finds the master by its pid file; none where it is not to be
// found, as for an nginx in another container.
func nginxProcesses(ctx context.Context, s Site) map[int]bool {
	data, err := os.ReadFile(nginxPIDFile(ctx, s))
	if err != nil {
		return nil
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(data)))
	if err != nil || !strings.Contains(title(pid), "nginx") {
		return nil
	}
	return family(pid)
}

// nginxPIDFile is what the main file's "pid" says, else what was compiled in.
func nginxPIDFile(ctx context.Context, s Site) string {
	main, _ := os.ReadFile(string(s.Main))
	if match := pidDirective.FindSubmatch(remark.ReplaceAll(main, nil)); match != nil {
		return string(match[1])
	}
	exit, err := machine.Run.Do(ctx, quiet(machine.At{}), machine.Command{Shell: sbin + "exec nginx -V", Timeout: askTime})
	if err != nil {
		return ""
	}
	if match := pidPath.FindStringSubmatch(strings.Join(exit.Tail, "\n")); match != nil {
		return match[1]
	}
	return ""
}

// shuttingDown reports whether an nginx worker has closed its listeners: it
// says so in its title, or is gone.
func shuttingDown(pid int) bool {
	text := title(pid)
	return text == "" || strings.Contains(text, "shutting down")
}

// haproxyProcesses asks the running HAProxy for its pid; its parent is the
// master and the master's other children are workers that are leaving.
func haproxyProcesses(ctx context.Context, s Site) map[int]bool {
	worker := haproxyWorker(ctx, s)
	if worker == 0 || title(worker) == "" {
		return nil // not running, or not in our view of processes
	}
	master := parent(worker)
	if !strings.Contains(title(master), "haproxy") {
		return map[int]bool{worker: true}
	}
	return family(master)
}

func haproxyWorker(ctx context.Context, s Site) int {
	answer, err := command(ctx, s.Socket, "show info")
	if err != nil {
		return 0
	}
	for line := range strings.Lines(answer) {
		if text, ok := strings.CutPrefix(line, "Pid:"); ok {
			pid, _ := strconv.Atoi(strings.TrimSpace(text))
			return pid
		}
	}
	return 0
}

// describe names processes for a message.
func describe(pids []int) string {
	if len(pids) == 0 {
		return "a process that this user may not see"
	}
	var names []string
	for _, pid := range pids {
		names = append(names, fmt.Sprintf("%.60q (pid %d)", title(pid), pid))
	}
	return strings.Join(names, ", ")
}
