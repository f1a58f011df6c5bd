package bench

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/org/deploy-action/internal/loadtest"
	"github.com/org/deploy-action/internal/proxy"
	"github.com/org/deploy-action/internal/proxy/proxytest"
)

// TestSoakSwitches switches TURNOUT_SOAK times (6 without it) under everything
// that clients do: none of their requests may fail and, from 100 switches on, nothing
// may be left over.
func TestSoakSwitches(t *testing.T) {
	switches := 6
	if n, err := strconv.Atoi(os.Getenv("TURNOUT_SOAK")); err == nil {
		switches = n
	}
	for _, kind := range []proxy.Kind{proxy.NGINX, proxy.HAProxy} {
		t.Run(string(kind), func(t *testing.T) {
			p := proxytest.Start(t, kind)
			c := ours(t, p)
			if switches < 100 { // so few show nothing that is left over
				t.Parallel()
				c.soak(t, switches)
				return
			}
			c.soak(t, 5) // pools and caches are filled
			before := measure(t, p)
			began := time.Now()
			c.soak(t, switches)
			t.Logf("%d switches, %.2f a second", switches, float64(switches)/time.Since(began).Seconds())
			leaksNothing(t, p, before, switches)
		})
	}
}

// soak switches so many times under load.
func (c contender) soak(t *testing.T, switches int) {
	t.Helper()
	load := loadtest.Start(t.Context(), c.address, "shop", loadtest.Mix()...)
	for i := range switches {
		pause(t, 500*time.Millisecond)
		if err := c.to(t.Context(), slots[(i+1)%2]); err != nil {
			t.Error(err)
		}
	}
	record := load.Stop()
	t.Logf("%d switches, %d requests, %d failed", switches, len(record), len(record.Failed()))
	for _, q := range record.Failed()[:min(10, len(record.Failed()))] {
		t.Errorf("%s at %s: %s", q.Kind, q.Start.Format("15:04:05.000"), q.Error)
	}
	for _, name := range []string{"keep-alive", "naive keep-alive", "fresh connection", "POST 64 KiB", "slow POST 2 MB", "5 s response", "5 s stream"} {
		if len(record.Of(name)) == 0 {
			t.Errorf("no request of kind %q", name)
		}
	}
}

// footprint is what a proxy, and this process as the one that switches it, have and
// hold while nobody asks anything.
type footprint struct {
	files, processes, descriptors, goroutines int
	proxyKB, ownKB                            int // resident; live on the heap
}

func measure(t *testing.T, p *proxytest.Proxy) footprint {
	t.Helper()
	var f footprint
	_ = filepath.WalkDir(p.Dir, func(_ string, entry fs.DirEntry, err error) error {
		if err == nil && !entry.IsDir() { // an nginx makes folders for its temporary files
			f.files++
		}
		return nil
	})
	for _, pid := range p.Processes() {
		f.processes++
		f.descriptors += descriptors(fmt.Sprint(pid))
		f.proxyKB += resident(pid)
	}
	f.descriptors += descriptors("self")
	f.goroutines = runtime.NumGoroutine()
	runtime.GC()
	var memory runtime.MemStats
	runtime.ReadMemStats(&memory)
	f.ownKB = int(memory.HeapAlloc >> 10)
	return f
}

func descriptors(process string) int {
	open, _ := os.ReadDir("/proc/" + process + "/fd")
	return len(open)
}

// resident is the memory of a process in KiB, as statm has it in pages.
func resident(pid int) int {
	text, _ := os.ReadFile(fmt.Sprintf("/proc/%d/statm", pid))
	if fields := strings.Fields(string(text)); len(fields) > 1 {
		pages, _ := strconv.Atoi(fields[1])
		return pages * os.Getpagesize() >> 10
	}
	return 0
}

// leaksNothing wants no more to be there than before, but for what does not grow with
// the number of switches: some connections that are kept, some memory in reserve.
func leaksNothing(t *testing.T, p *proxytest.Proxy, before footprint, switches int) {
	t.Helper()
	slack := 64 + switches/20
	proxytest.Await(t, func() error { // the last connections close
		if after := measure(t, p); after.descriptors > before.descriptors+slack || after.goroutines > before.goroutines+slack {
			return fmt.Errorf("%+v before, %+v after", before, after)
		}
		return nil
	})
	after := measure(t, p)
	t.Logf("before: %+v", before)
	t.Logf("after:  %+v", after)
	if after.files > before.files || after.processes != before.processes {
		t.Error("files or processes are left over")
	}
	if after.proxyKB > before.proxyKB*5/4+4<<10 || after.ownKB > before.ownKB*5/4+4<<10 {
		t.Error("memory grows")
	}
}
