package pipeline_test

import (
	"crypto/sha256"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/org/deploy-action/internal/event"
	"github.com/org/deploy-action/internal/pipeline"
	"github.com/org/deploy-action/internal/secret"
)

// flood is a script that puts out 32 MiB of lines, some of them long, and none
// of them the same.
const flood = `seq -f '%09.0f the quick brown fox jumps over the lazy dog' 1 550000; head -c 750000 /dev/zero | sed 's/\x0/é/g'; echo; seq 1 250000`

// TestAFloodLosesNothing compares the log and what listeners were told with what
// the script puts out, and looks at the memory that takes.
func TestAFloodLosesNothing(t *testing.T) {
	b := newBench(t)
	b.Masker = secret.New([]string{"a-token-that-never-comes", "000000007 the quick brown fox jumps"})
	told, times, most := sha256.New(), 0, int64(0)
	b.Emit = event.Fan(func(e event.Event) {
		if e.Kind != event.StageOutput {
			b.listen(e)
			return
		}
		if len(e.Output.Text) > 64<<10 {
			t.Errorf("%d bytes were told at once", len(e.Output.Text))
		}
		_, _ = io.WriteString(told, strings.ReplaceAll(e.Output.Text, "\n", "")) // long lines come in pieces
		if times++; times%64 == 0 {
			most = max(most, heap())
		}
	})
	before := heap()
	if got := pipeline.Run(t.Context(), planOf(stage(1, "flood", flood)), b.Options); got.Outcome != event.Succeeded {
		t.Fatalf("%+v", got)
	}
	want, err := exec.Command("bash", "-c", "("+flood+") | sed 's/^000000007 the quick brown fox jumps/***/'").Output()
	if err != nil {
		t.Fatal(err)
	}
	log, err := os.ReadFile(filepath.Join(b.LogDir, "flood.log"))
	if err != nil || sha256.Sum256(log) != sha256.Sum256(want) {
		t.Errorf("%v: the log has %d bytes, of %d, or others", err, len(log), len(want))
	}
	if sum := sha256.Sum256([]byte(strings.ReplaceAll(strings.ToValidUTF8(string(want), "\uFFFD"), "\n", ""))); fmt.Sprintf("%x", told.Sum(nil)) != fmt.Sprintf("%x", sum) {
		t.Error("listeners were told something else")
	}
	if grown := most - before; grown > 24<<20 {
		t.Errorf("the heap grew by %d MiB", grown>>20)
	}
}

// heap is how much is in use.
func heap() int64 {
	runtime.GC()
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	return int64(stats.HeapAlloc)
}

func TestTheBeginningOfALineIsToldSoon(t *testing.T) {
	b := newBench(t)
	s := stage(1, "ask", `printf 'Continue? '; until [ -e yes ]; do sleep 0.01; done; echo; printf 'a\rb'; until [ -e more ]; do sleep 0.01; done; echo c; echo d`)
	ended := make(chan event.Result)
	go func() { ended <- pipeline.Run(t.Context(), planOf(s), b.Options) }()
	b.await(t, "ask", "Continue? ")
	touch(t, filepath.Join(b.dir, "yes"))
	b.await(t, "ask", "a\rb")
	touch(t, filepath.Join(b.dir, "more"))
	if got := <-ended; got.Outcome != event.Succeeded {
		t.Fatalf("%+v", got)
	}
	if want := []string{"Continue? ", "a\rb", "c", "d"}; fmt.Sprint(b.lines("ask")) != fmt.Sprint(want) {
		t.Errorf("told %q, want %q", b.lines("ask"), want)
	}
}

func touch(t *testing.T, path string) {
	t.Helper()
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
}
