// Package sshd starts OpenSSH servers of this machine for benchmarks, in whose eyes
// there is one user more. It needs root.
package sshd

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// User is who logs in, and his number, which no system gives away.
const (
	User   = "bench"
	UserID = 64243
)

// Site is what all servers of a benchmark share: keys, and the user's home.
type Site struct{ dir string }

// Here is the site that was made in a folder.
func Here(dir string) Site { return Site{dir} }

// Key is the file of the key that may log in.
func (s Site) Key() string { return s.path("id") }

// HostKey is the servers' key, as a line of known_hosts has it after the name.
func (s Site) HostKey() (string, error) {
	text, err := os.ReadFile(s.path("host_key.pub"))
	return string(text), err
}

func (s Site) path(name string) string { return filepath.Join(s.dir, name) }

// NewSite makes a site in a folder that all users may enter.
func NewSite(ctx context.Context, dir string) (Site, error) {
	s := Site{dir}
	for _, key := range []string{"host_key", "id"} {
		if said, err := exec.CommandContext(ctx, "ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", s.path(key)).CombinedOutput(); err != nil {
			return s, fmt.Errorf("ssh-keygen: %w\n%s", err, said)
		}
	}
	passwd, errPasswd := os.ReadFile("/etc/passwd")
	shadow, errShadow := os.ReadFile("/etc/shadow")
	home := s.path("home")
	return s, errors.Join(
		errPasswd, errShadow, os.Chmod(dir, 0o755),
		os.WriteFile(s.path("passwd"), fmt.Appendf(passwd, "%s:x:%d:%d::%s:/bin/sh\n", User, UserID, UserID, home), 0o644),
		os.WriteFile(s.path("shadow"), fmt.Appendf(shadow, "%s:*:19000:0:99999:7:::\n", User), 0o600),
		os.Mkdir(home, 0o755), os.Chown(home, UserID, UserID),
		os.MkdirAll("/run/sshd", 0o755), // where sshd confines itself
	)
}

// Listener is where a server listens, and what it sees.
type Listener struct {
	Address string // an IP literal; 0.0.0.0: all of the loopback's
	Port    string
	Mounts  [][2]string // folders, and where the server has them
}

// config serves as many logins at once as clients like: the default of MaxStartups,
// 10:30:100, is for one server, and one may stand for hundreds.
const config = `ListenAddress %[2]s
Port %[3]s
HostKey %[1]s/host_key
AuthorizedKeysFile %[1]s/id.pub
PidFile none
StrictModes no
UsePAM no
PasswordAuthentication no
KbdInteractiveAuthentication no
MaxStartups 2000
MaxSessions 100
Subsystem sftp internal-sftp
`

// Server is one sshd, process 1 of its own: whatever it leaves behind is its to
// wait for, and ends with it.
type Server struct{ process *exec.Cmd }

// Start starts a server and waits until somebody can log in.
func (s Site) Start(ctx context.Context, l Listener) (*Server, error) {
	file := s.path("sshd_config-" + l.Address)
	if err := os.WriteFile(file, fmt.Appendf(nil, config, s.dir, l.Address, l.Port), 0o644); err != nil {
		return nil, err
	}
	script := `set -e; while [ "$1" != sshd ]; do mount --bind "$1" "$2"; shift 2; done; exec /usr/sbin/sshd -D -f "$2" -E "$3"`
	args := []string{"--mount", "--propagation", "private", "--pid", "--fork", "--kill-child", "--mount-proc", "sh", "-c", script, "sh"}
	for _, mount := range append([][2]string{{s.path("passwd"), "/etc/passwd"}, {s.path("shadow"), "/etc/shadow"}}, l.Mounts...) {
		args = append(args, mount[0], mount[1])
	}
	server := &Server{exec.CommandContext(ctx, "unshare", append(args, "sshd", file, s.path("sshd.log"))...)}
	server.process.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL} // also where this program is killed
	if err := server.process.Start(); err != nil {
		return nil, err
	}
	if err := s.answers(ctx, l); err != nil {
		server.Stop()
		return nil, err
	}
	return server, nil
}

func (s Site) answers(ctx context.Context, l Listener) error {
	address := strings.Replace(l.Address, "0.0.0.0", "127.0.0.1", 1)
	hostKey, err := s.HostKey()
	if err == nil {
		err = os.WriteFile(s.path("known_hosts"), []byte("bench "+hostKey), 0o644)
	}
	deadline := time.Now().Add(20 * time.Second)
	for err == nil {
		said, failed := exec.CommandContext(ctx, "ssh", append(s.Options(), "-p", l.Port, address, "true")...).CombinedOutput()
		if failed == nil {
			return nil
		}
		if ctx.Err() != nil || time.Now().After(deadline) {
			err = fmt.Errorf("ssh: %w\n%s", failed, said)
		}
	}
	return err
}

// Options make ssh and scp log in to a server.
func (s Site) Options() []string {
	return []string{
		"-F", "none", "-i", s.Key(), "-o", "User=" + User, "-o", "HostKeyAlias=bench", "-o", "UserKnownHostsFile=" + s.path("known_hosts"),
		"-o", "BatchMode=yes", "-o", "IdentitiesOnly=yes",
	}
}

// ending is how long connections may take to end once their client has. Ansible
// leaves some open.
const ending = time.Second

// CPU is what the server and all connections that have ended took so far, in ms:
// proc_pid_stat(5), utime to cstime, in hundredths of a second.
func (s *Server) CPU() float64 {
	pid := children(fmt.Sprint(s.process.Process.Pid))
	for began := time.Now(); children(pid) != "" && time.Since(began) < ending; {
		time.Sleep(5 * time.Millisecond)
	}
	text, err := os.ReadFile("/proc/" + pid + "/stat")
	if err != nil {
		return 0
	}
	fields := strings.Fields(string(text[strings.LastIndexByte(string(text), ')')+1:]))
	total := 0.0
	for _, field := range fields[11:15] {
		var ticks float64
		_, _ = fmt.Sscan(field, &ticks) // digits: the kernel wrote them
		total += ticks
	}
	return total * 10
}

// children are those of a process, as proc(5) lists them.
func children(pid string) string {
	text, err := os.ReadFile("/proc/" + pid + "/task/" + pid + "/children")
	if err != nil {
		return "" // it has ended
	}
	return strings.TrimSpace(string(text))
}

// Stop ends the server and all connections.
func (s *Server) Stop() {
	_ = s.process.Process.Kill()
	_ = s.process.Wait()
}
