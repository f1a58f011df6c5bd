package hosttest

import (
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/org/deploy-action/internal/spec"
	"github.com/org/deploy-action/internal/value"
)

// Host is a computer as far as its programs can tell. Its files are this
// machine's, and what is written there stays in its memory; /home, /root, /run,
// /srv, /tmp, /var/tmp, /var/lib/turnout and /etc/turnout start empty.
type Host struct {
	Name    string // and hostname, which the others of the fleet know
	Address string // IPv4
	User    string // logs in with the fleet's key and may sudo everything

	fleet *Fleet
	pid   int    // its first process, as this machine numbers it
	cable *cable // where it is not a plain one
}

// Spec is the host as a spec describes it, with all that a login takes.
func (h *Host) Spec() *spec.Server {
	return &spec.Server{
		Name: value.Name(h.Name), Connection: spec.SSH, Host: h.Address, Address: h.Address,
		SSH: spec.SSHOptions{
			User: h.User, Port: 22, PrivateKey: h.fleet.Key, KnownHosts: h.fleet.KnownHosts, ConnectTimeout: 30 * time.Second,
		},
	}
}

// Exec runs a shell script on the host as root, without SSH, and returns what it
// prints. It must succeed.
func (h *Host) Exec(t testing.TB, script string) string {
	t.Helper()
	out, err := h.Try(script)
	must(t, err)
	return out
}

// Try is Exec for scripts that may fail.
func (h *Host) Try(script string) (string, error) {
	out, err := output(h.Command("sh", "-c", script))
	if err != nil {
		err = fmt.Errorf("%s: %w", h.Name, err)
	}
	return out, err
}

// Command is a command to be run on the host as root, without SSH.
func (h *Host) Command(args ...string) *exec.Cmd {
	cmd := exec.Command("nsenter", append([]string{"-t", strconv.Itoa(h.pid), "-a", "--"}, args...)...)
	cmd.Env = []string{"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/root", "LANG=C.UTF-8"}
	return cmd
}

// WriteFile writes a file on the host, owned by root.
func (h *Host) WriteFile(t testing.TB, path, text string, mode os.FileMode) {
	t.Helper()
	cmd := h.Command("sh", "-c", `mkdir -p "$(dirname "$1")" && cat >"$1" && chmod "$2" "$1"`, "sh", path, fmt.Sprintf("%o", mode.Perm()))
	cmd.Stdin = strings.NewReader(text)
	_, err := output(cmd)
	must(t, err)
}

// Runs reports whether a process runs on the host whose command line matches a
// regular expression.
func (h *Host) Runs(t testing.TB, pattern string) bool {
	t.Helper()
	for _, line := range strings.Split(h.Exec(t, "ps -eo args"), "\n") {
		if matched, err := regexp.MatchString(pattern, line); matched || err != nil {
			must(t, err)
			return true
		}
	}
	return false
}

// outside runs ip(8) in the namespace of the network's bridge, where each host is
// a port of its name.
func (f *Fleet) outside(t testing.TB, args ...string) {
	t.Helper()
	_, err := output(exec.Command("nsenter", append([]string{"-t", strconv.Itoa(f.lan), "-n", "ip"}, args...)...))
	must(t, err)
}
