package metrics

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/org/deploy-action/internal/machine"
)

func TestSampleOfThisMachine(t *testing.T) {
	m := machine.NewLocal("here")
	defer m.Close()
	s, err := New().On(t.Context(), m, Request{Window: Shortest, Paths: []string{"/", "/no/such/folder", "/proc/self"}})
	if err != nil {
		t.Fatal(err)
	}
	if s.Cores < 1 || s.Window < Shortest || s.CPU < 0 || s.CPU > 100 || s.Uptime <= 0 {
		t.Errorf("processors: %+v", s)
	}
	if m := s.Memory; m.Size <= 0 || m.Free <= 0 || m.Free >= m.Size || m.Used < 1 || m.Used > 100 {
		t.Errorf("memory: %+v", m)
	}
	var paths []string
	for _, d := range s.Disks {
		paths = append(paths, d.Path)
	}
	if want := []string{"/", "/proc"}; !slices.Equal(paths, want) {
		t.Errorf("disks: %q, want %q", paths, want)
	}
	if d := s.Disks[0]; d.Size <= 0 || d.Free <= 0 || d.Free >= d.Size || d.Used < 1 {
		t.Errorf("disk: %+v", d)
	}
}

// A file system is what df says it is.
func TestDiskIsWhatDfSays(t *testing.T) {
	output, err := exec.Command("df", "-B1", "--output=target,size,pcent,ipcent", t.TempDir()).Output()
	if err != nil {
		t.Skip("df of this system is another: ", err)
	}
	lines := strings.Split(strings.TrimSpace(string(output)), "\n")
	fields := strings.Fields(lines[len(lines)-1])
	all, err := disks([]string{t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	d := all[0]
	if d.Path != fields[0] || d.Size != number(t, fields[1]) {
		t.Errorf("%+v, df says %q", d, fields)
	}
	// Others write to the disk as well.
	if off := int64(d.Used) - number(t, strings.TrimSuffix(fields[2], "%")); off < -1 || off > 1 {
		t.Errorf("%d %% used, df says %s", d.Used, fields[2])
	}
	if off := int64(d.Inodes) - number(t, strings.TrimSuffix(fields[3], "%")); off < -1 || off > 1 {
		t.Errorf("%d %% of inodes used, df says %s", d.Inodes, fields[3])
	}
}

func number(t *testing.T, text string) (n int64) {
	t.Helper()
	for _, digit := range text {
		if digit < '0' || digit > '9' {
			t.Fatalf("%q is no number", text)
		}
		n = n*10 + int64(digit-'0')
	}
	return n
}

// A run does not wait for its figures; the CPU is told once there is time to tell.
func TestSampleWithoutWindowDoesNotWait(t *testing.T) {
	m := machine.NewLocal("here")
	defer m.Close()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := New().Do(ctx, machine.At{}, Request{Window: time.Hour}); !errors.Is(err, context.Canceled) {
		t.Errorf("a sample that nobody waits for: %v", err)
	}
	s, err := measure(nil, time.Now(), ticks{})
	if err != nil || s.Window != 0 || s.CPU != 0 {
		t.Errorf("after no time: %+v, %v", s, err)
	}
	s, err = measure(nil, time.Now().Add(-time.Minute), ticks{})
	if err != nil || s.Window < time.Minute || s.CPU == 0 {
		t.Errorf("after a minute: %+v, %v", s, err)
	}
}

func TestTicks(t *testing.T) {
	for text, want := range map[string]ticks{
		"cpu  100 20 30 800 50 1 2 3 7 7\ncpu0 1 1 1 1\n": {busy: 156, total: 1006},
		"cpu 1 1 1 7": {busy: 3, total: 10},
	} {
		if got, err := parseTicks([]byte(text)); err != nil || got != want {
			t.Errorf("%q: %+v, %v, want %+v", text, got, err, want)
		}
	}
	for _, text := range []string{"", "cpu", "intr 1 2 3 4 5", "cpu a b c d"} {
		if got, err := parseTicks([]byte(text)); err == nil {
			t.Errorf("%q: %+v", text, got)
		}
	}
}

func TestMemory(t *testing.T) {
	var s Sample
	err := takeMemory(&s, []byte("MemTotal:       1000 kB\nMemFree: 10 kB\nMemAvailable:    250 kB\nHugePages_Total: 0\n"))
	if want := (Memory{Size: 1000 << 10, Free: 250 << 10, Used: 75}); err != nil || s.Memory != want {
		t.Errorf("%+v, %v", s.Memory, err)
	}
	if err := takeMemory(&s, []byte("nothing\n")); err == nil {
		t.Error("nothing was taken for memory")
	}
}

func TestPercentIsRoundedUp(t *testing.T) {
	for _, c := range []struct {
		part, whole int64
		want        int
	}{{0, 10, 0}, {1, 1000, 1}, {80, 100, 80}, {801, 1000, 81}, {11, 10, 100}, {1, 0, 0}, {-5, 10, 0}} {
		if got := percent(c.part, c.whole); got != c.want {
			t.Errorf("%d of %d: %d, want %d", c.part, c.whole, got, c.want)
		}
	}
}

func TestAdviceBeginsPastEighty(t *testing.T) {
	s := Sample{CPU: 80, Memory: Memory{Used: 80}, Disks: []Disk{{Path: "/", Used: 80, Inodes: 80}}}
	if got := s.Advice(); len(got) != 0 {
		t.Errorf("at 80 %%: %q", got)
	}
	s = Sample{CPU: 81, Memory: Memory{Used: 81}, Disks: []Disk{{Path: "/", Used: 81}, {Path: "/srv", Inodes: 81}}}
	if got := s.Advice(); len(got) != 4 || !strings.HasPrefix(got[3], "/srv has used 81 %") {
		t.Errorf("past 80 %%: %q", got)
	}
}

// A path that is not there yet is measured where it will be, also through a link.
func TestPathThatIsNotThere(t *testing.T) {
	dir := t.TempDir()
	if err := os.Symlink("/proc", filepath.Join(dir, "link")); err != nil {
		t.Fatal(err)
	}
	got, err := mountPoint(filepath.Join(dir, "link", "not", "there"))
	if err != nil || got != "/proc" {
		t.Errorf("%s, %v", got, err)
	}
}
