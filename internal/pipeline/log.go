package pipeline

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/org/deploy-action/internal/event"
	"github.com/org/deploy-action/internal/plan"
)

const (
	maxText = 64 << 10               // bytes told at once; a longer line is told in pieces
	idle    = 100 * time.Millisecond // after which the beginning of a line is told, such as a question
)

// log takes the output of a stage, masked already: all of it goes to the log
// file as it is, and whole lines, many at a time, to the listeners and into the
// tail. It does nothing for each line: there may be millions.
type log struct {
	in     *run
	stage  *plan.Stage
	server string   // of a task: who writes; empty for other stages
	file   *os.File // nil until there is something to write
	lost   bool     // the file could not be written
	tail   tail

	mu    sync.Mutex
	line  []byte      // begun, and not told yet
	begun bool        // what line goes on with was told already
	timer *time.Timer // tells it; nil until it was needed
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
	l.mu.Lock()
	defer l.mu.Unlock()
	rest, waits := p, len(l.line) > 0
	if end := bytes.IndexByte(rest, '\n') + 1; waits && end > 0 {
		l.add(rest[:end])
		rest, waits = rest[end:], false
	}
	if end := bytes.LastIndexByte(rest, '\n') + 1; end > 0 {
		l.tell(rest[:end])
		rest = rest[end:]
	}
	l.add(rest)
	l.await(waits)
	return len(p), nil
}

// add adds to what is begun, and tells it when it is whole or as much as may be
// told at once.
func (l *log) add(p []byte) {
	l.line = append(l.line, p...)
	n := 0
	switch {
	case bytes.HasSuffix(p, []byte{'\n'}):
		n = len(l.line)
	case len(l.line) >= maxText:
		n = uncut(l.line)
	default:
		return
	}
	l.tell(l.line[:n])
	l.line = append(l.line[:0], l.line[n:]...)
}

// await sees to it that what is begun is told soon, unless it waits for that
// already.
func (l *log) await(waits bool) {
	switch {
	case len(l.line) == 0 && l.timer != nil:
		l.timer.Stop()
	case len(l.line) == 0 || waits:
	case l.timer == nil:
		l.timer = time.AfterFunc(idle, l.tellBegun)
	default:
		l.timer.Reset(idle)
	}
}

// tellBegun tells a line that is not finished.
func (l *log) tellBegun() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.line) > 0 {
		l.tell(l.line)
		l.line = l.line[:0]
	}
}

// flush tells a last line that came without its newline.
func (l *log) flush() {
	l.tellBegun()
	l.begun = false
}

// tell tells lines to the listeners. Where a line's beginning was told already,
// its newline alone is no other line.
func (l *log) tell(lines []byte) {
	if l.begun && lines[0] == '\n' {
		l.tail.add("", true)
		lines = lines[1:]
	}
	if l.begun = len(lines) > 0 && lines[len(lines)-1] != '\n'; len(lines) == 0 {
		return
	}
	rest, more := clean(lines), true
	l.tail.add(rest, !l.begun)
	for more {
		var text string
		text, rest, more = head(rest)
		l.in.emit(l.stage, event.Event{Kind: event.StageOutput, Output: &event.Output{Text: text, Server: l.server}})
	}
}

// head parts text after as many lines as may be told at once, and reports whether
// there are more.
func head(text string) (lines, rest string, more bool) {
	if len(text) <= maxText {
		return text, "", false
	}
	if end := strings.LastIndexByte(text[:maxText+1], '\n'); end >= 0 {
		return text[:end], text[end+1:], true
	}
	end := uncut(text[:maxText])
	return text[:end], text[end:], true
}

// clean is the text of lines as listeners get it.
func clean(lines []byte) string {
	lines = bytes.TrimSuffix(lines, []byte{'\n'})
	if bytes.IndexByte(lines, '\r') >= 0 {
		lines = bytes.TrimSuffix(bytes.ReplaceAll(lines, []byte("\r\n"), []byte{'\n'}), []byte{'\r'})
	}
	if utf8.Valid(lines) {
		return string(lines)
	}
	return strings.ToValidUTF8(string(lines), "\uFFFD")
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
	if l.timer != nil {
		l.timer.Stop()
	}
	if l.file != nil {
		l.file.Close()
	}
}
