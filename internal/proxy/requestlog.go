package proxy

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// nginx logs a split request as "green 200 - 0.012": slot, status, what is special
// about it ("synthetic", or "chosen" where the client chose the slot), and the seconds
// to the header of the answer ($upstream_header_time). It does so without a buffer, so that what a reading
// finds is what has happened; a write per request costs nothing beside the
// request.

// fullLog is the size from which on the log is emptied once it has been read.
const fullLog = 16 << 20

// logPlace is a place in the log: the file, by its inode, and how far it was read.
type logPlace struct {
	inode  uint64
	offset int64
}

func (p logPlace) String() string { return fmt.Sprintf("%d:%d", p.inode, p.offset) }

func parseLogPlace(text string) (p logPlace, err error) {
	if _, err := fmt.Sscanf(text, "%d:%d", &p.inode, &p.offset); err != nil || p.offset < 0 {
		return logPlace{}, fmt.Errorf("%q is not a place in the log of requests", text)
	}
	return p, nil
}

// countLogged counts what nginx has logged since that place.
func countLogged(_ context.Context, s Site, since string) (Counted, error) {
	counted := Counted{Slots: s.slots()}
	file, err := os.Open(string(s.requestLog()))
	if err != nil {
		return Counted{}, err
	}
	defer file.Close()
	now, err := whereIs(file)
	if err != nil {
		return Counted{}, err
	}
	if since == "" {
		counted.Upto = now.String()
		return counted, nil
	}
	from, err := parseLogPlace(since)
	if err != nil {
		return Counted{}, err
	}
	switch {
	case from.inode != now.inode:
		counted.Missed = !s.countRotated(&counted, from)
		from = logPlace{inode: now.inode}
	case from.offset > now.offset:
		counted.Missed = true
		from.offset = 0
	}
	from.offset, err = countLines(&counted, file, from.offset)
	if err == nil && from.offset > fullLog {
		err = os.Truncate(string(s.requestLog()), 0)
		from.offset = 0
	}
	counted.Upto = from.String()
	return counted, err
}

// whereIs is the end of a file.
func whereIs(file *os.File) (logPlace, error) {
	info, err := file.Stat()
	if err != nil {
		return logPlace{}, err
	}
	return logPlace{inode: info.Sys().(*syscall.Stat_t).Ino, offset: info.Size()}, nil
}

// countRotated counts the rest of a log that was renamed beside ours, and reports
// whether it was there.
func (s Site) countRotated(counted *Counted, from logPlace) bool {
	siblings, _ := filepath.Glob(string(s.requestLog()) + "?*")
	for _, sibling := range siblings {
		file, err := os.Open(sibling)
		if err != nil {
			continue
		}
		defer file.Close()
		if end, err := whereIs(file); err == nil && end.inode == from.inode && end.offset >= from.offset {
			_, err := countLines(counted, file, from.offset)
			return err == nil
		}
	}
	return false
}

// countLines counts whole lines from offset on and returns where they end.
func countLines(counted *Counted, file io.ReaderAt, offset int64) (int64, error) {
	lines := bufio.NewReaderSize(io.NewSectionReader(file, offset, 1<<62), 64<<10)
	for {
		line, err := lines.ReadString('\n')
		if errors.Is(err, io.EOF) {
			return offset, nil // the rest of a line comes with the next reading
		}
		if err != nil {
			return offset, err
		}
		offset += int64(len(line))
		if r, ok := parseLogged(line); ok {
			counted.add(r)
		}
	}
}

// parseLogged reads a line of nginx's; false for one that does not count.
func parseLogged(line string) (served, bool) {
	fields := strings.Fields(line)
	if len(fields) < 4 || fields[2] != "-" && fields[2] != "synthetic" {
		return served{}, false
	}
	status, err := strconv.Atoi(fields[1])
	slot, known := slotName(fields[0])
	return served{slot: slot, synthetic: fields[2] == "synthetic", failed: status >= 500, latency: headerTime(fields[3:])}, err == nil && known
}

// headerTime adds up "0.001, 0.002 : 0.003", one for each server that was tried;
// negative when none answered.
func headerTime(tries []string) time.Duration {
	total := time.Duration(-1)
	for _, try := range tries {
		if seconds, err := strconv.ParseFloat(strings.TrimSuffix(try, ","), 64); err == nil && seconds >= 0 {
			total = max(total, 0) + time.Duration(seconds*float64(time.Second))
		}
	}
	return total
}

// openLog makes the log of requests be there and be ours: nginx, that may be
// somebody else's, would make it its own.
func (s Site) openLog() error {
	if s.Kind != NGINX || s.Canary == nil {
		return nil
	}
	file, err := os.OpenFile(string(s.requestLog()), os.O_CREATE|os.O_WRONLY, 0o644)
	if errors.Is(err, fs.ErrPermission) {
		return nil // it is there already, and another user's
	}
	if err != nil {
		return err
	}
	return file.Close()
}
