package proxy_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/org/deploy-action/internal/machine"
	"github.com/org/deploy-action/internal/proxy"
	"github.com/org/deploy-action/internal/proxy/proxytest"
	"github.com/org/deploy-action/internal/value"
)

// forEachKind runs a test with a real nginx and with a real HAProxy.
func forEachKind(t *testing.T, test func(t *testing.T, w *world)) {
	for _, kind := range []proxy.Kind{proxy.NGINX, proxy.HAProxy} {
		t.Run(string(kind), func(t *testing.T) {
			t.Parallel()
			test(t, newWorld(t, kind))
		})
	}
}

// world is a proxy with the two slots of an application behind it.
type world struct {
	*proxytest.Proxy
	t           *testing.T
	local       *machine.Local
	site        proxy.Site
	blue, green *proxytest.Backend
}

func newWorld(t *testing.T, kind proxy.Kind) *world {
	t.Helper()
	w := &world{t: t, local: machine.NewLocal("here"), Proxy: proxytest.Start(t, kind)}
	w.blue, w.green = proxytest.StartBackend(t, "blue"), proxytest.StartBackend(t, "green")
	w.site = w.Proxy.Site
	w.site.Pools = []proxy.Pool{
		{Slot: "blue", Addresses: []value.Address{w.blue.Address}},
		{Slot: "green", Addresses: []value.Address{w.green.Address}},
	}
	return w
}

func (w *world) inspect() proxy.Live {
	w.t.Helper()
	live, err := proxy.Inspect.On(w.t.Context(), w.local, w.site)
	if err != nil {
		w.t.Fatal(err)
	}
	return live
}

// request is the install of w.site over what is there.
func (w *world) request(active value.Name) proxy.Install {
	w.t.Helper()
	rendered, err := proxy.Render(w.site)
	if err != nil {
		w.t.Fatal(err)
	}
	in := proxy.Install{Site: w.site, Rendered: rendered, Active: active, Releases: map[value.Name]string{active: "r1"}}
	if live := w.inspect(); live.Header != nil {
		in.Expect = live.Header.Generation
	}
	return in
}

func (w *world) install(active value.Name) proxy.Installed {
	w.t.Helper()
	in := w.request(active)
	if _, err := proxy.Verify.On(w.t.Context(), w.local, in); err != nil {
		w.t.Fatal(err)
	}
	installed, err := proxy.Put.On(w.t.Context(), w.local, in)
	if err != nil {
		w.t.Fatal(err)
	}
	return installed
}

func (w *world) selectSlot(slot value.Name) proxy.Selected {
	w.t.Helper()
	selected, err := proxy.Select.On(w.t.Context(), w.local, proxy.Selection{Site: w.site, Slot: slot})
	if err != nil {
		w.t.Fatal(err)
	}
	return selected
}

// served fails unless ten requests in a row are answered by want.
func (w *world) served(want string) {
	w.t.Helper()
	for range 10 {
		status, body, err := w.Get("/")
		if err != nil || status != 200 || body != want {
			w.t.Fatalf("served %d %q (%v), want %q", status, body, err, want)
		}
	}
}

func TestSelectMovesTrafficBackAndForth(t *testing.T) {
	forEachKind(t, func(t *testing.T, w *world) {
		installed := w.install("blue")
		if installed.Generation != 1 || !installed.Reloaded || installed.Previous != nil && w.site.Kind == proxy.NGINX {
			t.Errorf("first install: %+v", installed)
		}
		w.served("blue")
		for i := range 4 {
			slot := []value.Name{"green", "blue"}[i%2]
			selected := w.selectSlot(slot)
			w.served(string(slot))
			t.Logf("switch to %s took %s", slot, selected.Took)
			if live := w.inspect(); live.Active != slot || live.Running == nil || live.Running.Slot != slot || live.Edited {
				t.Fatalf("live after the switch: %+v", live)
			}
		}
	})
}

