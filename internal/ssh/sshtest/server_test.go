package sshtest_test

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/org/deploy-action/internal/ssh/sshtest"
)

// login runs a command by OpenSSH's own client.
func login(t *testing.T, s *sshtest.Server, command string) string {
	t.Helper()
	known := filepath.Join(t.TempDir(), "known_hosts")
	if err := os.WriteFile(known, []byte(s.KnownHosts), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("ssh", "-F", "none", "-o", "BatchMode=yes", "-o", "UserKnownHostsFile="+known, "-i", filepath.Join(s.Dir, "user_key"),
		"-p", fmt.Sprint(s.Port), s.User+"@"+s.Host, command)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v: %s\n%s", err, stderr.String(), s.Log())
	}
	return strings.TrimSpace(string(out))
}

func TestLoginAsOneself(t *testing.T) {
	s := sshtest.New(t, sshtest.Options{})
	if home := login(t, s, "echo $HOME"); home != s.Home {
		t.Errorf("home %q, not %q", home, s.Home)
	}
}

func TestAnOrdinaryUser(t *testing.T) {
	s := sshtest.New(t, sshtest.Options{Ordinary: true, Sudoers: "deploy ALL=(ALL) NOPASSWD: ALL\n"})
	if who := login(t, s, "cd && pwd && whoami && sudo -n whoami"); who != s.Home+"\ndeploy\nroot" {
		t.Errorf("%q", who)
	}
	if other, err := os.ReadFile("/etc/passwd"); err != nil || strings.Contains(string(other), s.Home) {
		t.Errorf("the machine's own users have changed, %v", err)
	}
}

func TestStoppedAndStarted(t *testing.T) {
	s := sshtest.New(t, sshtest.Options{})
	s.Stop()
	if err := s.Start(); err != nil {
		t.Fatal(err)
	}
	login(t, s, "true")
}
