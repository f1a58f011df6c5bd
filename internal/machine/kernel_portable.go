//go:build !linux || portable

package machine

import (
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// What kernel_linux.go says of these holds here too; POSIX has less to do it with.
// "go test -tags portable" puts this file to the test on Linux.

const knowsBash = false

func ownSession(told *int) *syscall.SysProcAttr {
	*told = -1
	return &syscall.SysProcAttr{Setsid: true}
}

func memoryFile() (int, error) {
	file, err := os.CreateTemp("", ".turnout-stdin-")
	if err != nil {
		return -1, err
	}
	defer file.Close()
	if err := os.Remove(file.Name()); err != nil {
		return -1, err
	}
	return unix.FcntlInt(file.Fd(), unix.F_DUPFD_CLOEXEC, 0)
}

// The lock keeps a child from being started before its parent's ends are marked.
func openPipe() (ends [2]int, err error) {
	syscall.ForkLock.RLock()
	defer syscall.ForkLock.RUnlock()
	if err = unix.Pipe(ends[:]); err == nil {
		unix.CloseOnExec(ends[0])
		unix.CloseOnExec(ends[1])
	}
	return ends, os.NewSyscallError("pipe", err)
}

// growPipe does nothing: macOS lets a pipe grow by itself.
func growPipe(int, int) {}

// Whom nobody waits for, launchd does: no zombie stays. To a group of nothing but
// zombies macOS says that there is no permission.
func living(group int) bool { return syscall.Kill(-group, 0) == nil }
