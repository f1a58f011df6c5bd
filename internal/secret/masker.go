// Package secret keeps secrets out of what turnout puts out.
package secret

import (
	"io"
	"strings"
)

// Mask stands in an output where a secret was.
const Mask = "***"

// Masker replaces secrets by Mask: as they are and in the encodings they are
// commonly printed in (see forms). Where secrets overlap, all of their bytes go.
// A Masker never changes and may be used from several goroutines.
//
// A secret of fewer than 3 bytes besides blanks is not masked: it would black
// out most of any text and so give itself away. Of a secret of several lines each line of at
// least 4 bytes is a secret of its own; only where no line is that long is the
// whole looked for.
type Masker struct {
	automaton *automaton // nil: there is nothing to mask
}

// New returns a Masker for secrets.
func New(secrets []string) *Masker {
	var patterns []string
	for _, secret := range secrets {
		patterns = append(patterns, forms(secret)...)
	}
	if len(patterns) == 0 {
		return &Masker{}
	}
	return &Masker{automaton: newAutomaton(patterns)}
}

// String is s with its secrets masked.
func (m *Masker) String(s string) string {
	if m.automaton == nil {
		return s
	}
	var b strings.Builder
	w := m.Writer(&b)
	_, _ = io.WriteString(w, s) // a Builder takes everything
	_ = w.Close()
	return b.String()
}

// Writer returns a writer that masks what it passes on to w, also where a
// secret comes in several writes. It holds back only bytes that may turn out to
// be the beginning of a secret, never more than the longest one, and so no line
// that is complete, unless a secret contains the newline. Close passes on what
// is held back and leaves w open. A Writer is for one goroutine at a time.
func (m *Masker) Writer(w io.Writer) io.WriteCloser {
	if m.automaton == nil {
		return passing{w}
	}
	return &masking{automaton: m.automaton, w: w}
}

// passing writes through where there is nothing to mask.
type passing struct{ io.Writer }

func (passing) Close() error { return nil }
