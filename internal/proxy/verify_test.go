package proxy_test

import (
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/org/deploy-action/internal/proxy"
	"github.com/org/deploy-action/internal/value"
)

// tree is every file below the proxy's configuration directory, with its
// content, mode and inode.
func (w *world) tree() string {
	w.t.Helper()
	var b strings.Builder
	err := filepath.WalkDir(filepath.Dir(string(w.site.Config)), func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		info, err := entry.Info()
		if err != nil {
			return err
		}
		data, err := os.ReadFile(path)
		b.WriteString(path + " " + info.Mode().String() + " " + string(data) + "\n")
		return err
	})
	if err != nil {
		w.t.Fatal(err)
	}
	return b.String()
}

func TestVerifyLeavesTheTreeAsItIs(t *testing.T) {
	forEachKind(t, func(t *testing.T, w *world) {
		for _, state := range []string{"new file", "existing file"} {
			good := w.request("blue")
			bad := good
			bad.Rendered.Body += "nonsense here;\n"
			before := w.tree()
			verified, err := proxy.Verify.On(t.Context(), w.local, good)
			if err != nil {
				t.Errorf("%s: %v", state, err)
			}
			t.Logf("%s: %s, %s", state, verified.Way, verified.Took)
			_, err = proxy.Verify.On(t.Context(), w.local, bad)
			if err == nil || !strings.Contains(err.Error(), "nonsense") {
				t.Errorf("%s: a broken one: error %v", state, err)
			}
			if after := w.tree(); after != before {
				t.Errorf("%s: the tree changed\nfrom %s\nto %s", state, before, after)
			}
			w.install("blue")
		}
	})
}

func TestVerifyBesideAnotherDefaultSite(t *testing.T) {
	w := newWorld(t, proxy.NGINX)
	in := w.request("blue")
	other := "server { listen " + w.site.Listen.String() + " default_server; }\n"
	must(t, os.WriteFile(filepath.Join(filepath.Dir(string(w.site.Config)), "default.conf"), []byte(other), 0o644))
	if _, err := proxy.Verify.On(t.Context(), w.local, in); err == nil || !strings.Contains(err.Error(), "give the proxy a hostname") {
		t.Errorf("error %v", err)
	}
}

func TestVerifyWhereNamespacesAreMissing(t *testing.T) {
	for _, kind := range []proxy.Kind{proxy.NGINX, proxy.HAProxy} {
		w := newWorld(t, kind)
		bin := filepath.Join(w.Dir, "bin")
		must(t, os.Mkdir(bin, 0o755))
		must(t, os.WriteFile(filepath.Join(bin, "unshare"), []byte("#!/bin/sh\nexit 1\n"), 0o755))
		t.Setenv("PATH", bin+":"+os.Getenv("PATH"))
		before := w.tree()
		in := w.request("blue")
		verified, err := proxy.Verify.On(t.Context(), w.local, in)
		if err != nil || verified.Way != proxy.InPlace {
			t.Errorf("%+v, %v", verified, err)
		}
		in.Rendered.Body += "nonsense here;\n"
		if _, err := proxy.Verify.On(t.Context(), w.local, in); err == nil {
			t.Error("a broken one was found good")
		}
		if after := w.tree(); after != before {
			t.Errorf("the tree changed\nfrom %s\nto %s", before, after)
		}
	}
}

func TestVerifyRefusesAPortThatIsHeld(t *testing.T) {
	forEachKind(t, func(t *testing.T, w *world) {
		taken, err := net.Listen("tcp", "127.0.0.1:0")
		must(t, err)
		defer taken.Close()
		w.site.Listen.Port = value.Port(taken.Addr().(*net.TCPAddr).Port)
		_, err = proxy.Verify.On(t.Context(), w.local, w.request("blue"))
		if err == nil || !strings.Contains(err.Error(), "the port is held by") || !strings.Contains(err.Error(), "proxy.test") {
			t.Errorf("error %v", err)
		}
	})
}

func TestVerifyRefusesASecondFrontendOnAPort(t *testing.T) {
	w := newWorld(t, proxy.HAProxy)
	w.install("blue")
	w.site.Env, w.site.Config = "other", value.Path(w.Dir+"/conf.d/other.cfg")
	_, err := proxy.Verify.On(t.Context(), w.local, w.request("blue"))
	if err == nil || !strings.Contains(err.Error(), "another frontend of this HAProxy has the port") {
		t.Errorf("error %v", err)
	}
}

func TestTwoEnvironmentsShareAnNGINXPort(t *testing.T) {
	w := newWorld(t, proxy.NGINX)
	w.site.Hostname = "one.example.com"
	w.install("blue")
	w.site.Env, w.site.Config = "other", value.Path(w.Dir+"/conf.d/other.conf")
	_, err := proxy.Verify.On(t.Context(), w.local, w.request("blue"))
	if err == nil || !strings.Contains(err.Error(), `another server block already has server_name "one.example.com"`) {
		t.Errorf("the same host name: error %v", err)
	}
	w.site.Hostname, w.site.StateDir = "two.example.com", value.Path(w.Dir+"/state2")
	w.install("green")
	if live := w.inspect(); live.Running == nil || live.Running.Slot != "green" {
		t.Errorf("live: %+v", live)
	}
}

func TestVerifyRefusesASocketOutsideTheChroot(t *testing.T) {
	w := newWorld(t, proxy.HAProxy)
	main, _ := readIf(w.site.Main)
	must(t, os.WriteFile(string(w.site.Main), []byte(strings.Replace(main, "global\n", "global\n    chroot "+w.Dir+"\n", 1)), 0o644))
	w.site.Pools[1].Addresses = []value.Address{"unix:/run/turnout-test/green.sock"}
	_, err := proxy.Verify.On(t.Context(), w.local, w.request("blue"))
	if err == nil || !strings.Contains(err.Error(), "chroot") {
		t.Errorf("error %v", err)
	}
}

func TestVerifyExplainsAMissingDirectory(t *testing.T) {
	w := newWorld(t, proxy.NGINX)
	w.site.Config = value.Path(w.Dir + "/nowhere/shop.conf")
	_, err := proxy.Verify.On(t.Context(), w.local, w.request("blue"))
	if err == nil || !strings.Contains(err.Error(), "is not a directory that is there") {
		t.Errorf("error %v", err)
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
