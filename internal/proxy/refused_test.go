package proxy_test

import (
	"errors"
	"net"
	"os"
	"strings"
	"testing"

	"github.com/org/deploy-action/internal/proxy"
	"github.com/org/deploy-action/internal/proxy/proxytest"
	"github.com/org/deploy-action/internal/value"
)

// breakages are configurations that a proxy refuses at its reload, though the
// reload command exits with 0.
var breakages = map[string]struct {
	spoil func(w *world, in *proxy.Install)
	nginx string // what its log is to say
}{
	"port taken": {func(w *world, in *proxy.Install) {
		taken, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			w.t.Fatal(err)
		}
		w.t.Cleanup(func() { _ = taken.Close() })
		in.Site.Listen.Port = value.Port(taken.Addr().(*net.TCPAddr).Port)
		in.Rendered, _ = proxy.Render(in.Site)
		in.Site.Listen = w.site.Listen
	}, "Address already in use"},
	"bad directive": {func(_ *world, in *proxy.Install) {
		in.Rendered.Body += "nonsense here;\n"
	}, "unknown directive"},
	"unreadable certificate": {func(w *world, in *proxy.Install) {
		certificate := w.Dir + "/nowhere.pem"
		if in.Site.Kind == proxy.NGINX {
			in.Rendered.Body += "server { listen 127.0.0.1:1 ssl; ssl_certificate " + certificate + "; ssl_certificate_key " + certificate + "; }\n"
			return
		}
		in.Rendered.Body += "frontend tls\n    bind 127.0.0.1:1 ssl crt " + certificate + "\n    default_backend shop_blue\n"
	}, "cannot load certificate"},
}

func TestRefusedReloadIsReportedAndPutBack(t *testing.T) {
	for name, breakage := range breakages {
		t.Run(name, func(t *testing.T) {
			forEachKind(t, func(t *testing.T, w *world) {
				if w.site.Kind == proxy.NGINX {
					w.site.Reload = "kill -HUP $(cat " + w.Dir + "/nginx.pid)"
				}
				w.install("blue")
				w.selectSlot("green")
				before, _ := os.ReadFile(string(w.site.Config))
				in := w.request("green")
				in.Rendered.ID, in.Rendered.Body = "000000000000", strings.ReplaceAll(in.Rendered.Body, in.Rendered.ID, "000000000000")
				breakage.spoil(w, &in)
				err := refusedInstall(t, w, in)
				if w.site.Kind == proxy.NGINX && !strings.Contains(err.Error(), breakage.nginx) {
					t.Errorf("the error does not show nginx's log: %v", err)
				}
				if after, _ := os.ReadFile(string(w.site.Config)); string(after) != string(before) {
					t.Error("the former file is not back")
				}
				if live := w.inspect(); live.Running == nil || live.Running.ID != live.Header.ID || live.Running.Slot != "green" {
					t.Errorf("live: %+v", live)
				}
				w.served("green")
			})
		})
	}
}

func refusedInstall(t *testing.T, w *world, in proxy.Install) error {
	t.Helper()
	_, err := proxy.Put.On(t.Context(), w.local, in)
	var refused *proxy.RefusedError
	if !errors.As(err, &refused) || refused.Back != nil {
		t.Fatalf("error %v, want a RefusedError that is put back", err)
	}
	t.Logf("%v", err)
	return err
}

func TestRefusedFirstInstallLeavesNothing(t *testing.T) {
	forEachKind(t, func(t *testing.T, w *world) {
		in := w.request("blue")
		in.Rendered.Body += "nonsense here;\n"
		in.Site.Reload = "true"
		before, existed := readIf(w.site.Config)
		refusedInstall(t, w, in)
		after, exists := readIf(w.site.Config)
		if existed != exists || before != after {
			t.Errorf("config there: %v %q, before: %v %q", exists, after, existed, before)
		}
	})
}

func readIf(path value.Path) (string, bool) {
	data, err := os.ReadFile(string(path))
	return string(data), err == nil
}

func TestRestoreTakesAnInstallBack(t *testing.T) {
	forEachKind(t, func(t *testing.T, w *world) {
		w.install("blue")
		before, _ := readIf(w.site.Config)
		other := proxytest.StartBackend(t, "other")
		former := w.site
		w.site.Pools = []proxy.Pool{{Slot: "blue", Addresses: []value.Address{other.Address}}, w.site.Pools[1]}
		w.install("blue")
		w.served("other")
		back := proxy.Restoration{Site: former, Active: "blue", Expect: 2} // from the kept copy
		for round, want := range []proxy.Restored{{Restored: true, Reloaded: true}, {}} {
			got, err := proxy.Restore.On(t.Context(), w.local, back)
			if err != nil || got != want {
				t.Fatalf("round %d: %+v, %v", round, got, err)
			}
		}
		if after, _ := readIf(w.site.Config); after != before {
			t.Error("the former file is not back")
		}
		w.served("blue")
	})
}

func TestRestoreRemovesAFirstInstall(t *testing.T) {
	w := newWorld(t, proxy.NGINX)
	w.install("green")
	if _, err := proxy.Restore.On(t.Context(), w.local, proxy.Restoration{Site: w.site, Expect: 1}); err != nil {
		t.Fatal(err)
	}
	if _, exists := readIf(w.site.Config); exists {
		t.Error("the file is still there")
	}
	if live := w.inspect(); live.Running != nil {
		t.Errorf("still served: %+v", live.Running)
	}
}

func TestEditedFileIsSavedBeside(t *testing.T) {
	forEachKind(t, func(t *testing.T, w *world) {
		w.install("blue")
		text, _ := readIf(w.site.Config)
		edited := text + "# a remark of the administrator's\n"
		if err := os.WriteFile(string(w.site.Config), []byte(edited), 0o644); err != nil {
			t.Fatal(err)
		}
		if !w.inspect().Edited {
			t.Error("the edit was not seen")
		}
		installed := w.install("blue")
		if saved, _ := readIf(value.Path(installed.Saved)); saved != edited {
			t.Errorf("saved in %q: %q", installed.Saved, saved)
		}
		if w.inspect().Edited {
			t.Error("the edit is still there")
		}
	})
}

func TestRefusedErrorOfASilentProxyClaimsNoService(t *testing.T) {
	err := &proxy.RefusedError{Cause: errors.New("reload: exit status 1"), Mute: true}
	if text := err.Error(); strings.Contains(text, "serves") || !strings.Contains(text, "does it run?") {
		t.Errorf("%s", text)
	}
}
