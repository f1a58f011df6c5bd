// Package sshtest starts real OpenSSH servers on the loopback, for tests.
package sshtest

import (
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"

	"github.com/org/deploy-action/internal/spec"
	"github.com/org/deploy-action/internal/value"
)

// Options say what is special about a server.
type Options struct {
	// Ordinary logs in as an ordinary user, "deploy", who exists for this server
	// only. It needs root: elsewhere the test is skipped. Otherwise one logs in as
	// the user who runs the tests. In both cases the home is one of the test.
	Ordinary bool
	Shell    string   // login shell of the ordinary user; default /bin/sh
	Sudoers  string   // what sudo reads instead of /etc/sudoers; needs Ordinary
	Mounts   string   // commands that root runs for each connection, where $home and $vartmp may be mounted over; needs Ordinary
	Config   []string // lines of sshd_config, before those that are set here
	HostKeys []string // types for ssh-keygen -t; default ed25519
	Address  string   // IP literal to listen on; default 127.0.0.1
}

// Server is an sshd. One process serves each connection (sshd -i), so that there
// is no port to find and no MaxStartups.
type Server struct {
	Host, User string
	Port       value.Port
	Key        string // private key that may log in, PEM
	KnownHosts string // lines for every host key
	Home       string // of the user
	VarTmp     string // what an ordinary user sees as /var/tmp
	Dir        string // host_<type>_key, authorized_keys, sshd_config, log

	mu       sync.Mutex
	listener net.Listener
	children map[*exec.Cmd]bool
	logins   int
	wait     sync.WaitGroup
	start    []string // the command for one connection
}

// New starts a server that ends with the test.
func New(t testing.TB, o Options) *Server {
	t.Helper()
	program, err := sshd()
	if err != nil {
		if slices.Contains(strings.Split(os.Getenv("TURNOUT_MUST_RUN"), ","), "sshd") {
			t.Fatalf("%v, and TURNOUT_MUST_RUN says it must be here", err)
		}
		t.Skip(err)
	}
	if o.Ordinary && os.Geteuid() != 0 {
		t.Skip("making a user needs root")
	}
	dir, err := os.MkdirTemp("", "sshtest-") // not t.TempDir: its parents are closed to other users
	must(t, err)
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	must(t, os.Chmod(dir, 0o755))
	s := &Server{Dir: dir, Home: filepath.Join(dir, "home"), Host: o.Address, children: make(map[*exec.Cmd]bool)}
	if s.Host == "" {
		s.Host = "127.0.0.1"
	}
	must(t, os.Mkdir(s.Home, 0o755))
	s.start = []string{program, "-i", "-f", s.path("sshd_config"), "-E", s.path("log")}
	s.setUser(t, o)
	must(t, s.Start())
	t.Cleanup(s.Stop)
	s.writeConfig(t, o)
	return s
}

func (s *Server) path(name string) string { return filepath.Join(s.Dir, name) }

// sshd finds the server. It must be started by its whole path.
func sshd() (string, error) {
	for _, path := range []string{"/usr/sbin/sshd", "/usr/local/sbin/sshd"} {
		if _, err := os.Stat(path); err == nil {
			return path, nil
		}
	}
	return "", errors.New("sshd is not installed")
}

// ordinaryID is the user and group id of the ordinary user: none that a system
// gives away.
const ordinaryID = 64242

// setUser chooses the user and, for an ordinary one, has every connection see
// other files of users than this machine's.
func (s *Server) setUser(t testing.TB, o Options) {
	if !o.Ordinary {
		me, err := user.Current()
		must(t, err)
		s.User = me.Username
		return
	}
	s.User = "deploy"
	shell := o.Shell
	if shell == "" {
		shell = "/bin/sh"
	}
	must(t, os.Chown(s.Home, ordinaryID, ordinaryID))
	s.VarTmp = s.path("vartmp")
	must(t, os.Mkdir(s.VarTmp, 0o755))
	must(t, os.Chmod(s.VarTmp, 0o777|os.ModeSticky))
	script := fmt.Sprintf("set -e\nhome=%s vartmp=/var/tmp\nmount --bind %s /var/tmp", s.Home, s.VarTmp)
	for path, text := range map[string]string{
		"/etc/passwd":  withLine(t, "/etc/passwd", fmt.Sprintf("deploy:x:%d:%d::%s:%s", ordinaryID, ordinaryID, s.Home, shell)),
		"/etc/group":   withLine(t, "/etc/group", fmt.Sprintf("deploy:x:%d:", ordinaryID)),
		"/etc/shadow":  withLine(t, "/etc/shadow", "deploy:*:19000:0:99999:7:::"),
		"/etc/sudoers": o.Sudoers,
	} {
		info, err := os.Stat(path)
		if errors.Is(err, os.ErrNotExist) {
			continue // no sudo here
		}
		must(t, err)
		own := s.path(filepath.Base(path))
		must(t, os.WriteFile(own, []byte(text), info.Mode().Perm()|0o200))
		must(t, os.Chmod(own, info.Mode().Perm()))
		script += fmt.Sprintf("\nmount --bind %s %s", own, path)
	}
	script += "\n" + o.Mounts + "\nexec \"$@\""
	s.start = append([]string{"unshare", "--mount", "--propagation", "private", "sh", "-c", script, "sh"}, s.start...)
}

func withLine(t testing.TB, path, line string) string {
	text, err := os.ReadFile(path)
	must(t, err)
	return string(text) + line + "\n"
}

