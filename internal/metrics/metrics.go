// Package metrics measures how busy a machine is: its processors, its memory and
// its disks, all in one round trip.
package metrics

import (
	"context"
	"time"

	"github.com/org/deploy-action/internal/machine"
)

// Request is what to measure.
type Request struct {
	// Window is how long to look at the processors; 0: since the operation was
	// made, which costs no time.
	Window time.Duration
	Paths  []string // measure the file systems of these, or of what is there of them
}

// Sample is how busy a machine was. Percentages are rounded up, sizes in bytes.
type Sample struct {
	Cores  int           `json:"cores"`
	CPU    int           `json:"cpu"`       // percent, of all cores, over Window
	Window time.Duration `json:"window_ns"` // 0: too short to tell the CPU
	Load1  float64       `json:"load1"`     // proc_loadavg(5)
	Load5  float64       `json:"load5"`
	Load15 float64       `json:"load15"`
	Memory Memory        `json:"memory"`
	Disks  []Disk        `json:"disks"`
	Uptime time.Duration `json:"uptime_ns"`

	Clock time.Time     `json:"clock"`   // what the machine took the time for when it had measured
	Skew  time.Duration `json:"skew_ns"` // how far that is ahead of the clock of who asked, at least; see Skew
}

// Memory is the machine's main memory.
type Memory struct {
	Size int64 `json:"size"`
	Free int64 `json:"free"` // what programs can have without swapping: MemAvailable of proc_meminfo(5)
	Used int   `json:"used"` // percent
}

// Disk is a mounted file system.
type Disk struct {
	Path   string `json:"path"` // where it is mounted
	Size   int64  `json:"size"`
	Free   int64  `json:"free"`   // for users other than root, as df has it
	Used   int    `json:"used"`   // percent of what those users can have
	Inodes int    `json:"inodes"` // percent of the files it can hold; 0 where it has no limit
}

// Shortest is the shortest time over which the processors can be measured: the
// kernel counts in hundredths of a second, so that it is off by 5 % of one core at
// most.
const Shortest = 200 * time.Millisecond

// New makes the operation that measures a machine. An agent makes it when it
// starts.
func New() machine.Op[Request, Sample] {
	began := time.Now()
	first, err := readTicks()
	return machine.Op[Request, Sample]{Name: "metrics.sample", Do: func(ctx context.Context, _ machine.At, r Request) (Sample, error) {
		since, before, err := began, first, err
		if r.Window > 0 {
			since = time.Now()
			before, err = readTicks()
		}
		if err != nil {
			return Sample{}, err
		}
		select {
		case <-ctx.Done():
			return Sample{}, context.Cause(ctx)
		case <-time.After(r.Window):
		}
		return measure(r.Paths, since, before)
	}}
}

// ticks are what all processors have done since the machine was started.
type ticks struct{ busy, total int64 }

func measure(paths []string, since time.Time, before ticks) (Sample, error) {
	s, err := readProc()
	if err != nil {
		return Sample{}, err
	}
	now, err := readTicks()
	if err != nil {
		return Sample{}, err
	}
	if window := time.Since(since); window >= Shortest {
		s.Window, s.CPU = window, percent(now.busy-before.busy, now.total-before.total)
	}
	s.Disks, err = disks(paths)
	s.Clock = time.Now()
	return s, err
}

// percent is the share of a whole, rounded up, from 0 to 100.
func percent(part, whole int64) int {
	if whole <= 0 || part <= 0 {
		return 0
	}
	return int(min((part*100+whole-1)/whole, 100))
}
