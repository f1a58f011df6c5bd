// Package templates carries the built-in proxy templates. They are rendered by
// package proxy, which documents what they may use.
package templates

import _ "embed"

// NGINX is the template of an nginx site. It is included within http {}.
//
//go:embed nginx.conf.tmpl
var NGINX string

// HAProxy is the template of a HAProxy frontend with its two backends. It is
// read after the main file and brings its own timeouts.
//
//go:embed haproxy.cfg.tmpl
var HAProxy string
