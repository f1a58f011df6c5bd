package console

import (
	"bytes"
	"io"
	"strings"
)

// Plain is a writer for what is told beside the events of a run: lists, plans,
// errors. Its lines are made harmless as those of a Console are: what servers,
// titles and commands have said may be in them.
type Plain struct {
	w       io.Writer
	options Options
	rest    []byte // of a line that is not complete yet
}

// NewPlain returns a Plain that writes to w, a line at a time.
func NewPlain(w io.Writer, options Options) *Plain { return &Plain{w: w, options: options} }

// Write passes on the lines that are complete.
func (p *Plain) Write(text []byte) (int, error) {
	p.rest = append(p.rest, text...)
	end := bytes.LastIndexByte(p.rest, '\n') + 1
	if end == 0 {
		return len(text), nil
	}
	var out strings.Builder
	for line := range strings.Lines(string(p.rest[:end])) {
		out.WriteString(p.options.foreign(strings.TrimSuffix(line, "\n")) + "\n")
	}
	p.rest = append(p.rest[:0], p.rest[end:]...)
	if _, err := io.WriteString(p.w, out.String()); err != nil {
		return 0, err
	}
	return len(text), nil
}

// Close passes on a last line without an end. It leaves w open.
func (p *Plain) Close() error {
	_, err := io.WriteString(p.w, p.options.foreign(string(p.rest)))
	p.rest = nil
	return err
}

// foreign is a line that anybody may have written, as it can be printed.
func (o Options) foreign(line string) string {
	line = harmless(strings.ToValidUTF8(line, "\uFFFD"), o.Colour)
	if o.GitHub {
		return disarmed(line)
	}
	return line
}
