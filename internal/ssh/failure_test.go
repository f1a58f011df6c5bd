package ssh_test

import (
	"context"
	"errors"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/org/deploy-action/internal/spec"
	"github.com/org/deploy-action/internal/ssh"
	"github.com/org/deploy-action/internal/ssh/sshtest"
	"github.com/org/deploy-action/internal/value"
)

// refuse holds that a server is refused for a kind of failure and in words.
func refuse(t *testing.T, o ssh.Options, server *spec.Server, kind ssh.Kind, words ...string) {
	t.Helper()
	_, err := dialer(t, o).Machine(t.Context(), server)
	var failure *ssh.Error
	if !errors.As(err, &failure) || failure.Kind != kind || failure.Server != "web" {
		t.Errorf("not a failure of kind %q: %v", kind, err)
		return
	}
	for _, word := range words {
		if !strings.Contains(err.Error(), word) {
			t.Errorf("%q is not said: %v", word, err)
		}
	}
}

// listen accepts connections and gives them to serve.
func listen(t *testing.T, serve func(net.Conn)) value.Port {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go serve(conn)
		}
	}()
	return value.Port(listener.Addr().(*net.TCPAddr).Port)
}

func TestUnreachable(t *testing.T) {
	t.Parallel()
	good := sshtest.New(t, sshtest.Options{})
	for name, test := range map[string]struct {
		change func(*spec.Server)
		kind   ssh.Kind
		words  string
	}{
		"no such name": {func(s *spec.Server) { s.Host = "nobody.invalid" }, ssh.DNS, "web: unreachable: "},
		"refused":      {func(s *spec.Server) { s.SSH.Port = 1 }, ssh.Refused, "web: unreachable: connection refused (127.0.0.1:1)"},
		"silent": {func(s *spec.Server) {
			s.SSH.Port, s.SSH.ConnectTimeout = listen(t, func(net.Conn) {}), 50*time.Millisecond
		}, ssh.Timeout, "web: unreachable: connected, but no handshake within 50ms (127.0.0.1:"},
		"hangs up": {func(s *spec.Server) {
			s.SSH.Port = listen(t, func(c net.Conn) { _ = c.Close() })
		}, ssh.Unreachable, "web: unreachable: the connection was closed in the handshake"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := good.Spec("web")
			test.change(server)
			refuse(t, options(t), server, test.kind, test.words)
		})
	}
}

func TestCancelledWhileConnecting(t *testing.T) {
	t.Parallel()
	accepted := make(chan struct{}, 1)
	server := sshtest.New(t, sshtest.Options{}).Spec("web")
	server.SSH.Port = listen(t, func(net.Conn) { accepted <- struct{}{} })
	ctx, cancel := context.WithCancelCause(t.Context())
	cause := errors.New("Ctrl-C")
	go func() {
		<-accepted
		cancel(cause)
	}()
	if _, err := dialer(t, options(t)).Machine(ctx, server); !errors.Is(err, cause) {
		t.Errorf("err = %v", err)
	}
}

// Not more than sshd's MaxStartups at once, or it would drop some. The server has done
// with a connection before its client can know of it: so none is counted twice.
func TestHandshakesAtOnce(t *testing.T) {
	t.Parallel()
	const servers, most = 25, 10
	var now, peak, came atomic.Int32
	full := make(chan struct{})
	port := listen(t, func(c net.Conn) {
		at := now.Add(1)
		for p := peak.Load(); at > p && !peak.CompareAndSwap(p, at); p = peak.Load() {
		}
		if came.Add(1) == most {
			close(full)
		}
		<-full
		<-time.After(100 * time.Millisecond) // for those that should have waited
		now.Add(-1)
		_ = c.Close()
	})
	good := sshtest.New(t, sshtest.Options{})
	d := dialer(t, options(t))
	failed := make(chan error)
	for i := range servers {
		server := good.Spec("web" + string(rune('a'+i)))
		server.SSH.Port, server.SSH.ConnectTimeout = port, time.Minute
		go func() {
			_, err := d.Machine(t.Context(), server)
			failed <- err
		}()
	}
	for range servers {
		if <-failed == nil {
			t.Error("connected to nobody")
		}
	}
	if peak := peak.Load(); peak != most {
		t.Errorf("%d at once", peak)
	}
}

