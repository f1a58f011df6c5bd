package metrics

import (
	"bytes"
	"fmt"
	"os"
	"runtime"
	"strconv"
	"strings"
	"time"
)

func readTicks() (ticks, error) {
	text, err := os.ReadFile("/proc/stat")
	if err != nil {
		return ticks{}, err
	}
	return parseTicks(text)
}

// parseTicks reads the first line of proc_stat(5): user, nice, system, idle,
// iowait, irq, softirq, steal, and what guests had, which user and nice count too.
func parseTicks(text []byte) (ticks, error) {
	line, _, _ := bytes.Cut(text, []byte("\n"))
	fields := strings.Fields(string(line))
	if len(fields) < 5 || fields[0] != "cpu" {
		return ticks{}, fmt.Errorf("/proc/stat begins with %q", line)
	}
	var t ticks
	for i, field := range fields[1:min(len(fields), 9)] {
		n, err := strconv.ParseInt(field, 10, 64)
		if err != nil {
			return ticks{}, fmt.Errorf("/proc/stat: %w", err)
		}
		t.total += n
		if i != 3 && i != 4 { // waiting for a disk is idling
			t.busy += n
		}
	}
	return t, nil
}

// readProc is the part of a sample that /proc has ready.
func readProc() (Sample, error) {
	s := Sample{Cores: runtime.NumCPU()}
	for _, part := range []struct {
		path string
		take func(*Sample, []byte) error
	}{{"/proc/loadavg", takeLoad}, {"/proc/meminfo", takeMemory}, {"/proc/uptime", takeUptime}} {
		text, err := os.ReadFile(part.path)
		if err == nil {
			err = part.take(&s, text)
		}
		if err != nil {
			return Sample{}, fmt.Errorf("%s: %w", part.path, err)
		}
	}
	return s, nil
}

func takeLoad(s *Sample, text []byte) error {
	_, err := fmt.Sscan(string(text), &s.Load1, &s.Load5, &s.Load15)
	return err
}

func takeUptime(s *Sample, text []byte) error {
	var seconds float64
	_, err := fmt.Sscan(string(text), &seconds)
	s.Uptime = time.Duration(seconds * float64(time.Second))
	return err
}

func takeMemory(s *Sample, text []byte) error {
	kibibytes := make(map[string]int64)
	for line := range strings.Lines(string(text)) {
		name, rest, _ := strings.Cut(line, ":")
		n, err := strconv.ParseInt(strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(rest), "kB")), 10, 64)
		if err == nil {
			kibibytes[name] = n
		}
	}
	s.Memory.Size, s.Memory.Free = kibibytes["MemTotal"]<<10, kibibytes["MemAvailable"]<<10
	if s.Memory.Size == 0 {
		return fmt.Errorf("has no MemTotal")
	}
	s.Memory.Used = percent(s.Memory.Size-s.Memory.Free, s.Memory.Size)
	return nil
}
