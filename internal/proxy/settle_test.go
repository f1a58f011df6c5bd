package proxy_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/org/deploy-action/internal/proxy"
	"github.com/org/deploy-action/internal/proxy/proxytest"
)

// TestSelectDuringSomebodysReload switches a HAProxy whose master, in the middle of
// a reload, has read the former map and is held up by what it reads next.
func TestSelectDuringSomebodysReload(t *testing.T) {
	w := newWorld(t, proxy.HAProxy)
	w.Kill()
	slow := filepath.Join(w.Dir, "slow.map")
	must(t, os.WriteFile(slow, []byte("a b\n"), 0o644))
	last := filepath.Join(w.Dir, "last.cfg")
	must(t, os.WriteFile(last, fmt.Appendf(nil, "frontend last\n    bind 127.0.0.1:%d\n    use_backend %%[req.hdr(host),map(%s)]\n", proxytest.FreePort(t), slow), 0o644))
	pidFile := filepath.Join(w.Dir, "haproxy.pid")
	w.StartWith("haproxy", "-W", "-f", string(w.site.Main), "-f", string(w.site.Config), "-f", last, "-p", pidFile)
	w.install("blue")

	must(t, os.Remove(slow))
	must(t, syscall.Mkfifo(slow, 0o644))
	text, err := os.ReadFile(pidFile)
	must(t, err)
	master, err := strconv.Atoi(strings.TrimSpace(string(text)))
	must(t, err)
	proxytest.Await(t, func() error { return w.turnedOver(nil) })
	before := w.Processes()
	w.Reload()
	var pipe *os.File
	proxytest.Await(t, func() (err error) { // there is nobody to write to until the master reads
		pipe, err = os.OpenFile(slow, os.O_WRONLY|syscall.O_NONBLOCK, 0)
		return err
	})
	must(t, syscall.Kill(master, syscall.SIGSTOP)) // as a busy machine does

	selected := make(chan error, 1)
	go func() {
		_, err := proxy.Select.On(t.Context(), w.local, proxy.Selection{Site: w.site, Slot: "green"})
		selected <- err
		close(selected)
	}()
	select {
	case err := <-selected:
		t.Errorf("Select did not wait for what the reload comes to: %v", err)
	case <-time.After(time.Second): // its proof takes a quarter of that
	}
	must(t, pipe.Close())
	must(t, syscall.Kill(master, syscall.SIGCONT))
	if err := <-selected; err != nil {
		t.Error(err)
	}
	proxytest.Await(t, func() error { return w.turnedOver(before) })
	w.served("green")
}

// turnedOver is nil once the proxy has a master and one worker, and not the one
// that it had.
func (w *world) turnedOver(before []int) error {
	if now := w.Processes(); len(now) != 2 || slices.Equal(now, before) {
		return fmt.Errorf("processes: %v, before the reload %v", now, before)
	}
	return nil
}
