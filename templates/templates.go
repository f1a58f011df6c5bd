// Package templates carries the built-in templates: those of the proxies, which
// package proxy renders and documents, and the page of package report.
package templates

import _ "embed"

// NGINX is the template of an nginx site. It is included within http {}.
//
//go:embed nginx.conf.tmpl
var NGINX string

// PreviewDomain is the template of an nginx site that answers for the host names
// of a domain that lead to no preview.
//
//go:embed preview.conf.tmpl
var PreviewDomain string

// HAProxy is the template of a HAProxy frontend with its two backends. It is
// read after the main file and brings its own timeouts.
//
//go:embed haproxy.cfg.tmpl
var HAProxy string

// HAProxyPreviews is the template of a HAProxy frontend that leads to all previews
// of a block, each by its host name. It uses parts of HAProxy.
//
//go:embed haproxy.previews.cfg.tmpl
var HAProxyPreviews string

// ReportHTML is the template of the report as a page.
//
//go:embed report.html.tmpl
var ReportHTML string

// ReportCSS is the style sheet of that page, which carries it.
//
//go:embed report.css
var ReportCSS string

// Workflow is the template of a pipeline as a workflow of GitHub Actions, which
// package workflow fills in.
//
//go:embed workflow.yml.tmpl
var Workflow string
