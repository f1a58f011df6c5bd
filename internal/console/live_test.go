package console_test

import (
	"fmt"
	"io"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/charmbracelet/x/vt"

	"github.com/org/deploy-action/internal/console"
	"github.com/org/deploy-action/internal/event"
)

// screen is a terminal that nobody looks at.
type screen struct {
	*vt.Emulator
	mu     sync.Mutex // its size changes while frames are drawn
	frames atomic.Int64
}

func newScreen(columns, rows int) *screen { return &screen{Emulator: vt.NewEmulator(columns, rows)} }

func (s *screen) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.frames.Add(1)
	return s.Emulator.Write(p)
}

func (s *screen) size() (columns, rows int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.Width(), s.Height()
}

func (s *screen) resize(columns, rows int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.Resize(columns, rows)
}

// from is what stands on row y and below it.
func (s *screen) from(y int) string {
	var rows []string
	for ; y < s.Height(); y++ {
		var row strings.Builder
		for x := range s.Width() {
			if cell := s.CellAt(x, y); cell != nil {
				row.WriteString(cell.Content)
			}
		}
		rows = append(rows, strings.TrimRight(row.String(), " "))
	}
	return strings.TrimRight(strings.Join(rows, "\n"), "\n") + "\n"
}

// region is what is drawn in place: the cursor rests where it begins.
func (s *screen) region() string { return s.from(s.CursorPosition().Y) }

// all is what can be seen and what has scrolled away.
func (s *screen) all() string {
	var b strings.Builder
	for y := range s.ScrollbackLen() {
		for x := range s.Width() {
			if cell := s.ScrollbackCellAt(x, y); cell != nil {
				b.WriteString(cell.Content)
			}
		}
		b.WriteByte('\n')
	}
	return b.String() + s.from(0)
}

// checkLeft sees that the terminal was left as it was found.
func (s *screen) checkLeft(t *testing.T) {
	t.Helper()
	if at := s.CursorPosition(); at.X != 0 || strings.TrimSpace(s.region()) != "" || s.CursorHidden() {
		t.Errorf("the cursor was left at %v, hidden %v, on %q", at, s.CursorHidden(), s.region())
	}
}

// watch plays a recording on a terminal, in its own time, and tells what is
// drawn in place before each event that lets time pass, then all that is left.
func watch(t *testing.T, recording string, s *screen) string {
	var seen strings.Builder
	events := read(t, recording)
	c := console.New(s, console.Options{Colour: true, Terminal: s.size})
	time.Sleep(50 * time.Millisecond) // between two frames
	began := events[0].Time
	last := began
	for _, e := range events {
		if wait := e.Time.Sub(last); wait > 0 {
			time.Sleep(wait)
			synctest.Wait()
			fmt.Fprintf(&seen, "── %s ──\n%s", e.Time.Sub(began), s.region())
		}
		last = e.Time
		c.Event(e)
	}
	if err := c.Close(); err != nil {
		t.Error(err)
	}
	fmt.Fprintf(&seen, "── left ──\n%s", s.all())
	return seen.String()
}

func TestLiveRuns(t *testing.T) {
	recordings, err := filepath.Glob("testdata/*.jsonl")
	if err != nil || len(recordings) == 0 {
		t.Fatal(recordings, err)
	}
	for _, recording := range recordings {
		golden := strings.TrimSuffix(recording, ".jsonl") + ".live.txt"
		t.Run(filepath.Base(golden), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newScreen(72, 14)
				compare(t, golden, watch(t, recording, s))
				s.checkLeft(t)
			})
		})
	}
}

// inTime runs do where time passes only when everybody waits.
func inTime(t *testing.T, s *screen, do func(c *console.Console)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		c := console.New(s, console.Options{Colour: true, Terminal: s.size})
		time.Sleep(50 * time.Millisecond) // between two frames
		do(c)
		if err := c.Close(); err != nil {
			t.Error(err)
		}
		s.checkLeft(t)
	})
}

