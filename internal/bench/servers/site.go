package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/org/deploy-action/internal/bench/beside"
	"github.com/org/deploy-action/internal/bench/sshd"
)

const port = "2299"

// site is so many servers, described to every contender.
type site struct {
	sshd.Site
	dir    string
	server *sshd.Server
	hosts  int
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
	id, err := os.ReadFile(s.Key())
	if err != nil {
		return err
	}
	known, err := s.knownHosts()
	if err != nil {
		return err
	}
	config := fmt.Sprintf("Host *\n  User %s\n  Port %s\n  IdentityFile %s\n  IdentitiesOnly yes\n  UserKnownHostsFile %s\n  BatchMode yes\n", sshd.User, port, s.path("id"), s.path("known_hosts"))
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
	key, err := s.HostKey()
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
	fmt.Fprintf(&b, "ssh {\n  user = %q\n  port = %s\n  private_key = file(\"id\")\n  known_hosts = file(\"known_hosts\")\n}\n", sshd.User, port)
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