func TestHostKeys(t *testing.T) {
	t.Parallel()
	s := sshtest.New(t, sshtest.Options{HostKeys: []string{"rsa", "ecdsa", "ed25519"}})
	line := func(kind string) string {
		for l := range strings.Lines(s.KnownHosts) {
			if strings.Contains(l, kind) {
				return l
			}
		}
		t.Fatal(kind)
		return ""
	}
	other := sshtest.New(t, sshtest.Options{HostKeys: []string{"ed25519"}})
	stranger := strings.Replace(other.KnownHosts, portOf(other), portOf(s), 1)
	hashed := filepath.Join(t.TempDir(), "known_hosts")
	must(t, os.WriteFile(hashed, []byte(line("rsa")), 0o600))
	must(t, exec.Command("ssh-keygen", "-q", "-H", "-f", hashed).Run())

	for name, known := range map[string]string{
		"one type, the server's first or not": line("ed25519"),
		"ecdsa":                               line("ecdsa"),
		"rsa, signed with SHA-2":              line("rsa"),
		"all":                                 s.KnownHosts,
		"beside a line of nonsense":           "web what is this\nweb ssh-dss AAAA\n" + line("rsa"),
		"another host's key, too":             strings.Replace(stranger, "127.0.0.1", "10.0.0.9", 1) + line("ecdsa"),
		"a hashed file":                       hashed,
		"a wildcard":                          strings.Replace(line("rsa"), "127.0.0.1", "127.0.*", 1),
	} {
		t.Run(name, func(t *testing.T) {
			server := s.Spec("web")
			server.SSH.KnownHosts = known
			if _, err := dialer(t, options(t)).Machine(t.Context(), server); err != nil {
				t.Error(err)
			}
		})
	}
	for name, test := range map[string]struct {
		known string
		words []string
	}{
		"nobody known": {"other.example.com " + strings.SplitN(stranger, " ", 2)[1],
			[]string{"web: host key: not in known_hosts", strings.TrimSpace(line("ed25519")), "turnout servers trust web", s.Fingerprint(t, "ed25519")}},
		"an empty file": {"/dev/null", []string{"not in known_hosts"}},
		"changed": {"# mine\n" + stranger,
			[]string{"CHANGED", s.Fingerprint(t, "ed25519"), other.Fingerprint(t, "ed25519"), "known_hosts:2"}},
		"revoked":         {line("ed25519") + "@revoked * " + strings.SplitN(line("ed25519"), " ", 2)[1], []string{"REVOKED", "known_hosts:2"}},
		"no such file":    {"/nowhere/known_hosts", []string{"/nowhere/known_hosts: no such file"}},
		"a type gone":     {strings.Replace(sk, "HOST", "[127.0.0.1]:"+portOf(s), 1), []string{"CHANGED", "keys of other types only"}},
		"fingerprint bad": {"", []string{"NOT the one pinned", other.Fingerprint(t, "ed25519")}},
	} {
		t.Run(name, func(t *testing.T) {
			server := s.Spec("web")
			server.SSH.KnownHosts = test.known
			if test.known == "" {
				server.SSH.Fingerprint = other.Fingerprint(t, "ed25519")
			}
			refuse(t, options(t), server, ssh.HostKey, test.words...)
		})
	}
	for _, kind := range []string{"ed25519", "ecdsa", "rsa"} {
		server := s.Spec("web")
		server.SSH.KnownHosts, server.SSH.Fingerprint = "", s.Fingerprint(t, kind)
		if _, err := dialer(t, options(t)).Machine(t.Context(), server); err != nil {
			t.Errorf("fingerprint of the %s key: %v", kind, err)
		}
	}
}

// sk is a key of a type that no server has: it takes a hardware token.
const sk = "HOST sk-ssh-ed25519@openssh.com AAAAGnNrLXNzaC1lZDI1NTE5QG9wZW5zc2guY29tAAAAIOuHCxBLpGsQCCN7UPbYU6bXYRT4lrfEHcS0HWnrOWMtAAAABHNzaDo=\n"

func portOf(s *sshtest.Server) string { return strconv.Itoa(int(s.Port)) }

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
