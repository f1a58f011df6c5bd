package proxy_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/org/deploy-action/internal/proxy"
	"github.com/org/deploy-action/internal/proxy/proxytest"
	"github.com/org/deploy-action/internal/value"
)

// certificate writes one for shop.example.com that has run out, with its key in
// the same file.
func (w *world) certificate() value.Path {
	w.t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(w.t, err)
	about := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "shop.example.com"},
		NotBefore: time.Now().Add(-48 * time.Hour), NotAfter: time.Now().Add(-24 * time.Hour), DNSNames: []string{"shop.example.com"},
	}
	der, err := x509.CreateCertificate(rand.Reader, about, about, key.Public(), key)
	must(w.t, err)
	secret, err := x509.MarshalPKCS8PrivateKey(key)
	must(w.t, err)
	text := slices.Concat(
		pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}),
		pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: secret}),
	)
	path := filepath.Join(w.Dir, "shop.pem")
	must(w.t, os.WriteFile(path, text, 0o600))
	return value.Path(path)
}

// secure asks the site over TLS and returns the protocol and the body.
func (w *world) secure() (protocol, body string) {
	w.t.Helper()
	client := &http.Client{Timeout: 5 * time.Second, Transport: &http.Transport{
		DisableKeepAlives: true, ForceAttemptHTTP2: true,
		TLSClientConfig: &tls.Config{ServerName: "shop.example.com", InsecureSkipVerify: true},
	}}
	request, err := http.NewRequestWithContext(w.t.Context(), http.MethodGet, "https://"+string(w.site.Listen.Local())+"/", nil)
	must(w.t, err)
	request.Host = "shop.example.com"
	response, err := client.Do(request)
	must(w.t, err)
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	must(w.t, err)
	return response.Proto, string(text)
}

// TestTLS has a site on TLS alone, with HTTP/2 and a redirect, moved and proven
// though its certificate has run out.
func TestTLS(t *testing.T) {
	forEachKind(t, func(t *testing.T, w *world) {
		w.site.Hostname = "shop.example.com"
		w.site.TLS = &proxy.TLS{Certificate: w.certificate(), HTTP2: true, Redirect: proxytest.FreePort(t)}
		w.site.Version = w.inspect().Version
		w.install("blue")
		if protocol, body := w.secure(); protocol != "HTTP/2.0" || body != "blue" {
			t.Errorf("served %q over %s, want blue over HTTP/2.0", body, protocol)
		}
		w.selectSlot("green")
		if _, body := w.secure(); body != "green" {
			t.Errorf("after the switch: %q", body)
		}
		if live := w.inspect(); live.Running == nil || live.Running.Slot != "green" {
			t.Errorf("what it says of itself: %+v, %s", live.Running, live.Trouble)
		}
		w.redirects()
	})
}

// redirects fails unless plain HTTP leads to the TLS listener.
func (w *world) redirects() {
	w.t.Helper()
	client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	request, err := http.NewRequestWithContext(w.t.Context(), http.MethodGet, fmt.Sprintf("http://127.0.0.1:%d/path?a=b", w.site.TLS.Redirect), nil)
	must(w.t, err)
	request.Host = "shop.example.com"
	response, err := client.Do(request)
	must(w.t, err)
	defer response.Body.Close()
	want := fmt.Sprintf("https://shop.example.com:%d/path?a=b", w.site.Listen.Port)
	if got := response.Header.Get("Location"); response.StatusCode != http.StatusPermanentRedirect || got != want {
		w.t.Errorf("plain HTTP: %d to %q, want %d to %q", response.StatusCode, got, http.StatusPermanentRedirect, want)
	}
}

// TestBothFamilies listens on every address, of IPv6 too where the machine has it.
func TestBothFamilies(t *testing.T) {
	forEachKind(t, func(t *testing.T, w *world) {
		w.site.Listen.Host = ""
		w.site.IPv6 = w.inspect().IPv6
		w.install("blue")
		addresses := []string{"127.0.0.1"}
		if listener, err := net.Listen("tcp6", "[::1]:0"); err == nil {
			_ = listener.Close()
			addresses = append(addresses, "::1")
		}
		for _, host := range addresses {
			url := "http://" + net.JoinHostPort(host, fmt.Sprint(w.site.Listen.Port)) + "/"
			if status, body, err := proxytest.Get(url); err != nil || status != 200 || body != "blue" {
				t.Errorf("%s: %d %q %v", url, status, body, err)
			}
		}
	})
}

