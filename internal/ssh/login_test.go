package ssh_test

import (
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	xssh "golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/agent"

	"github.com/org/deploy-action/internal/spec"
	"github.com/org/deploy-action/internal/ssh"
	"github.com/org/deploy-action/internal/ssh/sshtest"
)

// accept adds the public half of a key to those that may log in.
func accept(t *testing.T, s *sshtest.Server, public string) {
	t.Helper()
	text, err := os.ReadFile(public)
	must(t, err)
	file, err := os.OpenFile(filepath.Join(s.Dir, "authorized_keys"), os.O_APPEND|os.O_WRONLY, 0)
	must(t, err)
	_, err = file.Write(text)
	must(t, errors.Join(err, file.Close()))
}

func connects(t *testing.T, o ssh.Options, server *spec.Server) {
	t.Helper()
	if _, err := dialer(t, o).Machine(t.Context(), server); err != nil {
		t.Error(err)
	}
}

func TestKeys(t *testing.T) {
	t.Parallel()
	s := sshtest.New(t, sshtest.Options{})
	dir := t.TempDir()
	keys := make(map[string]string)
	for name, args := range map[string][]string{
		"ed25519":           {"-t", "ed25519"},
		"ecdsa":             {"-t", "ecdsa", "-b", "384"},
		"rsa, PKCS #1":      {"-t", "rsa", "-m", "PEM"},
		"ecdsa, PKCS #8":    {"-t", "ecdsa", "-m", "PKCS8"},
		"encrypted ed25519": {"-t", "ed25519", "-N", "secret"},
		"encrypted rsa":     {"-t", "rsa", "-m", "PEM", "-N", "secret"},
	} {
		path := filepath.Join(dir, name)
		keys[name] = sshtest.Keygen(t, path, args...)
		accept(t, s, path+".pub")
		server := s.Spec("web")
		server.SSH.PrivateKey = strings.TrimSpace(keys[name])
		if strings.HasPrefix(name, "encrypted") {
			server.SSH.Passphrase = "secret"
		}
		connects(t, options(t), server)
	}
	stranger := sshtest.Keygen(t, filepath.Join(dir, "stranger"), "-t", "ed25519")
	for name, test := range map[string]struct{ key, passphrase, words string }{
		"not authorised":   {stranger, "", s.User + " at 127.0.0.1:" + portOf(s) + " takes none of the keys it was offered: private_key (ssh-ed25519 SHA256:"},
		"no passphrase":    {keys["encrypted ed25519"], "", "private_key: the key is encrypted: set passphrase"},
		"wrong passphrase": {keys["encrypted rsa"], "wrong", "private_key: the passphrase is wrong"},
		"on one line":      {strings.ReplaceAll(keys["ed25519"], "\n", " "), "", "private_key: the key has lost its line breaks"},
		"the public half":  {"ssh-ed25519 AAAA me@here", "", "private_key: this is the public half"},
		"PuTTY's":          {"PuTTY-User-Key-File-3: ssh-ed25519\n", "", "puttygen"},
		"something else":   {"hunter2", "", "private_key: this is no private key"},
		"none":             {"", "", "no key to log in with: private_key and identity_file are not set; no key agent (SSH_AUTH_SOCK is not set)"},
	} {
		server := s.Spec("web")
		server.SSH.PrivateKey, server.SSH.Passphrase = test.key, test.passphrase
		t.Run(name, func(t *testing.T) {
			refuse(t, options(t), server, ssh.Authentication, "web: authentication: ", test.words)
		})
	}
}

// home is a user's, with files below .ssh.
func home(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	must(t, os.Mkdir(filepath.Join(dir, ".ssh"), 0o700))
	for name, text := range files {
		must(t, os.WriteFile(filepath.Join(dir, ".ssh", name), []byte(text), 0o600))
	}
	return dir
}

// bare is a server of which the spec says nothing but its name for ssh.
func bare(host string) *spec.Server {
	return &spec.Server{Name: "web", Connection: spec.SSH, Host: host, SSH: spec.SSHOptions{Port: 22}}
}

