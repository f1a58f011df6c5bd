package spec

import (
	"bytes"
	"regexp"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
)

// mostRounds bounds how often a file with syntax errors is parsed.
const mostRounds = 100

// syntax parses the file and reports every syntax error. The parser of HCL
// loses its way after the first one; so the line at fault is taken out and the
// file is parsed again, until what is left is sound.
func (r *reader) syntax() *hclsyntax.Body {
	src := r.src
	for range mostRounds {
		file, diags := hclsyntax.ParseConfig(src, r.file, hcl.InitialPos)
		r.root = file.Body.(*hclsyntax.Body)
		first := r.redefinitions(diags)
		if first == nil {
			return r.root
		}
		r.errorf(*first.Subject, first.Summary, "%s", syntaxDetail(first))
		mended := r.mend(src, first)
		if mended == nil {
			return r.root
		}
		src = mended
	}
	return r.root
}

// redefinitions reports attributes that are set twice, which costs no structure,
// and returns the first real syntax error.
func (r *reader) redefinitions(diags hcl.Diagnostics) *hcl.Diagnostic {
	var first *hcl.Diagnostic
	for _, diag := range diags {
		switch {
		case diag.Severity != hcl.DiagError:
		case diag.Summary == "Attribute redefined":
			r.errorf(*diag.Subject, "Duplicate attribute", "%s", strings.ReplaceAll(diag.Detail, "argument", "attribute"))
		case first == nil || diag.Subject.Start.Byte < first.Subject.Start.Byte:
			first = diag
		}
	}
	return first
}

// syntaxDetail is the parser's explanation in the words of this language.
func syntaxDetail(diag *hcl.Diagnostic) string {
	return strings.NewReplacer("Argument", "Attribute", "argument", "attribute").Replace(diag.Detail)
}

// mend takes the line at fault out of src, keeping what opens and closes blocks.
// It returns nil where that would not help.
func (r *reader) mend(src []byte, fault *hcl.Diagnostic) []byte {
	lines := bytes.SplitAfter(src, []byte("\n"))
	if fault.Summary == "Unclosed configuration block" {
		return append(bytes.TrimRight(slices.Clone(src), "\n"), "\n}\n"...)
	}
	at := fault.Subject.Start.Line
	if fault.Subject.Start.Column == 1 && len(bytes.TrimSpace(lineAt(lines, at))) == 0 {
		at-- // a mistake that the parser noticed at the end of the line
	}
	for at > 1 && len(bytes.TrimSpace(lineAt(lines, at))) == 0 {
		at--
	}
	if at < 1 || at > len(lines) || slices.Contains(r.damaged, at) && !header.Match(lines[at-1]) {
		return nil
	}
	r.damaged = append(r.damaged, at)
	mended := slices.Clone(lines)
	mended[at-1] = without(lines[at-1])
	if bytes.Equal(mended[at-1], lines[at-1]) {
		return nil
	}
	return bytes.Join(mended, nil)
}

func lineAt(lines [][]byte, n int) []byte {
	if n < 1 || n > len(lines) {
		return nil
	}
	return lines[n-1]
}

// header is a line that opens a block, however badly.
var header = regexp.MustCompile(`^\s*([A-Za-z_]\w*)\s*=?\s*["'“”]?([\w-]*)[^{]*\{\s*(?:(?:#|//).*)?\s*$`)

// without is what remains of a line at fault: the header of its block, or
// nothing.
func without(line []byte) []byte {
	if parts := header.FindSubmatch(line); parts != nil {
		head := string(parts[1])
		if len(parts[2]) > 0 {
			head += ` "` + string(parts[2]) + `"`
		}
		return []byte(head + " {\n")
	}
	return []byte("\n")
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
	lines := strings.Split(string(r.src), "\n")
	return slices.ContainsFunc(r.damaged, func(line int) bool {
		return line <= len(lines) && strings.Contains(lines[line-1], name)
	})
}
