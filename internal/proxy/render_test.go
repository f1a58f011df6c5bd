package proxy

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/org/deploy-action/internal/value"
	"github.com/org/deploy-action/templates"
)

var update = flag.Bool("update", false, "rewrite golden files")

// exampleSite is a site that can be rendered.
func exampleSite(kind Kind) Site {
	return Site{
		Env: "shop", Kind: kind, Listen: value.Listen{Port: 80}, Hostname: "shop.example.com",
		Pools: []Pool{
			{Slot: "blue", Addresses: []value.Address{"10.0.1.11:8081", "[fd00::1]:8081"}},
			{Slot: "green", Addresses: []value.Address{"unix:/run/shop/green.sock"}},
		},
		Config: "/etc/proxy/shop.conf", Main: "/etc/proxy/main.conf", Socket: "/run/haproxy/admin.sock",
		StateDir: "/var/lib/turnout/shop",
	}
}

func TestRenderGolden(t *testing.T) {
	plain := func(s Site) Site { return s }
	cases := map[string]struct {
		kind Kind
		vary func(Site) Site
	}{
		"nginx.conf":          {NGINX, plain},
		"nginx_any_host.conf": {NGINX, func(s Site) Site { s.Hostname = ""; s.Listen.Host = "127.0.0.1"; return s }},
		"nginx_1.27.4.conf":   {NGINX, func(s Site) Site { s.Version = "1.27.4"; return s }},
		"nginx_canary.conf": {NGINX, func(s Site) Site {
			s.Canary, s.AccessLog = &Canary{Sticky: StickyCookie, Preview: true}, "/var/log/nginx/access.log"
			return s
		}},
		"nginx_tls.conf": {NGINX, func(s Site) Site { return encrypted(s, "1.25.1") }},
		"nginx_tls_1.22.conf": {NGINX, func(s Site) Site {
			s.Hostname, s.Listen.Port = "", 8443
			return encrypted(s, "1.22.1")
		}},
		"haproxy_tls.cfg": {HAProxy, func(s Site) Site {
			s = encrypted(s, "")
			s.TLS.Key = ""
			return s
		}},
		"haproxy_canary.cfg": {HAProxy, func(s Site) Site {
			s.Canary = &Canary{Sticky: StickyCookie, Preview: true}
			return s
		}},
		"haproxy.cfg": {HAProxy, plain},
		"haproxy_any_host.cfg": {HAProxy, func(s Site) Site {
			s.Hostname = ""
			s.Listen.Host = "fd00::5"
			return s
		}},
		"haproxy_previews.cfg": {HAProxy, func(s Site) Site {
			s = encrypted(previewSite(s), "")
			s.TLS.Key = ""
			return s
		}},
		"haproxy_wildcard.cfg": {HAProxy, func(s Site) Site { s.Hostname = "*.preview.example.com"; return s }},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			rendered, err := Render(c.vary(exampleSite(c.kind)))
			if err != nil {
				t.Fatal(err)
			}
			golden(t, name, rendered.Body)
		})
	}
}

// previewSite is one for two previews.
func previewSite(s Site) Site {
	s.Env, s.Hostname, s.Template, s.TemplateName = "shop-pr", "*.preview.example.com", templates.HAProxyPreviews, "of the previews"
	s.Routes = []Route{
		{Backend: "shop-pr-7", Hostname: "pr-7.preview.example.com", Address: "10.0.1.20:20000"},
		{Backend: "shop-pr-12", Hostname: "pr-12.preview.example.com", Address: "[fd00::1]:20001"},
	}
	return s
}

// encrypted is a site with everything that TLS and IPv6 bring.
func encrypted(s Site, version string) Site {
	s.TLS = &TLS{Certificate: "/etc/ssl/shop.pem", Key: "/etc/ssl/shop.key", HTTP2: true, Redirect: 80}
	if s.Listen.Port == 80 {
		s.Listen.Port = 443
	}
	s.IPv6, s.Version = true, version
	return s
}

func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("..", "..", "testdata", "proxy", name)
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s differs; run the tests with -update and read the diff\n%s", name, got)
	}
}

// Every text that a template sees has a type with an allow-list.
func TestPageHoldsNoRawText(t *testing.T) {
	var walk func(reflect.Type, string)
	walk = func(typ reflect.Type, at string) {
		switch {
		case typ.PkgPath() == reflect.TypeFor[value.Name]().PkgPath(), typ == reflect.TypeFor[identity]():
		case typ.Kind() == reflect.Struct && typ.PkgPath() == reflect.TypeFor[page]().PkgPath():
			for field := range typ.Fields() {
				walk(field.Type, at+"."+field.Name)
			}
		case typ.Kind() == reflect.Slice:
			walk(typ.Elem(), at+"[]")
		case typ.Kind() == reflect.Int, typ.Kind() == reflect.Bool:
		default:
			t.Errorf("%s is a %s: no allow-list stands before it", at, typ)
		}
	}
	walk(reflect.TypeFor[page](), "page")
}

