package machine

import (
	"io"
	"os"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

const (
	tailLines = 50
	tailBytes = 64 << 10
)

// Sizes of the buffer that output is read into. Most commands say little or
// nothing; for one that fills what there is, buffer and pipe grow. The buffer
// stays small enough for a core's own cache, or its bytes go to memory and back
// on their way to the log.
const (
	smallRead = 4 << 10
	largeRead = 128 << 10
	largePipe = 1 << 20
)

// output is where a command's output goes: a pipe that is copied to a stream, or
// a log file. It is for one goroutine.
type output struct {
	child  int       // what the command writes to
	log    string    // path of the log file; empty for a pipe
	reader int       // read end of the pipe; -1 for a log file, and at the end of the output
	stream io.Writer // nil when it takes no more
	buffer []byte
	total  int // bytes copied
	tail   tail
}

func openOutput(log string, stream io.Writer) (*output, error) {
	if log != "" {
		file, err := createLog(log)
		return &output{child: file, log: log, reader: -1}, err
	}
	ends, err := openPipe()
	if err != nil {
		return nil, err
	}
	return &output{child: ends[1], reader: ends[0], stream: stream}, nil
}

func createLog(path string) (int, error) {
	fd, err := unix.Open(path, unix.O_CREAT|unix.O_TRUNC|unix.O_WRONLY|unix.O_APPEND|unix.O_CLOEXEC, 0o600)
	if err == nil {
		if err = unix.Fchmod(fd, 0o600); err != nil {
			closeFD(fd)
		}
	}
	if err != nil {
		return -1, &os.PathError{Op: "open", Path: path, Err: err}
	}
	return fd, nil
}

// over reports whether there is no more to copy.
func (o *output) over() bool { return o.reader < 0 }

// copy copies what poll has told of. It goes on to the end even where the stream
// takes no more: a command must not fail because its listener has gone.
func (o *output) copy(told int16) {
	if told&unix.POLLIN == 0 {
		o.end()
		return
	}
	if o.buffer == nil {
		o.buffer = make([]byte, smallRead)
	}
	n, err := unix.Read(o.reader, o.buffer)
	if err == unix.EINTR {
		return
	}
	if n <= 0 {
		o.end()
		return
	}
	o.total += n
	o.tail.add(o.buffer[:n])
	if o.stream != nil {
		if _, err := o.stream.Write(o.buffer[:n]); err != nil {
			o.stream = nil
		}
	}
	if n == smallRead {
		o.buffer = make([]byte, largeRead)
		growPipe(o.reader, largePipe)
	}
}

// end closes the pipe.
func (o *output) end() {
	closeFD(o.reader)
	o.reader = -1
}

// copyUntil copies what comes until ended is closed.
func (o *output) copyUntil(ended <-chan struct{}) {
	for {
		select {
		case <-ended:
			return
		default:
		}
		if told := poll([2]int{-1, o.reader}, pollTime); told[1] != 0 {
			o.copy(told[1])
		}
	}
}

// close copies what the command has left in the pipe, lets go of the output and
// returns its last lines. Whoever still holds the pipe open is waited for no
// longer than drainTime.
func (o *output) close() []string {
	if o.log != "" {
		lines, _ := lastLines(o.log, tailLines) // a log that is gone has no lines
		return lines
	}
	left, _ := unix.IoctlGetInt(o.reader, inQueue)
	for all := o.total + left; o.total < all && !o.over(); {
		o.copy(unix.POLLIN)
	}
	for deadline := time.Now().Add(drainTime); !o.over(); {
		left := time.Until(deadline)
		if left <= 0 {
			o.end()
			break
		}
		if told := poll([2]int{-1, o.reader}, left); told[1] != 0 {
			o.copy(told[1])
		}
	}
	return o.tail.lines(tailLines)
}

// poll waits until one of the files has something to tell, at most for patience;
// below 0 that is for ever. It returns what each has, as poll(2) does; a file
// below 0 has nothing.
func poll(files [2]int, patience time.Duration) (told [2]int16) {
	timeout := -1
	if patience >= 0 {
		timeout = int(patience.Round(time.Millisecond).Milliseconds())
	}
	fds := []unix.PollFd{{Fd: int32(files[0]), Events: unix.POLLIN}, {Fd: int32(files[1]), Events: unix.POLLIN}}
	_, _ = unix.Poll(fds, timeout) // it fails when a signal comes: nothing was told
	return [2]int16{fds[0].Revents, fds[1].Revents}
}

// closeFD closes a file; -1 is none.
func closeFD(fd int) {
	if fd >= 0 {
		_ = unix.Close(fd) // nothing was written to it that could be lost
	}
}

// tail keeps the last bytes written to it, at least tailBytes.
type tail struct{ kept []byte }

func (t *tail) add(p []byte) {
	if len(p) >= tailBytes {
		t.kept = append(t.kept[:0], p[len(p)-tailBytes:]...)
		return
	}
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
