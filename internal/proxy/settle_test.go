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
	held := w.heldUp()
	must(t, syscall.Kill(held.master, syscall.SIGSTOP)) // as a busy machine does

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
	held.letGo()
	must(t, syscall.Kill(held.master, syscall.SIGCONT))
	if err := <-selected; err != nil {
		t.Error(err)
	}
	proxytest.Await(t, func() error { return w.turnedOver(held.before) })
	w.served("green")
}

// TestPutDuringSomebodysReload has the order to read a new configuration come while
// HAProxy, by somebody's reload, has read the former one and not yet begun to serve it:
// it forgets the order.
func TestPutDuringSomebodysReload(t *testing.T) {
	w := newWorld(t, proxy.HAProxy)
	held := w.heldUp()
	ordered := filepath.Join(w.Dir, "ordered")
	w.site.Check = "true" // it would be held up, too
	w.site.Reload = fmt.Sprintf("kill -USR2 %d && touch %s", held.master, ordered)
	w.site.Pools[1].Addresses = w.site.Pools[0].Addresses
	in := w.request("blue")
	put := make(chan error, 1)
	go func() {
		_, err := proxy.Put.On(t.Context(), w.local, in)
		put <- err
	}()
	proxytest.Await(t, func() error { _, err := os.Stat(ordered); return err })
	held.letGo()
	if err := <-put; err != nil {
		t.Error(err)
	}
	w.served("blue")
}

// heldUp is a HAProxy in the middle of a reload.
type heldUp struct {
	t      *testing.T
	master int
	before []int // its processes, before the reload
	slow   string
	pipe   *os.File
}

// heldUp reloads HAProxy, which has read its configuration and waits for a map that it
// reads last.
func (w *world) heldUp() *heldUp {
	t := w.t
	t.Helper()
	w.Kill()
	h := &heldUp{t: t, slow: filepath.Join(w.Dir, "slow.map")}
	must(t, os.WriteFile(h.slow, []byte("a b\n"), 0o644))
	last := filepath.Join(w.Dir, "last.cfg")
	must(t, os.WriteFile(last, fmt.Appendf(nil, "frontend last\n    bind 127.0.0.1:%d\n    use_backend %%[req.hdr(host),map(%s)]\n", proxytest.FreePort(t), h.slow), 0o644))
	pidFile := filepath.Join(w.Dir, "haproxy.pid")
	w.StartWith("haproxy", "-W", "-f", string(w.site.Main), "-f", string(w.site.Config), "-f", last, "-p", pidFile)
	w.install("blue")

	must(t, os.Remove(h.slow))
	must(t, syscall.Mkfifo(h.slow, 0o644))
	text, err := os.ReadFile(pidFile)
	must(t, err)
	h.master, err = strconv.Atoi(strings.TrimSpace(string(text)))
	must(t, err)
	proxytest.Await(t, func() error { return w.turnedOver(nil) })
	h.before = w.Processes()
	w.Reload()
	proxytest.Await(t, func() (err error) { // there is nobody to write to until the master reads
		h.pipe, err = os.OpenFile(h.slow, os.O_WRONLY|syscall.O_NONBLOCK, 0)
		return err
	})
	return h
}

// letGo has the reload go on, and no other be held up.
func (h *heldUp) letGo() {
	h.t.Helper()
	must(h.t, os.Remove(h.slow))
	must(h.t, os.WriteFile(h.slow, []byte("a b\n"), 0o644))
	must(h.t, h.pipe.Close())
}

// turnedOver is nil once the proxy has a master and one worker, and not the one
// that it had.
func (w *world) turnedOver(before []int) error {
	if now := w.Processes(); len(now) != 2 || slices.Equal(now, before) {
		return fmt.Errorf("processes: %v, before the reload %v", now, before)
	}
	return nil
}
