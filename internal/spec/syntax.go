package spec

import (
	"bytes"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
)

// mostRounds bounds how often a file with syntax errors is parsed.
const mostRounds = 100

// The summaries of HCL's parser that ask for more than a mended line.
const (
	unclosedBlock   = "Unclosed configuration block"
	unclosedHeredoc = "Unterminated template string"
	redefined       = "Attribute redefined"
)

// syntax parses the file and reports every syntax error. The parser of HCL
// loses its way after the first one; so the line at fault is mended or taken
// out, and the file is parsed again, until what is left is sound.
func (r *reader) syntax() *hclsyntax.Body {
	for range mostRounds {
		root, diags := parse(r.mended, r.file)
		r.root = root
		fault := firstFault(diags, 1+bytes.Count(r.mended, []byte("\n")))
		if fault == nil {
			r.reportRedefined(diags)
			break
		}
		if !r.mend(fault) {
			break
		}
	}
	return r.root
}

// firstFault is the first real syntax error, nil without one. A text that never
// ends comes before the blocks that it swallowed the ends of; end is the last line.
func firstFault(diags hcl.Diagnostics, end int) *hcl.Diagnostic {
	var first *hcl.Diagnostic
	for _, diag := range diags {
		switch {
		case diag.Severity != hcl.DiagError || diag.Summary == redefined:
		case diag.Summary == unclosedHeredoc && diag.Subject.Start.Line == end:
			return diag
		case first == nil || first.Summary == unclosedBlock && diag.Summary != unclosedBlock,
			diag.Subject.Start.Byte < first.Subject.Start.Byte && diag.Summary != unclosedBlock:
			first = diag
		}
	}
	return first
}

// reportRedefined reports attributes that are set twice, of which the parser
// keeps the first.
func (r *reader) reportRedefined(diags hcl.Diagnostics) {
	for _, diag := range diags {
		if diag.Summary == redefined {
			r.errorf(*diag.Subject, "Duplicate attribute", "%s", ourWords(diag.Detail))
		}
	}
}

// ourWords puts the parser's explanation into the words of this language.
func ourWords(s string) string {
	return strings.NewReplacer("Argument", "Attribute", "argument", "attribute").Replace(s)
}

// mend reports a fault and repairs the source around it. It is false where that
// would not help.
func (r *reader) mend(fault *hcl.Diagnostic) bool {
	lines := strings.SplitAfter(string(r.mended), "\n")
	switch fault.Summary {
	case unclosedBlock:
		return r.mendBlock(fault, lines)
	case unclosedHeredoc:
		r.reportHeredoc(fault, lines)
		return false
	}
	at := fault.Subject.Start.Line
	for at > 1 && (at > len(lines) || strings.TrimSpace(lines[at-1]) == "") {
		at-- // the parser noticed at the end of the line
	}
	if open := opened(fault, lines, at); open > 0 {
		at = open
		fault = &hcl.Diagnostic{
			Summary: "Unclosed bracket", Detail: "A bracket that opens here is not closed.", Subject: r.lineRange(lines, at).Ptr(),
		}
	}
	before := lines[at-1]
	if slices.Contains(r.damaged, at) {
		lines[at-1] = "\n" // a second try has nothing to repair
	} else {
		hint := repair(lines, at)
		r.errorf(*fault.Subject, ourWords(fault.Summary), "%s%s", ourWords(fault.Detail), hint)
	}
	r.damaged = append(r.damaged, at)
	r.mended = []byte(strings.Join(lines, ""))
	return lines[at-1] != before
}

// opened is the line of a bracket that is still open where the next block begins
// or its own ends; 0 where the fault is another one.
func opened(fault *hcl.Diagnostic, lines []string, at int) int {
	if fault.Context == nil || fault.Context.Start.Line >= at {
		return 0
	}
	if strings.TrimSpace(lines[at-1]) != "}" && !headerLine().MatchString(lines[at-1]) {
		return 0
	}
	return fault.Context.Start.Line
}

// mendBlock closes a block that the file leaves open: where its indentation
// says that it ends, or at the end of the file.
func (r *reader) mendBlock(fault *hcl.Diagnostic, lines []string) bool {
	open, end := unclosed(lines)
	at := *fault.Subject
	if open > 0 {
		at = r.lineRange(lines, open)
	}
	r.errorf(at, unclosedBlock, "This block is not closed: its } is missing.")
	r.damaged = append(r.damaged, at.Start.Line)
	if end > 0 {
		lines[end-1] = "}\n"
	} else {
		lines = append(lines, "\n}\n")
	}
	r.mended = []byte(strings.Join(lines, ""))
	return true
}

// reportHeredoc reports a heredoc without an end at its beginning.
func (r *reader) reportHeredoc(fault *hcl.Diagnostic, lines []string) {
	at := *fault.Subject
	for i, line := range lines {
		if strings.Contains(line, "<<") {
			at = r.lineRange(lines, i+1)
		}
	}
	r.errorf(at, unclosedHeredoc, "The text that begins here has no end: its closing word must stand alone on a line.")
}

// lineRange is the place of the text on a line.
func (r *reader) lineRange(lines []string, line int) hcl.Range {
	text := strings.TrimRight(lines[line-1], "\r\n")
	from := width(text) - width(strings.TrimLeft(text, " \t")) + 1
	return hcl.Range{
		Filename: r.file,
		Start:    hcl.Pos{Line: line, Column: from},
		End:      hcl.Pos{Line: line, Column: width(text) + 1},
	}
}

// hurt reports whether a syntax error took lines out of at, so that what seems
// to be missing there may be what was lost.
func (r *reader) hurt(at hcl.Range) bool {
	return slices.ContainsFunc(r.damaged, func(line int) bool {
		return at.Start.Line <= line && line <= at.End.Line
	})
}

// lost reports whether name stands in one of the lines that syntax errors took.
func (r *reader) lost(name string) bool {
	if len(r.damaged) == 0 {
		return false
	}
	lines := strings.Split(string(r.src), "\n")
	return slices.ContainsFunc(r.damaged, func(line int) bool {
		return line <= len(lines) && strings.Contains(lines[line-1], name)
	})
}
