package pipeline

import (
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/org/deploy-action/internal/event"
	"github.com/org/deploy-action/internal/plan"
)

// TestTextsAreTheLines writes lines of all lengths in pieces of all sizes and puts
// together what was told.
func TestTextsAreTheLines(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 15 {
		var want []string
		for range 1 + r.IntN(400) {
			length := []int{0, 0, 1, 7, 100, 3000, maxText - 1, maxText, maxText + 1, 3 * maxText}[min(r.IntN(10), r.IntN(10))]
			want = append(want, strings.Repeat("x", length))
		}
		var got []string
		l := newLog(&run{Options: Options{LogDir: t.TempDir(), Emit: func(e event.Event) {
			if len(e.Output.Text) > maxText {
				t.Errorf("%d bytes told at once", len(e.Output.Text))
			}
			got = append(got, strings.Split(e.Output.Text, "\n")...)
		}}}, &plan.Stage{Name: "a"})
		for rest := strings.Join(want, "\n") + "\n"; rest != ""; {
			n := min(len(rest), 1+r.IntN(200_000))
			_, _ = l.Write([]byte(rest[:n]))
			rest = rest[n:]
		}
		l.flush()
		l.close()
		if !same(want, got) {
			t.Fatalf("told %d lines, want %d: %v, %v", len(got), len(want), lengths(got), lengths(want))
		}
		for i, line := range want {
			want[i] = shortened(line)
		}
		if tail := l.tail.lines(); !slices.Equal(tail, want[max(0, len(want)-tailLines):]) {
			t.Errorf("the tail has %v, want the last of %v", lengths(tail), lengths(want))
		}
	}
}

// same reports whether got is want, where a line longer than maxText may come in
// pieces.
func same(want, got []string) bool {
	for _, line := range want {
		if len(got) == 0 {
			return false
		}
		for len(got[0]) < len(line) {
			if got[0] != line[:len(got[0])] || len(line) <= maxText && got[0] == "" || len(got) == 1 {
				return false
			}
			line, got = line[len(got[0]):], got[1:]
		}
		if got[0] != line {
			return false
		}
		got = got[1:]
	}
	return len(got) == 0
}

func lengths(lines []string) []int {
	all := make([]int, len(lines))
	for i, line := range lines {
		all[i] = len(line)
	}
	return all
}