// writeConfig makes the keys and the configuration, once the port is known.
func (s *Server) writeConfig(t testing.TB, o Options) {
	types := o.HostKeys
	if len(types) == 0 {
		types = []string{"ed25519"}
	}
	lines := slices.Clone(o.Config)
	for _, kind := range types {
		s.KnownHosts += s.NewHostKey(t, kind)
		lines = append(lines, "HostKey "+s.path("host_"+kind+"_key"))
	}
	s.Key = Keygen(t, s.path("user_key"), "-t", "ed25519")
	authorized, err := os.ReadFile(s.path("user_key.pub"))
	must(t, err)
	must(t, os.WriteFile(s.path("authorized_keys"), authorized, 0o644))
	lines = append(lines,
		"AuthorizedKeysFile "+s.path("authorized_keys"), "StrictModes no", "UsePAM no", "PidFile none", "LogLevel VERBOSE",
		"PasswordAuthentication no", "KbdInteractiveAuthentication no", "PermitRootLogin yes", "AcceptEnv LANG",
	)
	lines = append(lines, fmt.Sprintf("SetEnv HOME=%s GORACE=atexit_sleep_ms=0", s.Home)) // agents with the race detector end at once
	must(t, os.WriteFile(s.path("sshd_config"), []byte(strings.Join(lines, "\n")+"\n"), 0o644))
	if os.Geteuid() == 0 {
		must(t, os.MkdirAll("/run/sshd", 0o755)) // where sshd confines itself
	}
}

// NewHostKey makes another host key of a type and returns its line for
// known_hosts.
func (s *Server) NewHostKey(t testing.TB, kind string) string {
	t.Helper()
	path := s.path("host_" + kind + "_key")
	_ = os.Remove(path)
	Keygen(t, path, "-t", kind)
	text, err := os.ReadFile(path + ".pub")
	must(t, err)
	fields := strings.Fields(string(text))
	return fmt.Sprintf("[%s]:%d %s %s\n", s.Host, s.Port, fields[0], fields[1])
}

// Keygen runs ssh-keygen for a key without a passphrase, unless args have one,
// and returns the private key.
func Keygen(t testing.TB, path string, args ...string) string {
	t.Helper()
	if !slices.Contains(args, "-N") {
		args = append(args, "-N", "")
	}
	output, err := exec.Command("ssh-keygen", append([]string{"-q", "-f", path}, args...)...).CombinedOutput()
	if err != nil {
		t.Fatalf("ssh-keygen: %v: %s", err, output)
	}
	text, err := os.ReadFile(path)
	must(t, err)
	return string(text)
}

// Spec is the server as a spec describes it, with all that a login takes.
func (s *Server) Spec(name string) *spec.Server {
	return &spec.Server{
		Name: value.Name(name), Connection: spec.SSH, Host: s.Host, Address: s.Host,
		SSH: spec.SSHOptions{
			User: s.User, Port: s.Port, PrivateKey: s.Key, KnownHosts: s.KnownHosts, ConnectTimeout: 30 * time.Second,
		},
	}
}

// Fingerprint is that of a host key, "SHA256:…".
func (s *Server) Fingerprint(t testing.TB, kind string) string {
	t.Helper()
	text, err := os.ReadFile(s.path("host_" + kind + "_key.pub"))
	must(t, err)
	key, _, _, _, err := ssh.ParseAuthorizedKey(text)
	must(t, err)
	return ssh.FingerprintSHA256(key)
}

// Log is what sshd has written.
func (s *Server) Log() string {
	text, _ := os.ReadFile(s.path("log"))
	return string(text)
}

// Connections counts those there have been.
func (s *Server) Connections() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.logins
}

// Start listens, after Stop on the same port again.
func (s *Server) Start() error {
	listener, err := net.Listen("tcp", net.JoinHostPort(s.Host, fmt.Sprint(s.Port)))
	if err != nil {
		return err
	}
	s.Port = value.Port(listener.Addr().(*net.TCPAddr).Port)
	s.mu.Lock()
	s.listener = listener
	s.mu.Unlock()
	s.wait.Go(func() { s.serve(listener) })
	return nil
}

func (s *Server) serve(listener net.Listener) {
	for {
		conn, err := listener.Accept()
		if err != nil {
			return
		}
		s.spawn(conn.(*net.TCPConn))
	}
}

// spawn hands a connection to an sshd of its own.
func (s *Server) spawn(conn *net.TCPConn) {
	defer conn.Close()
	file, err := conn.File()
	if err != nil {
		return
	}
	defer file.Close()
	cmd := exec.Command(s.start[0], s.start[1:]...)
	cmd.Stdin, cmd.Stdout = file, file
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.listener == nil || cmd.Start() != nil {
		return
	}
	s.logins++
	s.children[cmd] = true
	s.wait.Go(func() {
		_ = cmd.Wait()
		s.mu.Lock()
		defer s.mu.Unlock()
		delete(s.children, cmd)
	})
}

// Stop closes the listener and every connection.
func (s *Server) Stop() {
	s.mu.Lock()
	if s.listener != nil {
		_ = s.listener.Close()
		s.listener = nil
	}
	s.mu.Unlock()
	s.Signal(syscall.SIGKILL)
	s.wait.Wait()
}

// Signal sends a signal to the sshd of every connection: SIGKILL cuts them off,
// SIGSTOP leaves them open but silent.
func (s *Server) Signal(signal syscall.Signal) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for cmd := range s.children {
		_ = syscall.Kill(-cmd.Process.Pid, signal)
	}
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