func TestUserConfiguration(t *testing.T) {
	t.Parallel()
	s := sshtest.New(t, sshtest.Options{})
	config := func(more string) string {
		return fmt.Sprintf("Host shop\n  HostName 127.0.0.1\n  Port %d\n  User %s\n%s", s.Port, s.User, more)
	}
	aliased := "shop-key " + strings.SplitN(s.KnownHosts, " ", 2)[1]
	for name, files := range map[string]map[string]string{
		"defaults":      {"config": config(""), "id_ed25519": s.Key, "known_hosts": s.KnownHosts},
		"identity file": {"config": config("  IdentityFile ~/.ssh/of-%h-%p\n"), "of-127.0.0.1-" + portOf(s): s.Key, "known_hosts": s.KnownHosts},
		"host key alias, other file": {"config": config("  HostKeyAlias shop-key\n  UserKnownHostsFile ~/.ssh/other\n"),
			"id_ed25519": s.Key, "other": aliased},
	} {
		t.Run(name, func(t *testing.T) {
			o := options(t)
			o.Home = home(t, files)
			connects(t, o, bare("shop"))
		})
	}
	for name, test := range map[string]struct {
		more, words string
		kind        ssh.Kind
	}{
		"a proxy command":    {"  ProxyCommand nc %h %p\n", "turnout can't follow ProxyCommand nc %h %p", ssh.Config},
		"a match by command": {"Match exec true\n  User root\n", "Match Exec is not supported", ssh.Config},
		"no key there":       {"  IdentityFile ~/.ssh/nothing\n", "/.ssh/nothing: no such file", ssh.Authentication},
		"going in circles":   {"  ProxyJump shop\n", "more than 8 jump hosts", ssh.Config},
	} {
		t.Run(name, func(t *testing.T) {
			o := options(t)
			o.Home = home(t, map[string]string{"config": config(test.more), "known_hosts": s.KnownHosts})
			refuse(t, o, bare("shop"), test.kind, test.words)
		})
	}
	t.Run("the spec's own values win", func(t *testing.T) {
		o := options(t)
		o.Home = home(t, map[string]string{"config": "Host *\n  User nobody-here\n  Port 1\n  IdentityFile ~/.ssh/nothing\n  ConnectTimeout 1\n"})
		connects(t, o, s.Spec("web"))
	})
}

func TestKeyAgent(t *testing.T) {
	t.Parallel()
	s := sshtest.New(t, sshtest.Options{})
	key, err := xssh.ParseRawPrivateKey([]byte(s.Key))
	must(t, err)
	ring := agent.NewKeyring()
	must(t, ring.Add(agent.AddedKey{PrivateKey: key}))
	listener, err := net.Listen("unix", filepath.Join(t.TempDir(), "agent"))
	must(t, err)
	t.Cleanup(func() { _ = listener.Close() })
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go func() { _ = agent.ServeAgent(ring, conn) }()
		}
	}()
	o := options(t)
	o.AuthSock = listener.Addr().String()
	server := s.Spec("web")
	server.SSH.PrivateKey = ""
	connects(t, o, server)

	// an encrypted file needs no passphrase where the agent has the key
	path := filepath.Join(t.TempDir(), "key")
	must(t, os.WriteFile(path, []byte(s.Key), 0o600))
	must(t, exec.Command("ssh-keygen", "-q", "-p", "-P", "", "-N", "secret", "-f", path).Run())
	server.SSH.IdentityFile = path
	connects(t, o, server)
	o.AuthSock = ""
	refuse(t, o, server, ssh.Authentication, path+": the key is encrypted: set passphrase")
}

