package spec

import (
	"slices"

	"github.com/org/deploy-action/internal/value"
)

// tlsShapes are what the tls block of each kind of proxy takes. HAProxy finds the
// key by itself, in the certificate's file or beside it.
var tlsShapes = map[ProxyKind]shape{
	NGINX:   {attributes: []string{"certificate", "key", "http2", "redirect"}},
	HAProxy: {attributes: []string{"certificate", "http2", "redirect"}},
}

// tls reads the tls block of a proxy; nil without one. A template of the user's
// may name the certificate itself, and does without all that is for the built-in
// one.
func (b *body) tls(p *Proxy) *TLS {
	block := b.child("tls", tlsShapes[p.Kind])
	if block == nil {
		return nil
	}
	t := &TLS{
		Certificate: parsed(block, "certificate", paths, ""),
		HTTP2:       block.flag("http2", true),
		Redirect:    block.port("redirect"),
	}
	if slices.Contains(tlsShapes[p.Kind].attributes, "key") {
		t.Key = parsed(block, "key", paths, value.Path(""))
	}
	if p.Template == "" && !block.given("certificate") {
		block.missing("certificate")
	}
	if t.Redirect != 0 && t.Redirect == p.Listen.Port {
		block.errorf(block.valueRange("redirect"), "Redirect to itself", "Port %d is the one that the proxy serves TLS on: redirect is the port of plain HTTP, mostly 80.", t.Redirect)
	}
	return t
}
