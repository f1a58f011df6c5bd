package machine

import (
	"io"
	"os"
	"strings"
	"time"
)

const (
	tailLines = 50
	tailBytes = 64 << 10
)

// output is where a command's output goes: a pipe that is copied to a stream, or
// a log file.
type output struct {
	file   *os.File // what the command writes to
	log    string   // path of the log file; empty for a pipe
	reader *os.File // read end of the pipe
	tail   tail
	copied chan struct{}
}

func openOutput(log string, stream io.Writer) (*output, error) {
	if log != "" {
		file, err := createLog(log)
		return &output{file: file, log: log}, err
	}
	r, w, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	o := &output{file: w, reader: r, copied: make(chan struct{})}
	go o.copy(stream)
	return o, nil
}

func createLog(path string) (*os.File, error) {
	file, err := os.OpenFile(path, os.O_CREATE|os.O_TRUNC|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return nil, err
	}
	if err := file.Chmod(0o600); err != nil {
		file.Close()
		return nil, err
	}
	return file, nil
}

// copy reads to the end even where the stream takes no more: a command must not
// fail because its listener has gone.
func (o *output) copy(stream io.Writer) {
	defer close(o.copied)
	buffer := make([]byte, 32<<10)
	for {
		n, err := o.reader.Read(buffer)
		o.tail.add(buffer[:n])
		if stream != nil && n > 0 {
			if _, bad := stream.Write(buffer[:n]); bad != nil {
				stream = nil
			}
		}
		if err != nil {
			return
		}
	}
}

// close lets go of the output and returns its last lines. Whoever still holds
// the pipe open is not waited for.
func (o *output) close() []string {
	o.file.Close()
	if o.log != "" {
		lines, _ := lastLines(o.log, tailLines) // a log that is gone has no lines
		return lines
	}
	_ = o.reader.SetReadDeadline(time.Now().Add(drainTime))
	<-o.copied
	o.reader.Close()
	return o.tail.lines(tailLines)
}

// tail keeps the last bytes written to it, at least tailBytes.
type tail struct{ kept []byte }

func (t *tail) add(p []byte) {
	t.kept = append(t.kept, p...)
	if len(t.kept) > 2*tailBytes {
		t.kept = append(t.kept[:0], t.kept[len(t.kept)-tailBytes:]...)
	}
}

// lines are the last n lines.
func (t *tail) lines(n int) []string {
	text := strings.TrimRight(strings.ToValidUTF8(string(t.kept), "\uFFFD"), "\n")
	if text == "" {
		return nil
	}
	all := strings.Split(text, "\n")
	return all[max(0, len(all)-n):]
}

// lastLines are the last n lines of a file, looked for in its last 64 KiB.
func lastLines(path string, n int) ([]string, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return nil, err
	}
	data, err := io.ReadAll(io.NewSectionReader(file, max(0, info.Size()-tailBytes), tailBytes))
	t := tail{kept: data}
	return t.lines(n), err
}
