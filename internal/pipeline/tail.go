package pipeline

import (
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
	texts []string // each with its last newline, unless the next one goes on with its last line
	bytes int
}

// add takes a text of one or more lines, the last of which may not be finished.
func (t *tail) add(text string, finished bool) {
	if t.texts = append(t.texts, text); finished {
		t.texts = append(t.texts, "\n")
	}
	if t.bytes += len(text); t.bytes > maxKept {
		last := strings.Join(t.lines(), "\n")
		t.texts, t.bytes = append(t.texts[:0], last), len(last)
		if finished {
			t.texts = append(t.texts, "\n")
		}
	}
}

// lines are the last lines, oldest first.
func (t *tail) lines() []string {
	from, ends := len(t.texts), 0
	for from > 0 && ends <= tailLines { // of the lines wanted, and of the one before them
		from--
		ends += strings.Count(t.texts[from], "\n")
	}
	text := strings.TrimSuffix(strings.Join(t.texts[from:], ""), "\n")
	if len(t.texts) == 0 {
		return nil
	}
	lines := strings.Split(text, "\n")
	lines = lines[max(0, len(lines)-tailLines):]
	for i, line := range lines {
		lines[i] = shortened(line)
	}
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
