//go:build !portable

package machine

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// knowsBash says that a plain command may do without its shell: it is known how
// bash of this system would start it.
const knowsBash = true

// ownSession has a command lead a session of its own. told becomes a file that
// tells that the command has ended (pidfd_open(2)), -1 where the kernel is too old.
func ownSession(told *int) *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setsid: true, PidFD: told}
}

// memoryFile is an empty file without a name.
func memoryFile() (int, error) {
	fd, err := unix.MemfdCreate("stdin", unix.MFD_CLOEXEC|unix.MFD_NOEXEC_SEAL)
	if err == unix.EINVAL { // before Linux 6.3
		fd, err = unix.MemfdCreate("stdin", unix.MFD_CLOEXEC)
	}
	return fd, err
}

// openPipe makes a pipe that children do not inherit.
func openPipe() (ends [2]int, err error) {
	err = os.NewSyscallError("pipe2", unix.Pipe2(ends[:], unix.O_CLOEXEC))
	return ends, err
}

// growPipe makes room for more. The pipe stays as it is where a user has too many.
func growPipe(fd, size int) { _, _ = unix.FcntlInt(uintptr(fd), unix.F_SETPIPE_SZ, size) }

// living reports whether a process of the group is more than a zombie. In a
// container often nobody reaps orphans, and the kernel counts them as members
// for ever.
func living(group int) bool {
	stats, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil {
		panic("machine: a constant pattern: " + err.Error())
	}
	for _, name := range stats {
		text, err := os.ReadFile(name)
		if err != nil {
			continue // it has just ended
		}
		if state, of := stateAndGroup(string(text)); of == group && state != "Z" && state != "X" {
			return true
		}
	}
	return false
}

// stateAndGroup reads a line of /proc/<pid>/stat (proc(5)): "pid (name) state
// ppid pgrp …", where the name may hold anything.
func stateAndGroup(stat string) (state string, group int) {
	fields := strings.Fields(stat[strings.LastIndexByte(stat, ')')+1:])
	if len(fields) < 3 {
		return "", 0
	}
	group, _ = strconv.Atoi(fields[2])
	return fields[0], group
}
