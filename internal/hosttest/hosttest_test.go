package hosttest_test

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/org/deploy-action/internal/hosttest"
)

// login runs a command on a host by OpenSSH's own client.
func login(f *hosttest.Fleet, host, command string, options ...string) (string, error) {
	args := append(options, "-F", filepath.Join(f.Dir, "ssh_config"), "-o", "BatchMode=yes", "-o", "ConnectTimeout=60", host, command)
	out, err := exec.Command("ssh", args...).CombinedOutput()
	return strings.TrimSpace(string(out)), err
}

func TestSixHosts(t *testing.T) {
	t.Parallel()
	f := hosttest.Start(t)
	for _, name := range []string{"web1", "web2", "web3", "proxy1", "proxy2", "bastion"} {
		out, err := login(f, name, "hostname; whoami; sudo -n whoami; echo mine >/tmp/file; echo other | sudo tee /etc/nginx.conf")
		if want := name + "\ndeploy\nroot\nother"; out != want || err != nil {
			t.Errorf("%s: %q, %v", name, out, err)
		}
	}
	if _, err := os.Stat("/etc/nginx.conf"); err == nil {
		t.Error("a host wrote to this machine's files")
	}
	if out, err := login(f, "web1", "ls /srv /tmp; cat /tmp/file"); out != "/srv:\n\n/tmp:\nfile\nmine" || err != nil {
		t.Errorf("%q, %v", out, err)
	}
}

func TestAJumpHost(t *testing.T) {
	t.Parallel()
	f := hosttest.Start(t, "web1", "bastion")
	f.Host("web1").Private(t)
	if out, err := login(f, "web1", "hostname", "-J", "bastion"); out != "web1" || err != nil {
		t.Errorf("through the jump host: %q, %v", out, err)
	}
	if out, err := login(f, "web1", "hostname", "-o", "ConnectTimeout=1"); err == nil {
		t.Errorf("past the jump host: %q", out)
	}
}

// TestSystemd starts the same unit on two hosts: each systemd has its own.
func TestSystemd(t *testing.T) {
	t.Parallel()
	f := hosttest.Start(t, "web1", "web2")
	for _, name := range []string{"web1", "web2"} {
		f.Host(name).StartSystemd(t)
		f.Host(name).WriteFile(t, "/etc/systemd/system/app@.service", "[Service]\nExecStart=sleep 1000\n", 0o644)
		if out, err := login(f, name, "sudo systemctl start app@blue && sudo systemctl is-active app@blue app@green"); out != "active\ninactive" {
			t.Errorf("%s: %q, %v", name, out, err)
		}
	}
	f.Host("web1").Exec(t, "systemctl stop app@blue")
	if out, err := login(f, "web2", "sudo systemctl is-active app@blue; sudo systemctl show --property MainPID app@blue"); !strings.HasPrefix(out, "active\nMainPID=") {
		t.Errorf("%q, %v", out, err)
	}
}

func TestTwoFleetsAtOnce(t *testing.T) {
	t.Parallel()
	one, other := hosttest.Start(t, "web1"), hosttest.Start(t, "web1")
	one.Host("web1").WriteFile(t, "/srv/which", "one", 0o644)
	other.Host("web1").WriteFile(t, "/srv/which", "other", 0o644)
	for f, want := range map[*hosttest.Fleet]string{one: "one", other: "other"} {
		if out, err := login(f, "web1", "cat /srv/which"); out != want || err != nil {
			t.Errorf("%q, not %q: %v", out, want, err)
		}
	}
}

// TestOwner is what the next test kills.
func TestOwner(t *testing.T) {
	if os.Getenv("HOSTTEST_OWNER") == "" {
		t.Skip("runs in a process of its own")
	}
	fmt.Println(hosttest.Start(t, "web1").Dir)
	select {}
}

// A test that is killed can't clean up: the hosts end by themselves, and the next
// start removes their files.
func TestAKilledTestLeavesNothing(t *testing.T) {
	t.Parallel()
	hosttest.Start(t, "web1") // skips where there are none
	owner := exec.Command(os.Args[0], "-test.run", "^TestOwner$")
	owner.Env = append(os.Environ(), "HOSTTEST_OWNER=1")
	out, err := owner.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := owner.Start(); err != nil {
		t.Fatal(err)
	}
	dir, err := bufio.NewReader(out).ReadString('\n')
	dir = strings.TrimSpace(dir)
	pid, _ := os.ReadFile(filepath.Join(dir, "web1", "pid"))
	process := filepath.Join("/proc", strings.TrimSpace(string(pid)), "root")
	if _, err := os.Stat(process); err != nil || len(pid) == 0 {
		t.Fatalf("%q: no such host: %v", dir, err)
	}
	if err := owner.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = owner.Wait()
	await(t, "the host lives on", func() bool { _, err := os.Stat(process); return err != nil })
	marker := filepath.Join(dir, "marker") // another test may have swept, and started a fleet of that number
	_ = os.WriteFile(marker, nil, 0o600)
	await(t, "its directory stays", func() bool {
		t.Run("next", func(t *testing.T) { hosttest.Start(t, "web1") })
		_, err := os.Stat(marker)
		return err != nil
	})
}

// await waits for what will be true soon, with much more patience than it needs.
func await(t *testing.T, complaint string, done func() bool) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); !done(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal(complaint)
		}
	}
}