// hostile are values that break out of a configuration, and pass the proxies'
// own checks, in at least one place.
var hostile = []string{
	";", "a;b", "shop; } server { listen 81", `x"; location = /pwn { return 200; } set $a "`,
	"}", "{", "a\nserver x 10.9.9.9:80", "a\r\nb", "a#b", "#", `"`, "'", "$document_root", "${HOME}", "%[env(HOME)]",
	"x y z", "a\x00b", "~.*", "_ \"\" *.com", "bläu", "a\u2028b", "../../etc/passwd", "-m reg .*", `a\`, "x } || { always_true",
	"127.0.0.1:1 down", "127.0.0.1:1; include /etc/passwd", " ", "a\tb", "A;",
}

// fields are all texts of a Site that a configuration could be reached by.
var fields = map[string]func(*Site, string){
	"env":         func(s *Site, v string) { s.Env = value.Name(v) },
	"kind":        func(s *Site, v string) { s.Kind = Kind(v) },
	"hostname":    func(s *Site, v string) { s.Hostname = value.Hostname(v) },
	"host":        func(s *Site, v string) { s.Listen.Host = v },
	"slot":        func(s *Site, v string) { s.Pools[1].Slot = value.Name("z" + v) },
	"address":     func(s *Site, v string) { s.Pools[0].Addresses[0] = value.Address(v) },
	"address+":    func(s *Site, v string) { s.Pools[0].Addresses[0] = value.Address("127.0.0.1:80" + v) },
	"socket":      func(s *Site, v string) { s.Pools[1].Addresses[0] = value.Address("unix:/run/" + v) },
	"state_dir":   func(s *Site, v string) { s.StateDir = value.Path("/var/" + v) },
	"config":      func(s *Site, v string) { s.Config = value.Path("/etc/" + v) },
	"main":        func(s *Site, v string) { s.Main = value.Path("/etc/" + v) },
	"stats":       func(s *Site, v string) { s.Socket = value.Path("/run/" + v) },
	"error_log":   func(s *Site, v string) { s.ErrorLog = value.Path("/var/" + v) },
	"access_log":  func(s *Site, v string) { s.AccessLog = value.Path("/var/" + v) },
	"certificate": func(s *Site, v string) { s.TLS = &TLS{Certificate: value.Path("/etc/" + v)} },
	"key":         func(s *Site, v string) { s.TLS = &TLS{Certificate: "/etc/c", Key: value.Path("/etc/" + v)} },
	"container":   func(s *Site, v string) { s.Container = value.Container("c" + v) },
	"sticky":      func(s *Site, v string) { s.Canary = &Canary{Sticky: Sticky(v)} },
	"backend": func(s *Site, v string) {
		s.Routes = []Route{{Backend: value.Name(v), Hostname: "a.example.com", Address: "10.0.0.1:80"}}
	},
	"route": func(s *Site, v string) {
		s.Routes = []Route{{Backend: "a", Hostname: value.Hostname(v), Address: "10.0.0.1:80"}}
	},
	"route to": func(s *Site, v string) {
		s.Routes = []Route{{Backend: "a", Hostname: "a.example.com", Address: value.Address(v)}}
	},
}

func TestRenderRefusesHostileValues(t *testing.T) {
	for _, kind := range []Kind{NGINX, HAProxy} {
		for field, set := range fields {
			for _, v := range hostile {
				site := overWire(t, exampleSite(kind), func(s *Site) { set(s, v) })
				if rendered, err := Render(site); err == nil {
					t.Errorf("%s: %s = %q was rendered:\n%s", kind, field, v, rendered.Body)
				}
			}
		}
	}
}

// overWire is site with a change, as it comes out of JSON.
func overWire(t *testing.T, site Site, change func(*Site)) Site {
	t.Helper()
	change(&site)
	encoded, err := json.Marshal(site)
	if err != nil {
		t.Fatal(err)
	}
	var decoded Site
	if err := json.Unmarshal(encoded, &decoded); err != nil {
		t.Fatal(err)
	}
	return decoded
}

func TestVersionIsOnlyEverAVersion(t *testing.T) {
	for _, v := range hostile {
		site := exampleSite(NGINX)
		site.Version = v
		plain, _ := Render(exampleSite(NGINX))
		if rendered, err := Render(site); err != nil || rendered.Body != plain.Body {
			t.Errorf("version %q: %v\n%s", v, err, rendered.Body)
		}
	}
}

func TestRenderRefusesBrokenPools(t *testing.T) {
	cases := map[string]func(*Site){
		"no address": func(s *Site) { s.Pools[0].Addresses = nil },
		"one pool":   func(s *Site) { s.Pools = s.Pools[:1] },
		"same slot":  func(s *Site) { s.Pools[1].Slot = "blue" },
		"unsorted":   func(s *Site) { s.Pools[0], s.Pools[1] = s.Pools[1], s.Pools[0] },
		"port 0":     func(s *Site) { s.Listen.Port = 0 },
		"upper case": func(s *Site) { s.Hostname = "Shop.example.com" },
		"same host":  func(s *Site) { *s = previewSite(*s); s.Kind, s.Routes[1].Hostname = HAProxy, s.Routes[0].Hostname },
		"routes":     func(s *Site) { *s = previewSite(*s) },
		"long form":  func(s *Site) { s.Pools[0].Addresses[1] = "[fd00:0:0::1]:8081" },
	}
	for name, change := range cases {
		site := exampleSite(NGINX)
		change(&site)
		if _, err := Render(site); err == nil {
			t.Errorf("%s was rendered", name)
		}
	}
}

func TestIDFollowsWhatIsRendered(t *testing.T) {
	base, _ := Render(exampleSite(NGINX))
	again, _ := Render(exampleSite(NGINX))
	if base != again {
		t.Error("two renderings of one site differ")
	}
	if len(base.ID) != 12 || !strings.Contains(base.Body, base.ID) {
		t.Errorf("ID %q is not 12 digits in the body", base.ID)
	}
	site := exampleSite(NGINX)
	site.Pools[0].Addresses[0] = "10.0.1.12:8081"
	if other, _ := Render(site); other.ID == base.ID {
		t.Error("other addresses have the same ID")
	}
}

const ownTemplate = `upstream shop_blue { server 127.0.0.1:1; }
upstream shop_green { server 127.0.0.1:2; }
server {
    listen {{.Bind}};
    {{template "selector" .}}
    {{template "proof" .}}
    location / { proxy_pass http://$turnout_upstream; }
}
`

func TestOwnTemplate(t *testing.T) {
	site := exampleSite(NGINX)
	site.TemplateName, site.Template = "templates/shop.conf.tmpl", ownTemplate
	rendered, err := Render(site)
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "own.conf", rendered.Body)
	builtin, _ := Render(exampleSite(NGINX))
	if rendered.ID == builtin.ID {
		t.Error("another template has the same ID")
	}
}

func TestOwnTemplateRefused(t *testing.T) {
	cases := map[string]struct{ text, want string }{
		"does not parse":  {"a\nb\n{{if}}\n", "templates/x.tmpl: 3: "},
		"unknown field":   {ownTemplate + "{{.Nope}}", "x.tmpl: 9:2"},
		"unknown partial": {`{{template "nope" .}}`, "nope"},
		"no proof":        {strings.Replace(ownTemplate, `{{template "proof" .}}`, "", 1), `{{template "proof" .}} is missing`},
		"no selector":     {strings.Replace(ownTemplate, `{{template "selector" .}}`, "", 1), `{{template "selector" .}} is missing`},
		"control byte":    {ownTemplate + "a\rb", "line 18 of what it renders to holds the control byte 0x0d"},
	}
	for name, c := range cases {
		site := exampleSite(NGINX)
		site.TemplateName, site.Template = "templates/x.tmpl", c.text
		_, err := Render(site)
		var refused *TemplateError
		if !errors.As(err, &refused) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %v, want %q in it", name, err, c.want)
		}
	}
}

// directives is the structure of a configuration: its punctuation, and the first
// word of each line.
func directives(text string) string {
	var b strings.Builder
	for line := range strings.Lines(text) {
		word, _, _ := strings.Cut(strings.TrimSpace(line), " ")
		fmt.Fprint(&b, word, strings.Count(line, ";"), strings.Count(line, "{"), strings.Count(line, `"`), "\n")
	}
	return b.String()
}

func FuzzRender(f *testing.F) {
	names := []string{"env", "hostname", "host", "slot", "address", "address+", "socket", "state_dir", "backend", "route", "route to"}
	for i := range names {
		for _, v := range append(hostile, "shop", "a.example.com", "0server", "10.0.0.1", "10.0.0.1:80") {
			f.Add(uint8(i), v)
		}
	}
	f.Fuzz(func(t *testing.T, which uint8, v string) {
		for _, site := range []Site{exampleSite(NGINX), exampleSite(HAProxy), previewSite(exampleSite(HAProxy))} {
			site.Hostname, site.Routes = "a.example.com", site.Routes[:min(1, len(site.Routes))]
			want, _ := Render(site)
			fields[names[int(which)%len(names)]](&site, v)
			site.Pools[1].Addresses = site.Pools[1].Addresses[:1]
			rendered, err := Render(site)
			if err != nil || site.Hostname == "" || strings.HasPrefix(string(site.Hostname), "*") {
				continue
			}
			if directives(rendered.Body) != directives(want.Body) {
				t.Errorf("%q changed the structure:\n%s", v, rendered.Body)
			}
		}
	})
}
