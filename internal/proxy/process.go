package proxy

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"

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
func parent(pid int) int { return procStat(pid).parent }

// processStat is what /proc/<pid>/stat says of a process (proc_pid_stat(5)); all zero
// when it is gone.
type processStat struct {
	state   string // "R" for one that runs or could, "S" for one that sleeps
	parent  int
	started int // ticks since the machine's start
}

func procStat(pid int) processStat {
	data, _ := os.ReadFile(filepath.Join(procDir(pid), "stat"))
	// "pid (name) state ppid …", and the name may hold anything.
	fields := strings.Fields(string(data[strings.LastIndexByte(string(data), ')')+1:]))
	if len(fields) < 20 {
		return processStat{}
	}
	parent, _ := strconv.Atoi(fields[1])
	started, _ := strconv.Atoi(fields[19])
	return processStat{fields[0], parent, started}
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

// comm is the name of the program that a process runs, "" when it is gone.
func comm(pid int) string {
	data, _ := os.ReadFile(filepath.Join(procDir(pid), "comm"))
	return strings.TrimSpace(string(data))
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
// found.
func nginxProcesses(ctx context.Context, s Site) map[int]bool {
	if s.Container != "" {
		return s.containerProcesses(ctx, "nginx")
	}
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

// nginxStopped is why a reload by nginx's own command can't succeed: its pid file
// is not there, or names a process that is gone. Other commands may know another
// way to it.
func nginxStopped(ctx context.Context, s Site) string {
	if s.Container != "" {
		return s.containerStopped(ctx)
	}
	file := nginxPIDFile(ctx, s)
	if s.Reload != "" || !filepath.IsAbs(file) {
		return ""
	}
	data, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Sprintf("nginx does not run: its pid file %s is not there", file)
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(data)))
	if err == nil && errors.Is(syscall.Kill(pid, 0), syscall.ESRCH) {
		return fmt.Sprintf("nginx does not run: %s names process %d, which is gone", file, pid)
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
	if s.Container != "" {
		return s.containerProcesses(ctx, "haproxy")
	}
	worker, master := haproxyMaster(ctx, s)
	if worker == 0 || !strings.Contains(title(worker), "haproxy") {
		return nil // not running, or not in our view of processes
	}
	if master == 0 {
		return map[int]bool{worker: true}
	}
	return family(master)
}

// haproxyMaster is the process at the stats socket and its master; 0 where one is not
// to be seen.
func haproxyMaster(ctx context.Context, s Site) (worker, master int) {
	worker = haproxyWorker(ctx, s)
	if master = parent(worker); worker == 0 || !strings.Contains(title(master), "haproxy") {
		return worker, 0
	}
	return worker, master
}

// haproxyReload signals the master, as HAProxy's unit for systemd does. It is the
// one of the process at the stats socket, whichever unit it is of, if any.
func haproxyReload(ctx context.Context, s Site) (string, error) {
	if s.Container != "" {
		return engine + "kill --signal USR2 " + string(s.Container), nil
	}
	_, master := haproxyMaster(ctx, s)
	if master == 0 {
		return "", fmt.Errorf("no master process of the HAProxy at %s is to be seen: start HAProxy in master-worker mode (-W), or give the proxy block a reload command", s.Socket)
	}
	return fmt.Sprintf("kill -USR2 %d", master), nil
}

// haproxyReloading reports whether HAProxy reads its files, or has a new worker that
// is not yet the one at the stats socket. A reload has the master execute itself
// with the workers that are to leave as "-sf <pid> …" (management.txt, 3). Until
// it has forked, all its workers are among these. So they are in old versions after a
// reload that failed, but then the master sleeps.
func haproxyReloading(ctx context.Context, s Site) bool {
	worker, master := haproxyMaster(ctx, s)
	if master == 0 {
		return false // without a master there is no reload to be seen
	}
	program, started := comm(worker), procStat(worker).started
	workers := slices.DeleteFunc(children(master), func(pid int) bool { return comm(pid) != program })
	leaving := toldToFinish(title(master))
	if !slices.ContainsFunc(workers, func(pid int) bool { return !leaving[innerID(pid)] }) {
		return procStat(master).state != "S"
	}
	return slices.ContainsFunc(workers, func(pid int) bool { return procStat(pid).started > started })
}

// toldToFinish are the process ids after "-sf" in HAProxy's command line.
func toldToFinish(title string) map[int]bool {
	_, list, _ := strings.Cut(title+" ", " -sf ")
	pids := make(map[int]bool)
	for _, word := range strings.Fields(list) {
		pid, err := strconv.Atoi(word)
		if err != nil {
			break
		}
		pids[pid] = true
	}
	return pids
}

// haproxyStopped is why HAProxy can be told nothing.
func haproxyStopped(ctx context.Context, s Site) string {
	if s.Container != "" {
		if why := s.containerStopped(ctx); why != "" {
			return why
		}
	}
	if _, err := command(ctx, s.Socket, "show info"); err != nil {
		return err.Error()
	}
	return ""
}

// haproxyWorker is the process that answers at the stats socket; 0 where it can't
// be told.
func haproxyWorker(ctx context.Context, s Site) int {
	own := haproxyPID(ctx, s)
	if s.Container == "" {
		return own
	}
	for pid := range s.containerProcesses(ctx, "haproxy") {
		if innerID(pid) == own {
			return pid
		}
	}
	return 0
}

// haproxyPID is the id of that process as it sees it itself.
func haproxyPID(ctx context.Context, s Site) int {
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
