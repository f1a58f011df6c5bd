package spec

import (
	"bytes"
	"fmt"
	"io"
	"strings"

	"github.com/mitchellh/go-wordwrap"
)

// wrapAt is the width of the prose in Write.
const wrapAt = 78

// The escape sequences of ECMA-48 that Write uses.
const (
	bold      = "\x1b[1m"
	red       = "\x1b[31m"
	yellow    = "\x1b[33m"
	underline = "\x1b[4m"
	plainText = "\x1b[0m"
)

// Write prints the problems for a person: what, where, the source line with the
// place underlined, and why. It never prints the values of variables.
func (p Problems) Write(w io.Writer, colour bool) error {
	var out bytes.Buffer
	for _, problem := range p {
		problem.write(&out, colour)
	}
	_, err := w.Write(out.Bytes())
	return err
}

func (p Problem) write(out *bytes.Buffer, colour bool) {
	title, tint := "Error", red
	if p.Severity == Warning {
		title, tint = "Warning", yellow
	}
	if colour {
		title = bold + tint + title + ":" + plainText + bold
		fmt.Fprintf(out, "%s %s (%s:%d,%d)%s\n\n", title, p.Summary, p.Pos.File, p.Pos.Line, p.Pos.Column, plainText)
	} else {
		fmt.Fprintf(out, "%s: %s (%s:%d,%d)\n\n", title, p.Summary, p.Pos.File, p.Pos.Line, p.Pos.Column)
	}
	p.writeSource(out, colour)
	fmt.Fprintf(out, "%s\n\n", wordwrap.WrapString(p.Detail, wrapAt))
}

func (p Problem) writeSource(out *bytes.Buffer, colour bool) {
	if p.Snippet == "" {
		return
	}
	fmt.Fprintf(out, "  on %s line %d", p.Pos.File, p.Pos.Line)
	if p.Context != "" {
		fmt.Fprintf(out, ", in %s", p.Context)
	}
	before, part, after := p.split()
	gutter := fmt.Sprintf("  %d: ", p.Pos.Line)
	if colour {
		fmt.Fprintf(out, ":\n%s%s%s%s%s%s\n\n", gutter, before, underline, part, plainText, after)
		return
	}
	fmt.Fprintf(out, ":\n%s%s%s%s\n", gutter, before, part, after)
	fmt.Fprintf(out, "%s%s%s\n\n", strings.Repeat(" ", len(gutter)), indent(before), strings.Repeat("~", max(1, width(part))))
}

// split cuts the snippet around the place of the problem.
func (p Problem) split() (before, part, after string) {
	from := offset(p.Snippet, p.Pos.Column)
	to := len(p.Snippet)
	if p.Pos.EndLine == p.Pos.Line {
		to = max(from, offset(p.Snippet, p.Pos.EndColumn))
	}
	return p.Snippet[:from], p.Snippet[from:to], p.Snippet[to:]
}
