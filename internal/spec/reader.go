package spec

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
)

// reader turns one file into a Spec and collects the problems on the way.
type reader struct {
	o        Options
	file     string
	src      []byte
	mended   []byte // src without its syntax errors, line by line the same
	root     *hclsyntax.Body
	damaged  []int // lines that syntax errors made unreadable
	spec     *Spec
	problems Problems
	scope    *hcl.EvalContext // var, local, github and the functions
	locals   []string         // names, for suggestions
	defaults SSHOptions       // of the ssh block
	ssh      *form            // the ssh block; nil without one
	grouped  map[*Group]bool  // those begun, and whether they are read to the end
	local    *Server          // the machine that runs turnout
	wanted   map[string]bool  // variables that need a value; nil: all
	normal   *normal          // of the spec

	servers      registry[*Server]
	groups       registry[*Group]
	tasks        registry[*Task]
	environments registry[*Environment]
	pipelines    registry[*Pipeline]
	previews     registry[*Preview]
}

func newReader(src []byte, name string, o Options) *reader {
	if o.Getenv == nil {
		o.Getenv = func(string) string { return "" }
	}
	n := newNormal(src)
	return &reader{
		o: o, file: name, src: src, mended: src, spec: &Spec{File: name, normal: n}, normal: n,
		local: &Server{Name: "local", Connection: Local, Address: "127.0.0.1"},
	}
}

// errorf notes a mistake. Summary is constant for the kind of mistake; format
// gives a sentence with the value and the rule.
func (r *reader) errorf(at hcl.Range, summary, format string, args ...any) {
	r.note(Error, at, summary, fmt.Sprintf(format, args...))
}

// note is the one way to a Problem. A problem without its words or its place is
// a mistake of ours.
func (r *reader) note(severity Severity, at hcl.Range, summary, detail string) {
	if summary == "" || detail == "" || at.Start.Line < 1 {
		panic(fmt.Sprintf("spec: problem without summary, detail or place: %q, %q, %v", summary, detail, at))
	}
	r.problems = append(r.problems, Problem{
		Severity: severity, Summary: summary, Detail: sentence(detail), Pos: r.pos(at),
	})
}

// sentence gives s a capital, unless it begins with a name out of code, and a
// full stop.
func sentence(s string) string {
	s = strings.TrimSpace(s)
	if word, _, _ := strings.Cut(s, " "); !strings.ContainsAny(word, "._([/") {
		first, size := utf8.DecodeRuneInString(s)
		s = string(unicode.ToUpper(first)) + s[size:]
	}
	if !strings.ContainsAny(s[len(s)-1:], ".?!") {
		s += "."
	}
	return s
}

func (r *reader) pos(at hcl.Range) Pos {
	return Pos{
		File: r.file,
		Line: at.Start.Line, Column: at.Start.Column,
		EndLine: at.End.Line, EndColumn: at.End.Column,
	}
}

// sorted returns the problems in the order of the file, each once, with source
// lines and without secrets.
func (r *reader) sorted() Problems {
	slices.SortStableFunc(r.problems, func(a, b Problem) int {
		return cmp.Or(cmp.Compare(a.Pos.Line, b.Pos.Line), cmp.Compare(a.Pos.Column, b.Pos.Column))
	})
	seen := make(map[Problem]bool, len(r.problems))
	once := slices.DeleteFunc(r.problems, func(p Problem) bool {
		known := seen[p]
		seen[p] = true
		return known
	})
	if len(once) > 0 {
		r.illustrate(once)
	}
	return once
}

// illustrate adds what only a problem needs: the source line and the blocks
// around it.
func (r *reader) illustrate(problems Problems) {
	lines := strings.Split(string(r.src), "\n")
	for i := range problems {
		p := &problems[i]
		p.Detail = r.star(p.Detail)
		p.Context = around(r.root, p.Pos)
		if p.Pos.Line <= len(lines) {
			p.Snippet = r.star(printable(strings.TrimSuffix(lines[p.Pos.Line-1], "\r")))
		}
	}
}

// shortestSecret is what star looks for at least: shorter secrets would tear
// holes into every other word.
const shortestSecret = 4

// star replaces secrets in text by as many stars, so that columns stay right.
func (r *reader) star(text string) string {
	for _, secret := range r.spec.Secrets {
		for _, line := range strings.Split(secret, "\n") {
			if len(line) >= shortestSecret {
				text = strings.ReplaceAll(text, line, strings.Repeat("*", utf8.RuneCountInString(line)))
			}
		}
	}
	return text
}

// printable replaces what would move a terminal's cursor or break its encoding.
func printable(line string) string {
	return strings.Map(func(c rune) rune {
		if c == utf8.RuneError || unicode.IsControl(c) && c != '\t' {
			return '\uFFFD'
		}
		return c
	}, line)
}

// around names the blocks that pos lies in, outermost first.
func around(body *hclsyntax.Body, pos Pos) string {
	var names []string
	for body != nil {
		block := blockAt(body, pos.Line)
		if block == nil || block.TypeRange.Start.Line == pos.Line {
			break
		}
		names, body = append(names, blockName(block)), block.Body
	}
	return strings.Join(names, ", ")
}

// blockAt finds the block of body that spans line.
func blockAt(body *hclsyntax.Body, line int) *hclsyntax.Block {
	i, found := slices.BinarySearchFunc(body.Blocks, line, func(block *hclsyntax.Block, line int) int {
		switch {
		case block.CloseBraceRange.End.Line < line:
			return -1
		case block.TypeRange.Start.Line > line:
			return 1
		}
		return 0
	})
	if !found {
		return nil
	}
	return body.Blocks[i]
}

// blockName is a block as messages name it: slot "blue".
func blockName(block *hclsyntax.Block) string {
	name := block.Type
	for _, label := range block.Labels {
		name += fmt.Sprintf(" %q", label)
	}
	return name
}
