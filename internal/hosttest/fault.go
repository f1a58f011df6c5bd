package hosttest

import (
	"fmt"
	"testing"
)

// LinkDown pulls the host's network cable: packets are lost in both directions,
// and nobody is told.
func (h *Host) LinkDown(t testing.TB) { t.Helper(); h.fleet.outside(t, "link", "set", h.Name, "down") }

// LinkUp plugs it in again.
func (h *Host) LinkUp(t testing.TB) { t.Helper(); h.fleet.outside(t, "link", "set", h.Name, "up") }

// Private has the host answer only hosts of its own network, not the machine that
// runs the tests: from here the way to it is a jump host.
func (h *Host) Private(t testing.TB) {
	t.Helper()
	h.Exec(t, `gate=$(ip -4 -o addr show eth0 | sed 's/.* inet \([0-9.]*\)\.[0-9]*\/.*/\1.1/') && ip route add blackhole "$gate"`)
}

// StopSSHD ends the process that accepts connections. Those that are open stay.
func (h *Host) StopSSHD(t testing.TB) {
	t.Helper()
	h.Exec(t, `pid=$(cat /run/sshd.pid) && kill "$pid" && while kill -0 "$pid" 2>/dev/null; do sleep 0.01; done`)
}

// StartSSHD starts it again.
func (h *Host) StartSSHD(t testing.TB) {
	t.Helper()
	h.Exec(t, "/usr/sbin/sshd -E /run/sshd.log && while [ ! -s /run/sshd.pid ]; do sleep 0.01; done")
}

// SmallDisk puts a file system of so many bytes at a directory, which it hides. A
// tmpfs holds whole pages of 4 KiB.
func (h *Host) SmallDisk(t testing.TB, path string, size int64) {
	t.Helper()
	h.Exec(t, fmt.Sprintf(`mkdir -p '%[1]s' && mount -t tmpfs -o "size=%[2]d,$(stat -c 'mode=%%a,uid=%%u,gid=%%g' '%[1]s')" tmpfs '%[1]s'`, path, size))
}

// ReadOnly makes what lies at these paths read-only, for root too. A path with a
// file system of its own below another needs to be named itself.
func (h *Host) ReadOnly(t testing.TB, paths ...string) {
	t.Helper()
	for _, path := range paths {
		h.Exec(t, fmt.Sprintf(`mountpoint -q '%[1]s' || mount --bind '%[1]s' '%[1]s'; mount -o remount,bind,ro '%[1]s'`, path))
	}
}

// FillDisk writes to the file system at a directory until not one more page is free.
func (h *Host) FillDisk(t testing.TB, path string) {
	t.Helper()
	h.Exec(t, fmt.Sprintf(`! cat /dev/zero >'%s/.filler' 2>/dev/null`, path))
}

// FreeDisk takes away what FillDisk has put there.
func (h *Host) FreeDisk(t testing.TB, path string) { t.Helper(); h.Exec(t, "rm '"+path+"/.filler'") }

// Freeze makes a directory and what is below it read-only at once, for root too.
// Files that are open for writing stay so.
func (h *Host) Freeze(t testing.TB, path string) {
	t.Helper()
	h.Exec(t, fmt.Sprintf(`mount --bind '%[1]s' '%[1]s' && mount -o remount,bind,ro '%[1]s'`, path))
}

// Thaw ends what Freeze began.
func (h *Host) Thaw(t testing.TB, path string) { t.Helper(); h.Exec(t, "umount -l '"+path+"'") }

// NewHostKey gives the host another key than the fleet's KnownHosts have, as if it
// had been installed anew or were another host.
func (h *Host) NewHostKey(t testing.TB) {
	t.Helper()
	h.StopSSHD(t)
	h.Exec(t, `cd /etc/ssh && rm ssh_host_ed25519_key* && ssh-keygen -q -t ed25519 -N "" -f ssh_host_ed25519_key`)
	h.StartSSHD(t)
}

// NoUser removes the user.
func (h *Host) NoUser(t testing.TB) {
	t.Helper()
	h.Exec(t, "sed -i /^"+h.User+":/d /etc/passwd")
}

// NoSudo takes the user's right to use sudo away.
func (h *Host) NoSudo(t testing.TB) { t.Helper(); h.Exec(t, "rm /etc/sudoers.d/"+h.User) }
