package hosttest_test

import (
	"net"
	"strings"
	"testing"
	"time"

	"github.com/org/deploy-action/internal/hosttest"
)

// TestFaults has each fault bite, and only while or where it should.
func TestFaults(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]func(*testing.T, *hosttest.Fleet, *hosttest.Host){
		"link": func(t *testing.T, f *hosttest.Fleet, h *hosttest.Host) {
			h.LinkDown(t)
			if out, err := login(f, "web1", "true", "-o", "ConnectTimeout=1"); err == nil {
				t.Errorf("a login over a dead link: %s", out)
			}
			h.LinkUp(t)
			works(t, f, "true")
		},
		"delay": func(t *testing.T, f *hosttest.Fleet, h *hosttest.Host) {
			const delay = 100 * time.Millisecond
			h.Cable(t, delay, 0)
			start := time.Now()
			conn, err := net.Dial("tcp", h.Address+":22")
			if err != nil {
				t.Fatal(err)
			}
			_ = conn.Close()
			if took := time.Since(start); took < 2*delay {
				t.Errorf("a round trip took %v over a cable with %v each way", took, delay)
			}
			works(t, f, "head -c 10000000 /dev/zero | wc -c") // large frames, checksums
		},
		"loss": func(t *testing.T, f *hosttest.Fleet, h *hosttest.Host) {
			works(t, f, "true") // and both ends know each other's Ethernet address
			h.Cable(t, 0, 0.1)
			works(t, f, "head -c 1000000 /dev/zero")
			if resent := h.Exec(t, "grep ^Tcp: /proc/net/snmp | tail -n 1 | cut -d' ' -f13"); resent == "0" {
				t.Error("no segment was sent again")
			}
			h.Cable(t, 0, 1)
			if out, err := login(f, "web1", "true", "-o", "ConnectTimeout=1"); err == nil {
				t.Errorf("a login without a packet: %s", out)
			}
		},
		"stopped sshd": func(t *testing.T, f *hosttest.Fleet, h *hosttest.Host) {
			h.StopSSHD(t)
			refused(t, f, "Connection refused", "true")
			h.StartSSHD(t)
			works(t, f, "true")
		},
		"small disk": func(t *testing.T, f *hosttest.Fleet, h *hosttest.Host) {
			h.SmallDisk(t, "/home/deploy", 64<<10)
			if out, err := login(f, "web1", "head -c 100000 /dev/zero >file"); err == nil {
				t.Errorf("100 kB on a disk of 64 KiB: %s", out)
			}
		},
		"host key": func(t *testing.T, f *hosttest.Fleet, h *hosttest.Host) {
			h.NewHostKey(t)
			refused(t, f, "REMOTE HOST IDENTIFICATION HAS CHANGED", "true")
		},
		"no user": func(t *testing.T, f *hosttest.Fleet, h *hosttest.Host) {
			h.NoUser(t)
			refused(t, f, "Permission denied", "true")
		},
		"no sudo": func(t *testing.T, f *hosttest.Fleet, h *hosttest.Host) {
			works(t, f, "sudo -n true")
			h.NoSudo(t)
			refused(t, f, "password is required", "sudo -n true")
			works(t, f, "true")
		},
		"read-only": func(t *testing.T, f *hosttest.Fleet, h *hosttest.Host) {
			works(t, f, "touch file && sudo touch /etc/file")
			h.ReadOnly(t, "/", "/home/deploy")
			refused(t, f, "Read-only file system", "touch file")
			refused(t, f, "Read-only file system", "sudo touch /etc/file")
			works(t, f, "touch /tmp/file")
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := hosttest.Start(t, "web1")
			test(t, f, f.Host("web1"))
		})
	}
}

func works(t *testing.T, f *hosttest.Fleet, command string) {
	t.Helper()
	if out, err := login(f, "web1", command); err != nil {
		t.Errorf("%s: %v: %s", command, err, out)
	}
}

func refused(t *testing.T, f *hosttest.Fleet, words, command string) {
	t.Helper()
	out, err := login(f, "web1", command)
	if err == nil || !strings.Contains(out, words) {
		t.Errorf("%s: %v, %q; not %q", command, err, out, words)
	}
}
