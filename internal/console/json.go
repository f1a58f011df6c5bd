package console

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"unicode/utf8"

	"github.com/org/deploy-action/internal/event"
)

// JSON tells a run to a program: every event, what stages put out among them, as
// one line of JSON in one write.
//
// A person may look at the lines, and GitHub's runner does: control characters
// and "##[", which is a command to it wherever it stands, are escaped.
type JSON struct {
	w   io.Writer
	err error
}

// NewJSON returns a listener that writes to w. It belongs behind an event.Fan.
func NewJSON(w io.Writer) *JSON { return &JSON{w: w} }

// Event writes one event. After a first write that failed nothing is written any
// more: the last line could be torn.
func (j *JSON) Event(e event.Event) {
	if j.err != nil {
		return
	}
	var line bytes.Buffer
	encoder := json.NewEncoder(&line)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(e); err != nil {
		panic(fmt.Sprintf("console: %s does not survive JSON: %v", e.Kind, err))
	}
	_, j.err = j.w.Write(Escaped(line.Bytes()))
}

// Close returns the error of the write that failed. It leaves the writer open.
func (j *JSON) Close() error {
	if j.err != nil {
		return fmt.Errorf("json: %w", j.err)
	}
	return nil
}

// Escaped is the same JSON without a character that does more than stand for
// itself.
func Escaped(line []byte) []byte {
	line = bytes.ReplaceAll(line, []byte("##["), []byte(`\u0023\u0023[`))
	if !bytes.ContainsFunc(line, acts) {
		return line
	}
	var b bytes.Buffer
	for rest := line; len(rest) > 0; {
		r, n := utf8.DecodeRune(rest)
		if acts(r) {
			fmt.Fprintf(&b, `\u%04x`, r)
		} else {
			b.Write(rest[:n])
		}
		rest = rest[n:]
	}
	return b.Bytes()
}

func acts(r rune) bool { return control(r) && r != '\n' }
