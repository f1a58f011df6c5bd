package pipeline

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"unicode/utf8"

	"github.com/org/deploy-action/internal/event"
	"github.com/org/deploy-action/internal/plan"
)

const (
	maxLine     = 64 << 10 // bytes; a longer line is told in pieces
	tailLines   = 200
	maxTailLine = 2 << 10 // bytes of a line that the tail keeps
)

// log takes the output of a stage, masked already: all of it goes to the log
// file as it is, each line to the listeners, and the last lines into the tail.
type log struct {
	in     *run
	stage  *plan.Stage
	server string   // of a task: who writes; empty for other stages
	file   *os.File // nil until there is something to write
	lost   bool     // the file could not be written
	line   []byte   // begun and not finished
	tail   tail
}

func newLog(r *run, s *plan.Stage) *log { return &log{in: r, stage: s} }

// attempt marks the beginning of an attempt.
func (l *log) attempt(a attempt) {
	l.tail = tail{}
	if a.number > 1 {
		l.keep(fmt.Appendf(nil, "── attempt %d of %d\n", a.number, a.of))
	}
}

// Write never fails: a command must not end because its log can't be kept.
func (l *log) Write(p []byte) (int, error) {
	l.keep(p)
	for rest := p; len(rest) > 0; {
		line, after, ended := bytes.Cut(rest, []byte{'\n'})
		rest = after
		l.line = append(l.line, line...)
		for len(l.line) > maxLine {
			n := runeBoundary(l.line, maxLine)
			l.tell(l.line[:n])
			l.line = append(l.line[:0], l.line[n:]...)
		}
		if ended {
			l.tell(l.line)
			l.line = l.line[:0]
		}
	}
	return len(p), nil
}

// flush tells a last line that came without its newline.
func (l *log) flush() {
	if len(l.line) > 0 {
		l.tell(l.line)
		l.line = nil
	}
}

func (l *log) tell(line []byte) {
	text := strings.ToValidUTF8(string(bytes.TrimSuffix(line, []byte{'\r'})), "\uFFFD")
	l.tail.add(text)
	l.in.emit(l.stage, event.Event{Kind: event.StageOutput, Output: &event.Output{Text: text, Server: l.server}})
}

// keep writes to the log file, which is made when there is something to write.
func (l *log) keep(p []byte) {
	if l.lost {
		return
	}
	var err error
	if l.file == nil {
		l.file, err = os.OpenFile(l.path(), os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	}
	if err == nil {
		_, err = l.file.Write(p)
	}
	if err == nil {
		return
	}
	l.lost = true
	l.in.emit(l.stage, event.Event{Kind: event.Notice, Note: &event.Note{
		Level: event.Warning, Text: fmt.Sprintf("log: %v; the stage goes on, its log file is incomplete", err), Pos: l.stage.Pos,
	}})
}

func (l *log) path() string {
	name := l.stage.Name
	if l.server != "" {
		name += "@" + l.server
	}
	return filepath.Join(l.in.LogDir, fileName(name)+".log")
}

// maxFileName is the most bytes of a file's name that leave room for an ending
// (NAME_MAX is 255 on every file system that matters).
const maxFileName = 200

// fileName is the name of a stage as the name of a file: what a leg's values
// bring along is written as %XX, and a name that gets too long ends in its hash.
func fileName(name string) string {
	var b strings.Builder
	for i := range len(name) {
		if c := name[i]; 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || strings.IndexByte("-_.,[]@=+", c) >= 0 {
			b.WriteByte(c)
		} else {
			fmt.Fprintf(&b, "%%%02X", c)
		}
	}
	file := b.String()
	if len(file) <= maxFileName {
		return file
	}
	sum := sha256.Sum256([]byte(name))
	return file[:maxFileName-17] + "-" + hex.EncodeToString(sum[:8])
}

// name is the path of the log file, empty when nothing was written.
func (l *log) name() string {
	if l.file == nil {
		return ""
	}
	return l.path()
}

func (l *log) close() {
	if l.file != nil {
		l.file.Close()
	}
}

// runeBoundary is the largest place up to n that is not within a character.
func runeBoundary(b []byte, n int) int {
	for back := range utf8.UTFMax {
		if utf8.RuneStart(b[n-back]) {
			return n - back
		}
	}
	return n // no UTF-8 at all
}

// tail keeps the last lines added to it.
type tail struct {
	kept   []string
	oldest int
}

func (t *tail) add(line string) {
	if len(line) > maxTailLine {
		line = strings.Clone(line[:runeBoundary([]byte(line), maxTailLine)]) + " …"
	}
	if len(t.kept) < tailLines {
		t.kept = append(t.kept, line)
		return
	}
	t.kept[t.oldest] = line
	t.oldest = (t.oldest + 1) % tailLines
}

// lines are what is kept, oldest first.
func (t *tail) lines() []string {
	return append(append([]string(nil), t.kept[t.oldest:]...), t.kept[:t.oldest]...)
}
