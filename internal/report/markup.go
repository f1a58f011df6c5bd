package report

import (
	"html"
	"html/template"
	"strings"
)

// What the page has for every stage is written here, and not by its template: that
// takes 60 µs a stage, and a run of thousands of stages waits for its report.

// literal is markup that stands in this package. Only a constant becomes one
// without being asked to.
type literal string

// markup is a piece of the page.
type markup struct{ strings.Builder }

func (m *markup) raw(text literal) { m.WriteString(string(text)) }

// text adds what is shown: within an element, or within the quotes of an
// attribute that is no link.
func (m *markup) text(s string) { m.WriteString(html.EscapeString(s)) }

// in adds a text between two pieces of markup.
func (m *markup) in(before literal, text string, after literal) {
	m.raw(before)
	m.text(text)
	m.raw(after)
}

// whole is all of it, for the template.
func (m *markup) whole() template.HTML { return template.HTML(m.String()) }

func (m *markup) icon(class string) {
	m.in(`<svg class="i `, class, `" aria-hidden="true">`)
	m.in(`<use href="#i-`, class, `"/></svg>`)
}

func (m *markup) facts(facts []fact) {
	for _, f := range facts {
		m.in(`<div><dt>`, f.Name, `</dt>`)
		m.in(`<dd>`, f.Value, `</dd></div>`)
	}
}

// Markup is the row of the table.
func (r row) Markup() template.HTML {
	var m markup
	m.in("\n<tr class=\"", strings.Join(r.classes(), " "), `"><th scope="row">`)
	if r.Anchor != "" {
		m.in(`<a href="#`, r.Anchor, `">`)
		m.in("", r.Name, `</a>`)
	} else {
		m.text(r.Name)
	}
	m.in(` <small>`, r.Kind, `</small>`)
	if r.Why != "" {
		m.in(`<p>`, r.Why, `</p>`)
	}
	m.in(`</th><td class="`, r.Look.Class, ` out">`)
	m.icon(r.Look.Class)
	m.in(`<span>`, r.Look.Word, `</span></td>`)
	m.in(`<td class="n a">`, r.Attempts, `</td>`)
	m.in(`<td class="n w">`, r.Waited, `</td>`)
	m.in(`<td class="n t">`, r.Took, `</td>`)
	m.raw(`<td class="when"><svg class="line" aria-hidden="true"><use href="#grid"/>`)
	for _, b := range r.Bars {
		m.bar(b)
	}
	m.raw(`</svg></td></tr>`)
	return m.whole()
}

func (r row) classes() []string {
	var all []string
	if r.Leg {
		all = append(all, "leg")
	}
	if r.Legs {
		all = append(all, "legs")
	}
	if r.Critical {
		all = append(all, "critical")
	}
	return all
}

// Markup is the bar in its line.
func (b bar) Markup() template.HTML {
	var m markup
	m.bar(b)
	return m.whole()
}

func (m *markup) bar(b bar) {
	switch b.Class {
	case "commit":
		m.in(`<svg x="`, b.X, `"><path class="commit" d="M0 2 5.5 10 0 18-5.5 10z">`)
		m.in(`<title>`, b.Title, `</title></path></svg>`)
	case "mark":
		m.in(`<line class="mark" x1="`, b.X, `"`)
		m.in(` x2="`, b.X, `" y1="5" y2="15">`)
		m.in(`<title>`, b.Title, `</title></line>`)
	default:
		m.in(`<rect class="`, b.Class, `"`)
		m.in(` x="`, b.X, `"`)
		m.in(` width="`, b.W, `">`)
		if b.Title != "" {
			m.in(`<title>`, b.Title, `</title>`)
		}
		m.raw(`</rect>`)
	}
}

// Head is what is told of every stage, to the end of its facts.
func (d detail) Head() template.HTML {
	var m markup
	m.in("\n<details class=\"stage ", d.Look.Class, `"`)
	if d.Open {
		m.raw(` open`)
	}
	m.raw(`><summary>`)
	m.icon(d.Look.Class)
	m.in(`<b>`, d.Name, `</b>`)
	m.in(` <span>`, d.Look.Word, `</span>`)
	m.in(` <span class="t">`, d.Took, `</span></summary>`)
	m.in("\n<div id=\"", d.Anchor, `">`)
	if d.Reason != "" {
		m.in(`<p class="reason">`, d.Reason, `</p>`)
	}
	if d.Hint != "" {
		m.in(`<p class="next"><b>Next:</b> `, d.Hint, `</p>`)
	}
	m.raw("\n<dl class=\"facts\">")
	m.facts(d.Facts)
	m.raw(`</dl>`)
	return m.whole()
}
