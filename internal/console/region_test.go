package console

import (
	"strings"
	"testing"

	"github.com/charmbracelet/x/vt"
)

// shown is what a terminal of 20 × 6 shows from the cursor's row on, after it
// was given each of the frames.
func shown(s *vt.Emulator, frames ...[]byte) string {
	for _, frame := range frames {
		s.Write(frame)
	}
	rows := strings.Split(s.String(), "\n")[s.CursorPosition().Y:]
	return strings.TrimRight(strings.Join(rows, "|"), "| ")
}

func TestARowThatIsTooWideStaysInItsRow(t *testing.T) {
	var g region
	s := vt.NewEmulator(20, 6)
	shown(s, g.frame(nil, []string{strings.Repeat("x", 50), "total"}, 20, 6))
	if rows := strings.Fields(s.String()); len(rows) != 2 || rows[1] != "total" {
		t.Errorf("shown: %q", rows)
	}
	if got := shown(s, g.frame([]byte(strings.Repeat("y", 25)+"\n"), nil, 20, 6)); got != "" || !strings.Contains(s.String(), strings.Repeat("y", 20)+"\nyyyyy") {
		t.Errorf("a line that scrolls up is broken nowhere or left something: %q, %q", got, s.String())
	}
}

func TestARegionIsDrawnAnewAtAnotherSize(t *testing.T) {
	var g region
	s := vt.NewEmulator(20, 6)
	rows := []string{"one", "two", "total"}
	shown(s, g.frame(nil, rows, 20, 6))
	s.WriteString("\x1b[J\r\nlost\x1b[1A\r") // what the terminal made of it
	if got := shown(s, g.frame(nil, rows, 20, 5)); got != "one|two|total" {
		t.Errorf("shown: %q", got)
	}
}

func TestARegionThatShrinksLeavesNothing(t *testing.T) {
	var g region
	s := vt.NewEmulator(20, 6)
	if got := shown(s, g.frame(nil, []string{"one", "two", "total"}, 20, 6), g.frame(nil, []string{"total"}, 20, 6)); got != "total" {
		t.Errorf("shown: %q", got)
	}
	if frame := g.frame(nil, []string{"total"}, 20, 6); frame != nil {
		t.Errorf("drawn again: %q", frame)
	}
}