// TestOtherSitesAreLeftAlone has a neighbour in the same tree: one that is sound,
// one that clashes with ours, and one that is broken by itself.
func TestOtherSitesAreLeftAlone(t *testing.T) {
	w := newWorld(t, proxy.NGINX)
	neighbour := filepath.Join(w.Dir, "conf.d", "blog.conf")
	write := func(text string) {
		t.Helper()
		must(t, os.WriteFile(neighbour, []byte(text), 0o640))
	}
	port := proxytest.FreePort(t)
	sound := fmt.Sprintf("server { listen 127.0.0.1:%d; server_name blog.example.com; return 204; }\n", port)
	write(sound)
	w.Reload()
	w.install("blue")
	w.selectSlot("green")
	w.served("green")
	if text, _ := os.ReadFile(neighbour); string(text) != sound {
		t.Errorf("the neighbour's file: %s", text)
	}
	if status, _, err := proxytest.Get(fmt.Sprintf("http://127.0.0.1:%d/", port)); status != 204 {
		t.Errorf("the neighbour: %d, %v", status, err)
	}

	in := w.request("green")
	in.Site.Env = "news" // another environment, in a file of its own
	in.Site.Config = value.Path(filepath.Join(w.Dir, "conf.d", "news.conf"))
	in.Site.Listen.Port = proxytest.FreePort(t)
	in.Expect = 0
	for name, c := range map[string]struct{ text, want string }{
		"a name twice":     {"upstream news_blue { server 127.0.0.1:1; }\n", `the proxy has the name "news_blue" already, from another file`},
		"a broken sibling": {"server { nonsense; }\n", "does not pass its check as it is, without this deploy's change (" + neighbour + ":1 is not turnout's)"},
	} {
		write(c.text)
		var err error
		in.Rendered, err = proxy.Render(in.Site)
		must(t, err)
		_, err = proxy.Verify.On(t.Context(), w.local, in)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
	if _, err := os.Stat(string(in.Site.Config)); !os.IsNotExist(err) {
		t.Errorf("something was left of the site that was refused: %v", err)
	}
	write(sound)
}

// TestHAProxyThatReadsADirectory is started with -f DIR, as images do.
func TestHAProxyThatReadsADirectory(t *testing.T) {
	w := newWorld(t, proxy.HAProxy)
	w.Kill()
	dir := filepath.Join(w.Dir, "conf.d")
	main, err := os.ReadFile(string(w.site.Main))
	must(t, err)
	must(t, os.WriteFile(filepath.Join(dir, "00-main.cfg"), main, 0o644))
	w.StartWith("haproxy", "-W", "-f", dir, "-p", filepath.Join(w.Dir, "haproxy.pid"))
	w.site.Main = value.Path(dir)
	w.install("blue")
	w.selectSlot("green")
	w.served("green")

	w.site.Config = value.Path(filepath.Join(w.Dir, "elsewhere.cfg"))
	in := w.request("green")
	in.Expect = 0
	if _, err := proxy.Verify.On(t.Context(), w.local, in); err == nil || !strings.Contains(err.Error(), "the running HAProxy does not read it: it was started with "+dir) {
		t.Errorf("a file that it does not read: %v", err)
	}
}

// TestAStoppedProxyIsKnownToBe kills a proxy and looks.
func TestAStoppedProxyIsKnownToBe(t *testing.T) {
	forEachKind(t, func(t *testing.T, w *world) {
		w.install("blue")
		if why := w.inspect().Stopped; why != "" {
			t.Errorf("a proxy that runs: %s", why)
		}
		w.Kill()
		if why := w.inspect().Stopped; why == "" {
			t.Error("a proxy that was killed passes for running")
		}
	})
}

// TestInAContainer has the proxy in a container of its own, with the directories
// that matter mounted at the same paths.
func TestInAContainer(t *testing.T) {
	need(t, "docker")
	forEachKind(t, func(t *testing.T, w *world) {
		w.Kill()
		name := "turnout-test-" + filepath.Base(w.Dir)
		command := []string{"nginx", "-e", filepath.Join(w.Dir, "error.log"), "-c", string(w.site.Main)}
		if w.site.Kind == proxy.HAProxy {
			command = []string{"haproxy", "-W", "-f", string(w.site.Main), "-f", string(w.site.Config)}
		}
		// The image has no proxy: this machine's programs are lent to it.
		args := slices.Concat([]string{"run", "--detach", "--rm", "--name", name, "--network", "host",
			"--volume", "/usr:/usr:ro", "--volume", w.Dir + ":" + w.Dir, image}, command)
		if out, err := exec.Command("docker", args...).CombinedOutput(); err != nil {
			t.Fatalf("docker: %v\n%s", err, out)
		}
		t.Cleanup(func() { _ = exec.Command("docker", "rm", "--force", name).Run() })
		w.site.Container, w.site.Reload = value.Container(name), ""
		proxytest.Await(t, func() error {
			if why := w.inspect().Stopped; why != "" {
				return fmt.Errorf("%s", why)
			}
			return nil
		})
		w.install("blue")
		w.served("blue")
		w.selectSlot("green")
		w.served("green")
		w.blue = proxytest.StartBackend(t, "blue2")
		w.site.Pools[0].Addresses[0] = w.blue.Address
		if installed := w.install("green"); !installed.Reloaded {
			t.Error("another address did not reload it")
		}
		w.selectSlot("blue")
		w.served("blue2")

		must(t, exec.Command("docker", "rm", "--force", name).Run())
		if why := w.inspect().Stopped; !strings.Contains(why, name) {
			t.Errorf("a container that is gone: %q", why)
		}
	})
}

const image = "debian:bookworm-slim"

// need skips the test without a container engine, unless TURNOUT_MUST_RUN or CI
// says that it must be here.
func need(t *testing.T, program string) {
	t.Helper()
	if exec.Command(program, "image", "inspect", image).Run() == nil {
		return
	}
	if out, err := exec.Command(program, "pull", "--quiet", image).CombinedOutput(); err != nil {
		if os.Getenv("CI") != "" || slices.Contains(strings.Split(os.Getenv("TURNOUT_MUST_RUN"), ","), program) {
			t.Fatalf("%s has no image %s: %v\n%s", program, image, err, out)
		}
		t.Skipf("%s has no image %s", program, image)
	}
}
