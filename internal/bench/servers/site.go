package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/org/deploy-action/internal/bench/beside"
)

const (
	port     = "2299"
	userName = "bench"
	userID   = 64243
)

// sshdConfig serves as many logins at once as the contenders like: the default of
// MaxStartups, 10:30:100, is for one server, and this one stands for hundreds.
const sshdConfig = `Port ` + port + `
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

// startServer starts an sshd in whose eyes this machine has a user of the
// bench's, with a home of its own, and waits until it answers.
func startServer(ctx context.Context, dir string) (stop func(), err error) {
	for _, key := range []string{"host_key", "id"} {
		if said, err := exec.CommandContext(ctx, "ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", filepath.Join(dir, key)).CombinedOutput(); err != nil {
			return nil, fmt.Errorf("ssh-keygen: %w\n%s", err, said)
		}
	}
	home := filepath.Join(dir, "home")
	passwd, err := os.ReadFile("/etc/passwd")
	if err != nil {
		return nil, err
	}
	shadow, err := os.ReadFile("/etc/shadow")
	if err != nil {
		return nil, err
	}
	files := map[string]string{
		"sshd_config": fmt.Sprintf(sshdConfig, dir),
		"passwd":      string(passwd) + fmt.Sprintf("%s:x:%d:%d::%s:/bin/sh\n", userName, userID, userID, home),
		"shadow":      string(shadow) + userName + ":*:19000:0:99999:7:::\n",
	}
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			return nil, err
		}
	}
	if err := os.Mkdir(home, 0o755); err != nil {
		return nil, err
	}
	for _, open := range []string{dir, home} {
		if err := os.Chmod(open, 0o755); err != nil {
			return nil, err
		}
	}
	if err := os.Chown(home, userID, userID); err != nil {
		return nil, err
	}
	if err := os.MkdirAll("/run/sshd", 0o755); err != nil { // where sshd confines itself
		return nil, err
	}
	script := `set -e; mount --bind "$1/passwd" /etc/passwd; mount --bind "$1/shadow" /etc/shadow; exec /usr/sbin/sshd -D -f "$1/sshd_config" -E "$1/sshd.log"`
	server := exec.CommandContext(ctx, "unshare", "--mount", "--propagation", "private", "sh", "-c", script, "sh", dir)
	if err := server.Start(); err != nil {
		return nil, err
	}
	stop = func() {
		_ = server.Process.Kill()
		_ = server.Wait()
	}
	if err := answers(ctx, dir); err != nil {
		stop()
		return nil, err
	}
	return stop, nil
}

// answers waits until somebody can log in.
func answers(ctx context.Context, dir string) error {
	s := site{dir: dir, hosts: 1}
	if err := s.write(); err != nil {
		return err
	}
	deadline := time.Now().Add(20 * time.Second)
	for {
		said, err := exec.CommandContext(ctx, "ssh", "-F", s.path("ssh_config"), s.addresses()[0], "true").CombinedOutput()
		if err == nil || time.Now().After(deadline) {
			return err
		}
		if ctx.Err() != nil {
			return fmt.Errorf("%w\n%s", ctx.Err(), said)
		}
	}
}

// site is so many servers, described to every contender.
type site struct {
	dir   string
	hosts int
}

func (s site) folder() string          { return filepath.Join(s.dir, fmt.Sprintf("%d-servers", s.hosts)) }
func (s site) path(name string) string { return filepath.Join(s.folder(), name) }

func (s site) addresses() []string {
	all := make([]string, s.hosts)
	for i := range all {
		all[i] = fmt.Sprintf("127.1.%d.%d", i/200, i%200+1)
	}
	return all
}

func (s site) write() error {
	if err := os.MkdirAll(s.folder(), 0o755); err != nil {
		return err
	}
	id, err := os.ReadFile(filepath.Join(s.dir, "id"))
	if err != nil {
		return err
	}
	known, err := s.knownHosts()
	if err != nil {
		return err
	}
	config := fmt.Sprintf("Host *\n  User %s\n  Port %s\n  IdentityFile %s\n  IdentitiesOnly yes\n  UserKnownHostsFile %s\n  BatchMode yes\n", userName, port, s.path("id"), s.path("known_hosts"))
	files := map[string]string{
		"id": string(id), "known_hosts": known, "ssh_config": config, "hosts": strings.Join(s.addresses(), "\n") + "\n",
		"deploy.hcl": s.spec(), "inventory": "[all]\n" + strings.Join(s.addresses(), "\n") + "\n", "play.yml": play,
		"ansible.cfg": fmt.Sprintf("[defaults]\nhost_key_checking = True\n[ssh_connection]\npipelining = True\nssh_args = -F %s -o ControlMaster=auto -o ControlPersist=60s\ncontrol_path_dir = %s\n", s.path("ssh_config"), s.path("cp")),
	}
	for name, text := range files {
		if err := os.WriteFile(s.path(name), []byte(text), 0o600); err != nil {
			return err
		}
	}
	return nil
}

func (s site) knownHosts() (string, error) {
	key, err := os.ReadFile(filepath.Join(s.dir, "host_key.pub"))
	if err != nil {
		return "", err
	}
	var b strings.Builder
	for _, address := range s.addresses() {
		fmt.Fprintf(&b, "[%s]:%s %s", address, port, key)
	}
	return b.String(), nil
}

func (s site) spec() string {
	var b, all strings.Builder
	fmt.Fprintf(&b, "ssh {\n  user = %q\n  port = %s\n  private_key = file(\"id\")\n  known_hosts = file(\"known_hosts\")\n}\n", userName, port)
	for i, address := range s.addresses() {
		fmt.Fprintf(&b, "server \"s%d\" {\n  host = %q\n}\n", i, address)
		fmt.Fprintf(&all, "server.s%d, ", i)
	}
	fmt.Fprintf(&b, "group \"all\" {\n  servers = [%s]\n}\n", strings.TrimSuffix(all.String(), ", "))
	b.WriteString("task \"one\" {\n  target = group.all\n  run = \"true\"\n}\npipeline \"five\" {\n")
	for i := range 5 {
		needs := ""
		if i > 0 {
			needs = fmt.Sprintf("  needs = [stage.t%d]\n", i-1)
		}
		fmt.Fprintf(&b, "stage \"t%d\" {\n  task = task.one\n%s}\n", i, needs)
	}
	return b.String() + "}\n"
}

// play is five commands for Ansible, without looking at the servers first.
const play = `- hosts: all
  gather_facts: false
  tasks:
    - command: "true"
    - command: "true"
    - command: "true"
    - command: "true"
    - command: "true"
`

func (s site) ansible(args ...string) []string {
	return append([]string{"ansible", "-i", s.path("inventory"), "-f", "50", "all"}, args...)
}

func (s site) ansibleEnv() []string { return []string{"ANSIBLE_CONFIG=" + s.path("ansible.cfg")} }

// floor logs in to each server and runs true so many times.
func (s site) floor(times int) beside.Contender {
	own, _ := os.Executable() // an empty name fails with its own message
	return beside.Contender{Name: "floor: x/crypto/ssh", Args: []string{own, "floor", s.path("id"), s.path("known_hosts"), s.path("hosts"), fmt.Sprint(times)}}
}
