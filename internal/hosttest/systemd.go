package hosttest

import (
	_ "embed"
	"path/filepath"
	"testing"
)

//go:embed systemd.sh
var systemd string

// StartSystemd starts systemd on the host: systemctl, units and their control
// groups are real. It is not the host's first process, and starts no unit by
// itself.
func (h *Host) StartSystemd(t testing.TB) {
	t.Helper()
	const script = "/usr/local/sbin/systemd.sh"
	h.WriteFile(t, script, systemd, 0o755)
	name := filepath.Base(h.fleet.Dir) + "-" + h.Name
	h.Exec(t, script+" start "+name)
	t.Cleanup(func() { h.Exec(t, script+" stop "+name) })
}
