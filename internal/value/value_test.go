package value_test

import (
	"strings"
	"testing"

	"github.com/org/deploy-action/internal/value"
)

// hostile are texts that change the meaning of a configuration where a proxy's
// own check lets them through (measured with nginx 1.22 and HAProxy 2.6).
var hostile = []string{
	"", " ", "a b", "a;b", "a{b", "a}b", "a#b", "a\nb", "a\rb", "a\tb", "a\x00b", `a"b`, "a'b", "a$b", "a\\b", "a%b", "a`b",
	"x; location = /pwn { return 200; }", "127.0.0.1:1; server 10.9.9.9:80", "~.*", "_", `_ "" *.com`, "a|b", "é", "а", "a​b",
	"${HOME}", "%[env(HOME)]", "..", "../x",
}

func TestHostileTextIsRefusedEverywhere(t *testing.T) {
	parsers := map[string]func(string) error{
		"name":     func(s string) error { _, err := value.ParseName(s); return err },
		"hostname": func(s string) error { _, err := value.ParseHostname(s); return err },
		"path":     func(s string) error { _, err := value.ParsePath(s); return err },
		"rooted":   func(s string) error { _, err := value.ParsePath("/srv/" + s); return err },
		"socket":   func(s string) error { _, err := value.ParseSocket("/run/" + s); return err },
		"url path": func(s string) error { _, err := value.ParseURLPath(s); return err },
		"listen":   func(s string) error { _, err := value.ParseListen(s); return err },
		"host":     func(s string) error { _, err := value.TCP(s, 80); return err },
	}
	harmless := map[string]string{"rooted": "_", "socket": "_"} // a fine file name
	for kind, parse := range parsers {
		for _, text := range hostile {
			if harmless[kind] == text {
				continue
			}
			if err := parse(text); err == nil {
				t.Errorf("%s takes %q", kind, text)
			}
		}
	}
}

func TestParse(t *testing.T) {
	for _, test := range []struct {
		kind, in, want string
		parse          func(string) (string, error)
	}{
		{"name", "shop-2", "shop-2", name},
		{"name", "a" + strings.Repeat("b", 62), "a" + strings.Repeat("b", 62), name},
		{"name", "a" + strings.Repeat("b", 63), "", name},
		{"name", "2shop", "", name},
		{"name", "Shop", "", name},
		{"name", "sh\xffop", "", name},
		{"hostname", strings.Repeat("a", 63) + ".com", strings.Repeat("a", 63) + ".com", hostname},
		{"hostname", strings.Repeat("a", 64) + ".com", "", hostname},
		{"hostname", "a-.com", "", hostname},
		{"hostname", "*", "", hostname},
		{"hostname", "*.", "", hostname},
		{"hostname", "a.*.com", "", hostname},
		{"hostname", "a.com.", "", hostname},
		{"URL path", "/" + strings.Repeat("a", 200), "/" + strings.Repeat("a", 200), urlPath},
		{"URL path", "/" + strings.Repeat("a", 201), "", urlPath},
		{"URL path", "health", "", urlPath},
		{"URL path", "", "", urlPath},
		{"hostname", "Shop.Example.COM", "shop.example.com", hostname},
		{"hostname", "*.example.com", "*.example.com", hostname},
		{"hostname", strings.Repeat("a.", 127) + "b", "", hostname},
		{"hostname", "-a.com", "", hostname},
		{"hostname", "a..com", "", hostname},
		{"path", "/srv/shop", "/srv/shop", path},
		{"path", "/srv//shop", "", path},
		{"path", "/srv/shop/", "", path},
		{"path", "/srv/./shop", "", path},
		{"path", "srv", "", path},
		{"listen", "80", "80", listen},
		{"listen", "127.0.0.1:8080", "127.0.0.1:8080", listen},
		{"listen", "[::1]:8080", "[::1]:8080", listen},
		{"listen", "0", "", listen},
		{"listen", "65536", "", listen},
		{"listen", "127.0.0.1:0", "", listen},
		{"listen", "shop:80", "", listen},
		{"socket", "/run/" + strings.Repeat("a", 92), "/run/" + strings.Repeat("a", 92), socket},
		{"socket", "/run/" + strings.Repeat("a", 93), "", socket},
	} {
		got, err := test.parse(test.in)
		if got != test.want || (err == nil) != (test.want != "") {
			t.Errorf("%s %q: %q, %v; want %q", test.kind, test.in, got, err, test.want)
		}
	}
}

func name(s string) (string, error)     { v, err := value.ParseName(s); return string(v), err }
func urlPath(s string) (string, error)  { v, err := value.ParseURLPath(s); return string(v), err }
func hostname(s string) (string, error) { v, err := value.ParseHostname(s); return string(v), err }
func path(s string) (string, error)     { v, err := value.ParsePath(s); return string(v), err }
func socket(s string) (string, error)   { v, err := value.ParseSocket(s); return string(v), err }

func listen(s string) (string, error) {
	v, err := value.ParseListen(s)
	if err != nil {
		return "", err
	}
	return v.String(), nil
}

func TestRuns(t *testing.T) {
	for run, want := range map[string]bool{
		"20261123t184501z-k3v9qz": true, "1": true, "a" + strings.Repeat("b", 63): true,
		"": false, "a" + strings.Repeat("b", 64): false, "-a": false, "A": false, "a/b": false, "..": false, "a\n": false,
	} {
		if value.IsRun(run) != want {
			t.Errorf("%q: %v", run, !want)
		}
	}
}

func TestLocalAddress(t *testing.T) {
	for listener, want := range map[string]value.Address{
		"80": "127.0.0.1:80", "0.0.0.0:80": "127.0.0.1:80", "[::]:80": "[::1]:80", "10.0.0.5:80": "10.0.0.5:80",
	} {
		l, err := value.ParseListen(listener)
		if err != nil || l.Local() != want {
			t.Errorf("%s is reached at %s, %v; want %s", listener, l.Local(), err, want)
		}
	}
}

func TestNetwork(t *testing.T) {
	for address, want := range map[value.Address][2]string{
		"127.0.0.1:80": {"tcp", "127.0.0.1:80"}, value.Unix("/run/a.sock"): {"unix", "/run/a.sock"},
	} {
		if network, rest := address.Network(); network != want[0] || rest != want[1] {
			t.Errorf("%s: %s %s", address, network, rest)
		}
	}
}

// FuzzPath holds that an accepted path has one spelling and stays where it is.
func FuzzPath(f *testing.F) {
	for _, seed := range append(hostile, "/srv/shop", "/a/../b") {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, s string) {
		p, err := value.ParsePath(s)
		if err != nil {
			return
		}
		if strings.Contains(string(p), "..") && strings.Contains("/"+s+"/", "/../") || strings.ContainsAny(s, " ;{}#\"'$\\\n") {
			t.Errorf("accepted %q", s)
		}
	})
}

func TestWebURL(t *testing.T) {
	for _, c := range []struct {
		tls              bool
		host, port, want string
	}{
		{false, "shop.example.com", "80", "http://shop.example.com"},
		{false, "shop.example.com", "443", "http://shop.example.com:443"},
		{true, "shop.example.com", "443", "https://shop.example.com"},
		{true, "shop.example.com", "8443", "https://shop.example.com:8443"},
		{false, "::1", "80", "http://[::1]"},
		{true, "::1", "80", "https://[::1]:80"},
	} {
		if got := value.WebURL(c.tls, c.host, c.port); got != c.want {
			t.Errorf("%v %s %s: %s, want %s", c.tls, c.host, c.port, got, c.want)
		}
	}
}
