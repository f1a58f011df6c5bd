package proxy

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"text/template"

	"github.com/org/deploy-action/internal/value"
)

// page is what a template sees. Every text in it is of a type with an
// allow-list (a test holds this): nothing else can reach a configuration.
//
// A template of the user's is rendered from the same page and finds
//
//	{{template "selector" .}}   the lines that choose the slot of a request
//	{{template "proof" .}}      the lines that let Turnout ask what serves
//	{{address .}}               a server's address in the proxy's own spelling
//	{{number $i}}               $i + 1
//	{{other $i}}                1 for 0, 0 for 1
//
// Both partials belong into the server block or the frontend, the selector
// before anything that reads its result: for nginx the variables $turnout_slot
// and $turnout_upstream, for HAProxy the backends <env>_<slot>. A template that
// leaves one of them out is refused: what it makes the proxy do could be
// neither switched nor proven.
type page struct {
	Env      value.Name
	ID       identity
	Bind     value.Address  // what to listen on
	Bind6    value.Address  `json:",omitempty"` // besides, where every address is meant and there is IPv6
	Hostname value.Hostname // empty: any
	Slots    []pageSlot     // two, sorted by name
	Selector value.Path     // nginx: the flag file; HAProxy: the map file
	Routes   []Route        `json:",omitempty"` // HAProxy: to previews
	Live     value.Path     // the directory of the selector
	Proof    value.URLPath  // where the proxy says what it serves

	KeepaliveMin bool // the proxy knows keepalive_min_timeout

	TLS         bool       `json:",omitempty"`
	Certificate value.Path `json:",omitempty"`
	Key         value.Path `json:",omitempty"` // nginx
	HTTP2       bool       `json:",omitempty"` // asked for; of nginx: by "http2 on"
	HTTP2Listen bool       `json:",omitempty"` // nginx: by the parameter of "listen"
	Redirect    redirect   `json:",omitzero"`

	Split      bool       `json:",omitempty"` // the body of a canary
	ByCookie   bool       `json:",omitempty"`
	ByAddress  bool       `json:",omitempty"`
	Preview    bool       `json:",omitempty"`
	RequestLog value.Path `json:",omitempty"` // nginx: what Counters reads
	AccessLog  value.Path `json:",omitempty"` // nginx: the user's log
}

// redirect is a listener of plain HTTP that sends clients to the one of TLS.
type redirect struct {
	Bind  value.Address // empty: none
	Bind6 value.Address
	Port  value.Port // of the listener of TLS; 0: the usual one
}

type pageSlot struct {
	Name      value.Name
	Addresses []value.Address
}

// identity is a Rendered's ID. Only identify makes one.
type identity string

// Wildcard reports whether Hostname covers all names below a domain.
func (p page) Wildcard() bool { return strings.HasPrefix(string(p.Hostname), "*") }

// Domain is Hostname without its leading "*".
func (p page) Domain() value.Hostname { return p.Hostname[1:] }

// TemplateError is a template of the user's that cannot be used.
type TemplateError struct {
	Name   string // as the spec names it
	Reason string // with the line where there is one
}

func (e *TemplateError) Error() string { return fmt.Sprintf("template %s: %s", e.Name, e.Reason) }

// Render returns the configuration of site. It reads nothing but site, so the
// same site gives the same text everywhere. A value that is not on its type's
// allow-list is refused, a template of the user's that cannot be used with a
// TemplateError.
func Render(site Site) (Rendered, error) {
	if err := site.validate(); err != nil {
		return Rendered{}, fmt.Errorf("render %s: %w", site.Env, err)
	}
	if site.Balancer != nil {
		return renderBalanced(site)
	}
	tree, err := site.parseTemplate()
	if err != nil {
		return Rendered{}, err
	}
	page := site.page()
	page.ID = identify(site, page)
	var body bytes.Buffer
	if err := errors.Join(tree.ExecuteTemplate(&body, "shared", page), tree.Execute(&body, page)); err != nil {
		return Rendered{}, site.templateError(err)
	}
	text := strings.TrimSuffix(body.String(), "\n") + "\n"
	if err := site.inspectText(page, text); err != nil {
		return Rendered{}, err
	}
	return Rendered{ID: string(page.ID), Body: text}, nil
}

func (s Site) page() page {
	p := page{
		Env: s.Env, Hostname: s.Hostname, Selector: s.selector(), Live: s.liveDir(), Proof: s.proofPath(),
		KeepaliveMin: s.isNGINX(hasKeepaliveMin), AccessLog: s.AccessLog, Routes: s.Routes,
	}
	p.Bind, p.Bind6 = s.binds(s.Listen.Port)
	p.encrypt(s)
	if c := s.Canary; c != nil {
		p.Split, p.Preview = true, c.Preview
		p.ByCookie, p.ByAddress = c.Sticky == StickyCookie, c.Sticky == StickyClientIP
		p.RequestLog = s.requestLog()
	}
	for _, pool := range s.Pools {
		p.Slots = append(p.Slots, pageSlot{Name: pool.Slot, Addresses: pool.Addresses})
	}
	return p
}

