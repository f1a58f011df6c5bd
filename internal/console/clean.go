package console

import (
	"strings"
	"unicode/utf8"
)

// reset ends all colours.
const reset = "\x1b[0m"

// disarmed is a line that GitHub's runner takes for text: one that begins with
// "::", though after blanks, is a command to it.
func disarmed(line string) string {
	line = unbracket(line)
	if strings.HasPrefix(strings.TrimSpace(line), "::") {
		return "│ " + line
	}
	return line
}

// unbracket breaks up "##[", the other form of a command, which the runner finds
// wherever it stands in a line.
func unbracket(line string) string { return strings.ReplaceAll(line, "##[", "## [") }

// strip is a line as nothing but text, each character of it in its column.
func strip(line string) string {
	return strings.ReplaceAll(harmless(line, false), "\t", " ")
}

// harmless is a line that may hold anything, with nothing in it that a terminal
// takes for more than text but tabs and, where they are wanted, colours (SGR).
// Of parts that a carriage return would have overwritten the last one is left.
func harmless(line string, colour bool) string {
	if plain(line) {
		return line
	}
	line = lastOverwrite(line)
	var b strings.Builder
	coloured := false
	for rest := line; rest != ""; {
		if n, sgr := sequence(rest); n > 0 {
			if sgr && colour {
				b.WriteString(rest[:n])
				coloured = true
			}
			rest = rest[n:]
			continue
		}
		r, n := utf8.DecodeRuneInString(rest)
		if r == '\t' || !control(r) {
			b.WriteString(rest[:n])
		}
		rest = rest[n:]
	}
	text := b.String()
	if coloured && !strings.HasSuffix(text, reset) {
		text += reset
	}
	return text
}

// plain reports whether a line is nothing but text, as most are.
func plain(line string) bool {
	for _, r := range line {
		if r != '\t' && control(r) {
			return false
		}
	}
	return true
}

// control reports whether r is a control character (C0, DEL, C1) or turns the
// direction of what follows it, by which text can look like another text
// (CVE-2021-42574).
func control(r rune) bool {
	return r < ' ' || r >= 0x7f && r < 0xa0 || r >= 0x202a && r <= 0x202e || r >= 0x2066 && r <= 0x2069
}

// lastOverwrite is what would be left to see of a progress bar.
func lastOverwrite(line string) string {
	line = strings.TrimRight(line, "\r")
	return line[strings.LastIndexByte(line, '\r')+1:]
}

// sequence returns the length of the control sequence (ECMA-48) that s begins
// with, 0 where it begins with none, and whether it only selects a colour. One
// without an end goes on to the end of s.
func sequence(s string) (length int, sgr bool) {
	if s[0] != '\x1b' {
		return 0, false
	}
	if len(s) == 1 {
		return 1, false
	}
	switch s[1] {
	case '[':
		return csi(s)
	case ']', 'P', 'X', '^', '_':
		return text(s), false
	}
	end := 1
	for end < len(s) && s[end] >= 0x20 && s[end] <= 0x2f { // intermediate bytes
		end++
	}
	if end < len(s) && s[end] >= 0x30 && s[end] <= 0x7e { // the final byte, and no part of a longer character
		end++
	}
	return end, false
}

// csi measures "ESC [", parameters, and a final byte.
func csi(s string) (length int, sgr bool) {
	sgr = true
	for i := 2; i < len(s); i++ {
		switch b := s[i]; {
		case b >= 0x40 && b <= 0x7e:
			return i + 1, sgr && b == 'm'
		case b < 0x20 || b > 0x3f:
			return i, false // no part of a sequence
		case b != ';' && b != ':' && (b < '0' || b > '9'):
			sgr = false
		}
	}
	return len(s), false
}

// text measures a sequence that holds text up to BEL or ESC \.
func text(s string) int {
	for i := 2; i < len(s); i++ {
		switch {
		case s[i] == '\a':
			return i + 1
		case s[i] == '\x1b' && i+1 < len(s) && s[i+1] == '\\':
			return i + 2
		}
	}
	return len(s)
}