// pass lets time pass and the frames of it be drawn.
func pass(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

func stages(names ...string) event.Event {
	about := &event.Run{Command: "run", Pipeline: "release", Spec: "deploy.hcl", ID: "r1"}
	for _, name := range names {
		about.Stages = append(about.Stages, event.Stage{Name: name, Body: "run"})
	}
	return event.Event{Kind: event.RunStarted, Run: about}
}

func started(name string) event.Event { return event.Event{Kind: event.StageStarted, Stage: name} }

func said(name, text string) event.Event {
	return event.Event{Kind: event.StageOutput, Stage: name, Output: &event.Output{Text: text}}
}

func succeeded(name string) event.Event {
	return event.Event{Kind: event.StageFinished, Stage: name, Result: &event.Result{Outcome: event.Succeeded, Attempts: 1}}
}

func TestManyStagesCostNoFrames(t *testing.T) {
	s := newScreen(80, 24)
	s.SetScrollbackSize(10_000)
	inTime(t, s, func(c *console.Console) {
		c.Event(stages())
		for i := range 5000 {
			name := fmt.Sprintf("stage-%d", i)
			c.Event(started(name))
			c.Event(said(name, "done"))
			c.Event(succeeded(name))
		}
		if n := s.frames.Load(); n != 0 {
			t.Errorf("%d frames were drawn by events", n)
		}
		pass(time.Second)
	})
	if lines := strings.Count(s.all(), "✓ stage-"); lines != 5000 || s.frames.Load() > 12 {
		t.Errorf("%d of 5000 stages told in %d frames", lines, s.frames.Load())
	}
}

func TestOnlyTheClockIsDrawnWhereNothingHappens(t *testing.T) {
	s := newScreen(80, 24)
	inTime(t, s, func(c *console.Console) {
		c.Event(stages("build"))
		pass(10 * time.Second)
		if n := s.frames.Load(); n > 12 {
			t.Errorf("%d frames in 10 s of waiting", n)
		}
		c.Event(started("build"))
		c.Event(said("build", strings.Repeat("x", 500)))
		s.frames.Store(0)
		pass(10 * time.Second)
		if n := s.frames.Load(); n > 101 {
			t.Errorf("%d frames in 10 s with a stage that runs", n)
		}
	})
}

// wall is a terminal that takes nothing until it is opened.
type wall struct {
	*screen
	open chan struct{}
}

func (w *wall) Write(p []byte) (int, error) {
	<-w.open
	return w.screen.Write(p)
}

func TestAStalledTerminalHoldsNobodyUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &wall{newScreen(80, 24), make(chan struct{})}
		c := console.New(w, console.Options{Terminal: w.size})
		began := time.Now()
		for i := range 1000 {
			c.Event(started(fmt.Sprint("a", i)))
			c.Event(succeeded(fmt.Sprint("a", i)))
			if i == 500 {
				pass(time.Second) // into a frame that is not taken
			}
		}
		if took := time.Since(began); took > time.Second {
			t.Errorf("events took %s", took-time.Second)
		}
		close(w.open)
		if err := c.Close(); err != nil || strings.Count(w.all(), "✓ a") != 1000 {
			t.Errorf("Close() = %v; left:\n%s", err, w.all())
		}
	})
}

func TestTheRegionFollowsTheTerminalsSize(t *testing.T) {
	s := newScreen(80, 24)
	names := strings.Fields("build lint test docs audit images sbom licences")
	inTime(t, s, func(c *console.Console) {
		c.Event(stages(names...))
		for _, name := range names {
			c.Event(started(name))
			c.Event(said(name, strings.Repeat("long ", 50)))
		}
		for _, size := range [][2]int{{80, 24}, {30, 24}, {30, 5}, {10, 3}, {1, 1}, {200, 50}} {
			s.resize(size[0], size[1])
			pass(time.Second)
			rows := strings.Split(strings.TrimSpace(s.region()), "\n")
			if len(rows) > max(size[1]-1, 1) || !strings.HasPrefix(rows[len(rows)-1], "0/8 stages"[:min(10, max(size[0]-2, 0))]) {
				t.Errorf("at %v:\n%s", size, s.region())
			}
		}
		c.Event(succeeded("build"))
	})
	if got := strings.TrimSpace(s.from(0)); !strings.HasSuffix(got, "✓ build         0 ms") {
		t.Errorf("left:\n%s", got)
	}
}