func TestCertificates(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	authority := filepath.Join(dir, "authority")
	sshtest.Keygen(t, authority, "-t", "rsa") // another type than the keys it signs
	s := sshtest.New(t, sshtest.Options{
		HostKeys: []string{"ed25519"},
		Config:   []string{"TrustedUserCAKeys " + authority + ".pub"},
	})
	sign := func(args ...string) {
		t.Helper()
		output, err := exec.Command("ssh-keygen", append([]string{"-q", "-s", authority}, args...)...).CombinedOutput()
		if err != nil {
			t.Fatalf("%v: %s", err, output)
		}
	}
	path := filepath.Join(dir, "user")
	key := sshtest.Keygen(t, path, "-t", "ed25519")
	sign("-I", "user", "-n", s.User, path+".pub")
	certificate, err := os.ReadFile(path + "-cert.pub")
	must(t, err)

	server := s.Spec("web")
	server.SSH.PrivateKey = key
	refuse(t, options(t), server, ssh.Authentication, "takes none")
	server.SSH.Certificate = string(certificate)
	connects(t, options(t), server)
	server.SSH.PrivateKey, server.SSH.Certificate, server.SSH.IdentityFile = "", "", path
	connects(t, options(t), server) // the certificate lies beside it
	server.SSH.PrivateKey, server.SSH.Certificate = s.Key, string(certificate)
	refuse(t, options(t), server, ssh.Authentication, "certificate of private_key: it is for another key")

	// the host has one as well, of the same authority
	host := filepath.Join(s.Dir, "host_ed25519_key")
	sign("-I", "host", "-h", "-n", "127.0.0.1", host+".pub")
	file, err := os.OpenFile(filepath.Join(s.Dir, "sshd_config"), os.O_APPEND|os.O_WRONLY, 0)
	must(t, err)
	_, err = fmt.Fprintf(file, "HostCertificate %s-cert.pub\n", host)
	must(t, errors.Join(err, file.Close()))
	public, err := os.ReadFile(authority + ".pub")
	must(t, err)
	server = s.Spec("web")
	server.SSH.KnownHosts = "@cert-authority [127.0.0.1]:" + portOf(s) + " " + string(public)
	connects(t, options(t), server)
	server.SSH.KnownHosts = s.KnownHosts
	connects(t, options(t), server)
}

func TestJumpHosts(t *testing.T) {
	t.Parallel()
	bastion := sshtest.New(t, sshtest.Options{})
	inner := sshtest.New(t, sshtest.Options{Address: "::1"})
	via := bastion.Spec("bastion")
	server := inner.Spec("web")
	server.SSH.Via = via
	d := dialer(t, options(t))
	if _, err := d.Machine(t.Context(), server); err != nil {
		t.Fatal(err)
	}
	if bastion.Connections() != 1 || inner.Connections() != 1 {
		t.Errorf("%d connections to the jump host, %d behind it", bastion.Connections(), inner.Connections())
	}

	t.Run("from ~/.ssh/config", func(t *testing.T) {
		o := options(t)
		o.Home = home(t, map[string]string{
			"config": fmt.Sprintf("Host shop\n  HostName ::1\n  Port %d\n  User %s\n  IdentityFile ~/.ssh/inner\n  ProxyJump %s@jump:%d\nHost jump\n  HostName 127.0.0.1\n  IdentityFile ~/.ssh/outer\n",
				inner.Port, inner.User, bastion.User, bastion.Port),
			"inner": inner.Key, "outer": bastion.Key, "known_hosts": bastion.KnownHosts + inner.KnownHosts,
		})
		before := bastion.Connections()
		connects(t, o, bare("shop"))
		if bastion.Connections() != before+1 {
			t.Error("not by way of the jump host")
		}
	})
	t.Run("its own failures are named", func(t *testing.T) {
		closed := *server
		closed.SSH.Port = 1
		refuse(t, options(t), &closed, ssh.Refused, "web: unreachable: the jump host says: ")
		unknown := *via
		unknown.SSH.KnownHosts = "other " + strings.SplitN(bastion.KnownHosts, " ", 2)[1]
		behind := *server
		behind.SSH.Via = &unknown
		refuse(t, options(t), &behind, ssh.HostKey, "web: host key: by way of bastion: not in known_hosts", "servers trust bastion")
		none := sshtest.New(t, sshtest.Options{Config: []string{"AllowTcpForwarding no"}})
		behind.SSH.Via = none.Spec("bastion")
		refuse(t, options(t), &behind, ssh.Unreachable, "forwards no connections", "AllowTcpForwarding yes")
	})
	t.Run("keys are listed through it", func(t *testing.T) {
		keys, err := dialer(t, options(t)).Scan(t.Context(), server)
		if err != nil || len(keys) != 1 || keys[0].Line+"\n" != inner.KnownHosts {
			t.Errorf("%+v, %v", keys, err)
		}
	})
}
