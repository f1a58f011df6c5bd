package pipeline

import (
	"slices"
	"strings"
	"unicode/utf8"
)

const (
	tailLines   = 200
	maxTailLine = 2 << 10 // bytes of a line that the tail keeps
	maxKept     = 1 << 20 // bytes of text that a tail holds before it looks at lines
)

// tail keeps the last lines of the texts added to it.
type tail struct {
	texts []string
	bytes int
}

// add takes a text of one or more lines.
func (t *tail) add(text string) {
	t.texts = append(t.texts, text)
	if t.bytes += len(text); t.bytes > maxKept {
		last := strings.Join(t.lines(), "\n")
		t.texts, t.bytes = append(t.texts[:0], last), len(last)
	}
}

// lines are the last lines, oldest first.
func (t *tail) lines() []string {
	var lines []string
	for i := len(t.texts) - 1; i >= 0 && len(lines) < tailLines; i-- {
		for rest, more := t.texts[i], true; more && len(lines) < tailLines; {
			at := strings.LastIndexByte(rest, '\n')
			lines = append(lines, shortened(rest[at+1:]))
			rest, more = rest[:max(at, 0)], at >= 0
		}
	}
	slices.Reverse(lines)
	return lines
}

// shortened is line, or so much of it as the tail keeps.
func shortened(line string) string {
	if len(line) <= maxTailLine {
		return line
	}
	return line[:uncut(line[:maxTailLine])] + " …"
}

// uncut is the length of text without a last character that is not all there.
func uncut[T string | []byte](text T) int {
	for n := len(text) - 1; n >= max(0, len(text)-utf8.UTFMax); n-- {
		if utf8.RuneStart(text[n]) {
			if utf8.FullRune([]byte(text[n:])) {
				break
			}
			return n
		}
	}
	return len(text)
}
