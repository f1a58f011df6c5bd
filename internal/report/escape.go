package report

import (
	"fmt"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"
)

// maxCell bounds a text within a sentence or a table cell.
const maxCell = 500

// special are the bytes that mean something in GitHub-flavoured Markdown within
// a line or at its start. "@" and "#" would call people and issues; ":" makes
// links of bare addresses, which is what a reader wants, so it stays.
const special = "\\`*_[<>|~$@#&"

// terminal are the control sequences of ECMA-48 that programs colour their
// output with: CSI … final byte, OSC … BEL or ST.
var terminal = regexp.MustCompile("\x1b(?:\\[[0-?]*[ -/]*[@-~]|\\][^\x07\x1b]*(?:\x07|\x1b\\\\))")

// short is s as text within a sentence or a table cell: one line, bounded.
func short(s string) string { return clip(oneLine(s), maxCell) }

// inline is s as plain text within a line of Markdown.
func inline(s string) string { return escape(short(s)) }

// escape is a line of text as Markdown: nothing in it formats, links, mentions
// or ends a table cell.
func escape(s string) string {
	if !strings.ContainsAny(s, special) {
		return s
	}
	var b strings.Builder
	text := []rune(s)
	for i, r := range text {
		if strings.ContainsRune(special, r) && !(r == '_' && inWord(text, i)) {
			fmt.Fprintf(&b, "&#%d;", r)
			continue
		}
		b.WriteRune(r)
	}
	return b.String()
}

// inWord reports whether letters or digits stand on both sides of text[i]; an
// underscore there formats nothing.
func inWord(text []rune, i int) bool {
	return i > 0 && i+1 < len(text) && wordRune(text[i-1]) && wordRune(text[i+1])
}

func wordRune(r rune) bool { return unicode.IsLetter(r) || unicode.IsDigit(r) }

// cell is inline, with a dash for nothing.
func cell(s string) string {
	if s == "" {
		return "–"
	}
	return inline(s)
}

// code is s as code within a line of Markdown, or within a table cell. An HTML
// element is used because backticks can't hold a "|" in a cell.
func code(s string) string {
	if s == "" {
		return "–"
	}
	return "<code>" + inline(s) + "</code>"
}

// fence is text as a code block whose fence is longer than any run of backticks
// in the text.
func fence(language, text string) string {
	text = strings.TrimRight(printable(text), "\n")
	ticks := strings.Repeat("`", max(3, longestRun(text, '`')+1))
	return ticks + language + "\n" + text + "\n" + ticks
}

// longestRun is the length of the longest run of c in s.
func longestRun(s string, c rune) int {
	longest, run := 0, 0
	for _, r := range s {
		if r != c {
			run = 0
			continue
		}
		run++
		longest = max(longest, run)
	}
	return longest
}

// mermaid is s as a quoted label of a Mermaid flowchart. Whatever is not a
// letter, a digit or harmless is written as an entity code.
func mermaid(s string) string {
	var b strings.Builder
	for _, r := range clip(oneLine(s), 60) {
		if unicode.IsLetter(r) || unicode.IsDigit(r) || strings.ContainsRune(" _-.,/()=", r) {
			b.WriteRune(r)
			continue
		}
		fmt.Fprintf(&b, "#%d;", r)
	}
	return b.String()
}

// ganttName is s as the name of a Mermaid Gantt task, which knows no escapes:
// what could end it becomes a blank.
func ganttName(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsLetter(r) || unicode.IsDigit(r) || strings.ContainsRune(" _-./()[]=", r) {
			return r
		}
		return ' '
	}, clip(oneLine(s), 60))
}

// oneLine is s with every run of white space made one blank and control
// characters dropped.
func oneLine(s string) string { return strings.Join(strings.Fields(printable(s)), " ") }

// printable is s as valid UTF-8 without the colours, control characters and
// direction overrides that would change how a page reads.
func printable(s string) string {
	if plain(s) {
		return s
	}
	s = terminal.ReplaceAllString(strings.ReplaceAll(s, "\r\n", "\n"), "")
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\n' || r == '\t':
			return r
		case r == '\r':
			return '\n'
		case unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r):
			return -1
		}
		return r
	}, strings.ToValidUTF8(s, "\uFFFD"))
}

// plain reports whether s is nothing but ASCII that is seen, as most text is.
func plain(s string) bool {
	for i := range len(s) {
		if s[i] < ' ' || s[i] > '~' {
			return false
		}
	}
	return true
}

// clip is s of at most n runes, the last of them "…" when it was longer.
func clip(s string, n int) string {
	if len(s) <= n || utf8.RuneCountInString(s) <= n {
		return s
	}
	return string([]rune(s)[:n-1]) + "…"
}
