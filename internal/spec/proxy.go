package spec

import (
	"slices"

	"github.com/hashicorp/hcl/v2/hclsyntax"

	"github.com/org/deploy-action/internal/value"
)

// proxyShapes are what each kind of proxy takes.
var proxyShapes = map[ProxyKind]shape{
	NGINX: {
		labels:     []string{"kind"},
		attributes: []string{"servers", "listen", "hostname", "config", "config_dir", "main", "error_log", "access_log", "template", "container", "check", "reload"},
		required:   []string{"listen", "config"},
		singles:    []string{"tls"},
	},
	HAProxy: {
		labels:     []string{"kind"},
		attributes: []string{"servers", "listen", "hostname", "config", "main", "socket", "template", "container", "check", "reload"},
		required:   []string{"listen", "config"},
		singles:    []string{"tls"},
	},
	AWSELB: {
		labels:     []string{"kind"},
		attributes: []string{"servers", "hostname", "listener_arn", "rule_arn", "target_groups", "instances", "endpoint"},
		required:   []string{"target_groups"},
	},
}

// proxies reads the proxy blocks of an environment.
func (b *body) proxies() []*Proxy {
	var all []*Proxy
	for _, block := range b.blocksOf("proxy") {
		all = append(all, b.proxy(block, b.proxyKind(block), []string{"config_dir"}))
	}
	if len(all) == 0 && !b.hurt(b.block.Range()) {
		b.errorf(b.header(), "Missing block", "%s needs a proxy block: the proxy whose traffic moves from slot to slot.", b.name)
	}
	return all
}

// proxy reads one proxy block; without are the attributes that this place does
// not ask for.
func (b *body) proxy(block *hclsyntax.Block, kind ProxyKind, without []string) *Proxy {
	s := proxyShapes[kind]
	s.required = slices.DeleteFunc(slices.Clone(s.required), func(name string) bool { return slices.Contains(without, name) })
	s.attributes = slices.DeleteFunc(slices.Clone(s.attributes), func(name string) bool { return slices.Contains(without, name) })
	inner := b.within(block, s)
	p := &Proxy{
		Kind: kind, Pos: b.pos(block.TypeRange),
		Servers:   inner.serversOrLocal("servers"),
		Listen:    inner.listen(),
		Hostname:  parsed(inner, "hostname", hostnames, ""),
		Config:    parsed(inner, "config", paths, ""),
		Main:      parsed(inner, "main", paths, mainFiles[kind]),
		Template:  inner.filled("template"),
		Container: parsed(inner, "container", containers, ""),
		Check:     inner.journalled("check"),
		Reload:    inner.journalled("reload"),
	}
	if slices.Contains(s.attributes, "config_dir") {
		p.Configs = parsed(inner, "config_dir", paths, "/etc/nginx/conf.d")
	}
	inner.channels(p)
	if kind == AWSELB {
		p.Balancer = inner.balancer(p)
		for _, server := range p.Servers {
			server.CallsAWS = true
		}
		return p
	}
	p.TLS = inner.tls(p)
	return p
}

// The main files of the distributions' packages.
var mainFiles = map[ProxyKind]value.Path{
	NGINX:   "/etc/nginx/nginx.conf",
	HAProxy: "/etc/haproxy/haproxy.cfg",
}

// channels reads where the proxy can be heard.
func (b *body) channels(p *Proxy) {
	switch p.Kind {
	case NGINX:
		p.ErrorLog = parsed(b, "error_log", paths, "/var/log/nginx/error.log")
		p.Access = parsed(b, "access_log", paths, "")
	case HAProxy:
		p.Socket = parsed(b, "socket", sockets, "/run/haproxy/admin.sock")
	}
	if p.Config != "" && p.Config == p.Main {
		b.errorf(b.valueRange("config"), "Config is the main file", "%s is the proxy's main file, which turnout never writes: name a file of its own that the main file reads.", p.Config)
	}
}

// proxyKind is the block's label; NGINX where it is missing or unknown.
func (b *body) proxyKind(block *hclsyntax.Block) ProxyKind {
	kinds := []string{string(NGINX), string(HAProxy), string(AWSELB)}
	if len(block.Labels) == 0 {
		return NGINX
	}
	label := block.Labels[0]
	if slices.Contains(kinds, label) {
		return ProxyKind(label)
	}
	b.errorf(labelRange(block), "Unknown proxy", "%q is not a proxy that turnout knows: %s.%s", label, listed(kinds), didYouMean(label, kinds))
	if near := nearest(label, kinds); near != "" {
		return ProxyKind(near)
	}
	return NGINX
}

// listen reads a listener: a port, or an address and port.
func (b *body) listen() value.Listen {
	s, ok := b.text("listen", plain)
	if !ok {
		return value.Listen{}
	}
	l, err := value.ParseListen(s)
	if err != nil {
		b.errorf(b.valueRange("listen"), "Invalid listener", "%s", err)
		return value.Listen{}
	}
	b.putText("listen", l.String())
	if l.Host == "" {
		b.putNumber("listen", int(l.Port))
	}
	return l
}

// filled reads an attribute as a text that is not blank.
func (b *body) filled(name string) string {
	s, ok := b.text(name, plain)
	if ok {
		b.checkFilled(name, s)
	}
	return s
}

// claimProxy takes for e what a proxy has only once.
func (c *claims) claimProxy(e *Environment, p *Proxy, block *hclsyntax.Block) {
	b := &body{reader: c.reader, block: block}
	c.claim(e, p.Servers, "config "+string(p.Config), b.valueRange("config"))
	c.claim(e, p.Servers, "state_dir "+string(e.StateDir), b.header())
	c.claimBalancer(e, p, b)
}