// Workers are another user than root, who made the state directory.
func TestWorkersCanLookForTheFlag(t *testing.T) {
	w := newWorld(t, proxy.NGINX)
	w.install("blue")
	w.served("blue")
	if log, _ := readIf(w.site.ErrorLog); strings.Contains(log, "Permission denied") {
		t.Errorf("nginx's log: %s", log)
	}
}

func TestSameBodyNeedsNoReload(t *testing.T) {
	forEachKind(t, func(t *testing.T, w *world) {
		w.install("blue")
		w.selectSlot("green")
		again := w.install("green")
		if again.Generation != 2 || again.Reloaded {
			t.Errorf("second install: %+v", again)
		}
		w.served("green")
	})
}

func TestRebootAndForeignReloadKeepTheSlot(t *testing.T) {
	forEachKind(t, func(t *testing.T, w *world) {
		w.install("blue")
		w.selectSlot("green")
		w.Kill()
		w.Start()
		w.served("green")
		w.selectSlot("blue")
		w.Reload()
		proxytest.Await(t, func() error { return w.settled("blue") })
		w.served("blue")
		w.selectSlot("green")
		w.served("green")
	})
}

// settled is nil when the proxy answers that it serves slot.
func (w *world) settled(slot value.Name) error {
	live := w.inspect()
	if live.Running == nil || live.Running.Slot != slot {
		return fmt.Errorf("running: %+v %s", live.Running, live.Trouble)
	}
	return nil
}

func TestNewAddressesAreTakenUpByOneReload(t *testing.T) {
	forEachKind(t, func(t *testing.T, w *world) {
		w.install("blue")
		other := proxytest.StartBackend(t, "other")
		w.site.Pools[1].Addresses = []value.Address{other.Address}
		if installed := w.install("blue"); !installed.Reloaded {
			t.Error("new addresses, and no reload")
		}
		w.served("blue")
		w.selectSlot("green")
		w.served("other")
	})
}

func TestUnixSockets(t *testing.T) {
	forEachKind(t, func(t *testing.T, w *world) {
		path := value.Path(w.Dir + "/green.sock")
		green := proxytest.StartSocketBackend(t, path, "socket")
		if err := os.Chmod(string(path), 0o777); err != nil {
			t.Fatal(err)
		}
		w.site.Pools[1].Addresses = []value.Address{green.Address}
		w.install("blue")
		w.selectSlot("green")
		w.served("socket")
	})
}

func TestPutRefusesAStaleGeneration(t *testing.T) {
	forEachKind(t, func(t *testing.T, w *world) {
		in := w.request("blue")
		w.install("blue")
		before, _ := os.ReadFile(string(w.site.Config))
		_, err := proxy.Put.On(t.Context(), w.local, in)
		var stale *proxy.StaleError
		if !errors.As(err, &stale) || stale.Found != 1 {
			t.Errorf("error %v, want a StaleError", err)
		}
		if after, _ := os.ReadFile(string(w.site.Config)); string(after) != string(before) {
			t.Error("the file was changed")
		}
	})
}

func TestSelectRefusesADeadSlot(t *testing.T) {
	forEachKind(t, func(t *testing.T, w *world) {
		w.install("blue")
		w.green.Stop()
		_, err := proxy.Select.On(t.Context(), w.local, proxy.Selection{Site: w.site, Slot: "green"})
		if err == nil || !strings.Contains(err.Error(), "no server of slot green") {
			t.Errorf("error %v", err)
		}
		w.served("blue")
		if _, err := proxy.Select.On(t.Context(), w.local, proxy.Selection{Site: w.site, Slot: "green", Unready: true}); err != nil {
			t.Error(err)
		}
		if live := w.inspect(); live.Active != "green" || live.Running == nil || live.Running.Slot != "green" {
			t.Errorf("told to take it as it is: %+v", live)
		}
	})
}

func TestSelectWithoutARunningProxyPutsTheSelectorBack(t *testing.T) {
	w := newWorld(t, proxy.NGINX)
	w.install("blue")
	w.Kill()
	_, err := proxy.Select.On(t.Context(), w.local, proxy.Selection{Site: w.site, Slot: "green"})
	var failed *proxy.SelectError
	if !errors.As(err, &failed) || failed.From != "blue" {
		t.Errorf("error %v, want a SelectError", err)
	}
	if live := w.inspect(); live.Active != "blue" {
		t.Errorf("the selector says %q", live.Active)
	}
}