// binds are the addresses to listen on at a port; the second is empty where the
// first is all.
func (s Site) binds(port value.Port) (bind, bind6 value.Address) {
	host := s.Listen.Host
	if host == "" {
		host = "0.0.0.0"
		if s.IPv6 {
			bind6 = value.Address(netip.AddrPortFrom(netip.IPv6Unspecified(), uint16(port)).String())
		}
	}
	return value.Address(netip.AddrPortFrom(netip.MustParseAddr(host), uint16(port)).String()), bind6
}

// encrypt fills in what the page says of TLS.
func (p *page) encrypt(s Site) {
	if s.TLS == nil {
		return
	}
	p.TLS, p.Certificate, p.HTTP2 = true, s.TLS.Certificate, s.TLS.HTTP2
	if s.Kind == NGINX {
		p.Key = cmp.Or(s.TLS.Key, s.TLS.Certificate)
		p.HTTP2 = s.TLS.HTTP2 && s.isNGINX(hasHTTP2)
		p.HTTP2Listen = s.TLS.HTTP2 && !p.HTTP2 && s.isNGINX(hasHTTP2Listen)
	}
	if s.TLS.Redirect == 0 {
		return
	}
	p.Redirect.Bind, p.Redirect.Bind6 = s.binds(s.TLS.Redirect)
	if s.Listen.Port != 443 {
		p.Redirect.Port = s.Listen.Port
	}
}

// proofPath is where the running proxy says what it serves.
func (s Site) proofPath() value.URLPath { return value.URLPath("/.turnout/" + string(s.Env)) }

// identify hashes the template and what is placed into it.
func identify(site Site, p page) identity {
	encoded, err := json.Marshal(p)
	if err != nil {
		panic(fmt.Sprintf("proxy: page does not survive JSON: %v", err))
	}
	hash := sha256.New()
	for _, part := range []string{site.dialect().template, site.Template, string(encoded)} {
		fmt.Fprintf(hash, "%d:%s", len(part), part)
	}
	return identity(hex.EncodeToString(hash.Sum(nil))[:12])
}

// parseTemplate returns the built-in template, or the user's with the built-in
// one's partials.
func (s Site) parseTemplate() (*template.Template, error) {
	d := s.dialect()
	functions := template.FuncMap{
		"address": d.address,
		"number":  func(index int) int { return index + 1 },
		"other":   func(index int) int { return 1 - index },
	}
	builtin := template.Must(template.New("builtin").Option("missingkey=error").Funcs(functions).Parse(d.template))
	if s.Template == "" {
		return builtin, nil
	}
	own, err := builtin.New(s.TemplateName).Parse(s.Template)
	if err != nil {
		return nil, s.templateError(err)
	}
	return own, nil
}

// inspectText refuses what no template may produce: control bytes, and a text
// that can be neither switched nor proven.
func (s Site) inspectText(p page, text string) error {
	for n, line := range strings.Split(text, "\n") {
		if at := strings.IndexFunc(line, isControl); at >= 0 {
			return s.templateError(fmt.Errorf("line %d of what it renders to holds the control byte %#02x", n+1, line[at]))
		}
	}
	for partial, mark := range map[string]string{"proof": string(p.ID), "selector": string(p.Selector)} {
		if !strings.Contains(text, mark) {
			return s.templateError(fmt.Errorf(`{{template "%s" .}} is missing: without it Turnout could not tell or move what serves`, partial))
		}
	}
	for value, mark := range map[string]string{"certificate": string(p.Certificate), "key": string(p.Key), "redirect": string(p.Redirect.Bind)} {
		if !strings.Contains(text, mark) {
			return s.templateError(fmt.Errorf("the tls block's %q has no effect: %s is nowhere in what it renders to; leave it out there, or use it in the template", value, mark))
		}
	}
	return nil
}

func isControl(r rune) bool { return r < ' ' && r != '\t' || r == 0x7f }

// templateError is err as the fault of the user's template; ours never fails on
// a validated site.
func (s Site) templateError(err error) error {
	if s.Template == "" {
		panic(fmt.Sprintf("proxy: built-in template: %v", err))
	}
	reason := strings.TrimPrefix(err.Error(), "template: ")
	reason = strings.TrimPrefix(reason, s.TemplateName+":")
	return &TemplateError{Name: s.TemplateName, Reason: reason}
}