func TestNothingIsDrawnForSomebodyElse(t *testing.T) {
	s := newScreen(80, 24)
	var rows atomic.Int64
	rows.Store(24)
	synctest.Test(t, func(t *testing.T) {
		c := console.New(s, console.Options{Terminal: func() (int, int) { return 80, int(rows.Load()) }})
		c.Event(stages("build", "test"))
		c.Event(started("build"))
		pass(time.Second)
		c.Away(func() {
			s.checkLeft(t)
			c.Event(succeeded("build"))
			pass(time.Second)
			s.checkLeft(t)
		})
		rows.Store(0) // in the background
		pass(time.Second)
		s.checkLeft(t)
		if !strings.Contains(s.all(), "✓ build") {
			t.Errorf("not told:\n%s", s.all())
		}
		rows.Store(24)
		pass(time.Second)
		if !strings.HasPrefix(s.region(), "1/2 stages") {
			t.Errorf("not drawn again:\n%s", s.all())
		}
		if err := c.Close(); err != nil {
			t.Error(err)
		}
		s.checkLeft(t)
	})
}

func TestVerboseAndQuietDrawNothing(t *testing.T) {
	for name, options := range map[string]console.Options{"verbose": {Verbose: true}, "quiet": {Quiet: true}} {
		t.Run(name, func(t *testing.T) {
			plain := show(t, "testdata/fleet.jsonl", options)
			options.Terminal = func() (int, int) { return 80, 24 }
			compareText(t, plain, show(t, "testdata/fleet.jsonl", options))
			if strings.Contains(plain, "\x1b") {
				t.Errorf("%q", plain)
			}
		})
	}
}

func TestARegionWithoutColour(t *testing.T) {
	var out strings.Builder
	synctest.Test(t, func(t *testing.T) {
		c := console.New(&out, console.Options{Terminal: func() (int, int) { return 80, 24 }})
		c.Event(stages("build"))
		c.Event(started("build"))
		pass(time.Second)
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	})
	if !strings.Contains(out.String(), "build       0 s\x1b[K") || colour.MatchString(out.String()) {
		t.Errorf("%q", out.String())
	}
}

func TestTheNameOfATaskIsHarmless(t *testing.T) {
	s := newScreen(40, 12)
	inTime(t, s, func(c *console.Console) {
		const name = "a\x1b[2Jb"
		about := &event.Run{Command: "task", Stages: []event.Stage{{Name: name, Body: "task", Servers: []string{"web1"}}}}
		c.Event(event.Event{Kind: event.RunStarted, Run: about})
		c.Event(started(name))
		pass(150 * time.Millisecond)
		if rows := strings.Split(strings.TrimSpace(s.region()), "\n"); len(rows) != 2 || rows[1] != "task ab, 0 s" {
			t.Errorf("%q", rows)
		}
	})
}

// ours are the sequences that the region is drawn with.
var ours = regexp.MustCompile(`\x1b\[(?:[0-9]+A|J|K|\?(?:7|25|2026)[hl])|\r\n|\r`)

func FuzzForeignTextOnATerminal(f *testing.F) {
	f.Add("\x1b[2J\x1b[?1049h\x1b]0;title\a\r\n日本語\u0301\u200d👩‍🚀\t\u009b5A\x1b[999C")
	f.Add(strings.Repeat("字", 100))
	f.Add("\x1b\u009b1A")
	f.Add(strings.Repeat("❤\ufe0f", 40)) // wider than it is by its characters
	f.Fuzz(func(t *testing.T, text string) {
		text = strings.ToValidUTF8(text, "?")
		s := newScreen(40, 12)
		var raw strings.Builder
		synctest.Test(t, func(t *testing.T) {
			c := console.New(io.MultiWriter(s, &raw), console.Options{Colour: true, Terminal: s.size})
			during, after := foreign(text)
			for _, e := range during {
				c.Event(e)
			}
			pass(150 * time.Millisecond)
			rows := strings.Split(strings.TrimSuffix(s.region(), "\n"), "\n")
			if len(rows) != 3 || rows[2] != "0/1 stages, 1 running, 0 s" {
				t.Errorf("%q", rows)
			}
			for _, e := range after {
				c.Event(e)
			}
			pass(150 * time.Millisecond)
			if err := c.Close(); err != nil {
				t.Error(err)
			}
			s.checkLeft(t)
		})
		checkHarmless(t, ours.ReplaceAllString(raw.String(), "\n"), console.Options{})
	})
}