func TestHAProxyWithoutASocketSaysSo(t *testing.T) {
	w := newWorld(t, proxy.HAProxy)
	w.install("blue")
	w.Kill()
	_, err := proxy.Select.On(t.Context(), w.local, proxy.Selection{Site: w.site, Slot: "green"})
	if err == nil || !strings.Contains(err.Error(), "HAProxy is not running") {
		t.Errorf("error %v", err)
	}
}

func TestConnectionsCountWhatIsInFlight(t *testing.T) {
	forEachKind(t, func(t *testing.T, w *world) {
		w.install("blue")
		open := func(slot value.Name) int {
			n, err := proxy.Connections.On(t.Context(), w.local, proxy.Flow{Site: w.site, Slot: slot})
			if err != nil {
				t.Fatal(err)
			}
			return n.Connections
		}
		done := make(chan error, 1)
		go func() {
			_, _, err := w.Get("/held")
			done <- err
		}()
		proxytest.Await(t, func() error { return unless(open("blue") > 0, "no connection") })
		w.Reload()
		w.selectSlot("green")
		if n := open("blue"); n == 0 {
			t.Error("the request in flight is not counted after a reload and the switch")
		}
		w.blue.Release()
		if err := <-done; err != nil {
			t.Error(err)
		}
		proxytest.Await(t, func() error { return unless(open("blue") == 0, "connections left") })
	})
}

func unless(ok bool, complaint string) error {
	if ok {
		return nil
	}
	return errors.New(complaint)
}

func TestCancelledPutPutsBack(t *testing.T) {
	forEachKind(t, func(t *testing.T, w *world) {
		w.install("blue")
		before, _ := os.ReadFile(string(w.site.Config))
		w.site.Hostname = "shop.example.com"
		in := w.request("blue")
		ctx, cancel := context.WithCancelCause(t.Context())
		in.Site.Reload = "true" // never takes it up, so the proof is what is cancelled
		go func() {
			proxytest.Await(t, func() error {
				now, _ := os.ReadFile(string(w.site.Config))
				return unless(string(now) != string(before), "not written yet")
			})
			cancel(errors.New("cancelled by the test"))
		}()
		_, err := proxy.Put.On(ctx, w.local, in)
		var refused *proxy.RefusedError
		if !errors.As(err, &refused) || refused.Back != nil {
			t.Fatalf("error %v, want a RefusedError that is put back", err)
		}
		if after, _ := os.ReadFile(string(w.site.Config)); string(after) != string(before) {
			t.Error("the former file is not back")
		}
		w.served("blue")
	})
}

// TestACancelIsNoSilence has what was cancelled before the proxy was asked change
// nothing: a proxy that was not asked is not one that does not answer.
func TestACancelIsNoSilence(t *testing.T) {
	forEachKind(t, func(t *testing.T, w *world) {
		w.install("blue")
		before, _ := os.ReadFile(string(w.site.Config))
		reloads := filepath.Join(t.TempDir(), "reloads")
		in := w.request("blue")
		in.Site.Reload = "touch " + reloads
		ctx, cancel := context.WithCancelCause(t.Context())
		cause := errors.New("cancelled by the test")
		cancel(cause)
		_, put := proxy.Put.On(ctx, w.local, in)
		_, restored := proxy.Restore.On(ctx, w.local, proxy.Restoration{Site: in.Site, Active: "blue", Expect: in.Expect})
		_, inspected := proxy.Inspect.On(ctx, w.local, in.Site)
		for _, err := range []error{put, restored, inspected} {
			if !errors.Is(err, cause) {
				t.Errorf("error %v", err)
			}
		}
		if _, err := os.Stat(reloads); err == nil {
			t.Error("the proxy was reloaded")
		}
		if after, _ := os.ReadFile(string(w.site.Config)); string(after) != string(before) {
			t.Error("the file was changed")
		}
	})
}
