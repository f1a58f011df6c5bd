package console

import (
	"bytes"
	"fmt"
	"slices"
)

// The control sequences that a region is drawn with: those of ECMA-48 and
// private modes (DEC) that a terminal passes over where it doesn't know them.
const (
	eraseLine  = "\x1b[K"      // from the cursor on
	eraseBelow = "\x1b[J"      // from the cursor on
	wrapOff    = "\x1b[?7l"    // what is too wide stays in its row
	wrapOn     = "\x1b[?7h"    //
	hideCursor = "\x1b[?25l"   //
	showCursor = "\x1b[?25h"   //
	beginFrame = "\x1b[?2026h" // show nothing
	endFrame   = "\x1b[?2026l" // until here
)

// region is the part at the bottom of a terminal that is drawn again and again.
// Between frames the cursor rests on its first character. Terminals keep the
// cursor with the text it stands on when their size changes, so everything from
// there on is ours to erase, whatever has become of the rows; a count of rows
// to go up would be wrong wherever the terminal has broken them anew.
type region struct {
	rows          []string // on the terminal now
	width, height int      // of the terminal they were drawn on
}

// frame is what brings the terminal from what it shows to above, which scrolls
// up, and rows, which stand below. It is empty when that is what it shows. No
// row may be wider than the terminal, less one column, and above ends its last
// line.
func (g *region) frame(above []byte, rows []string, width, height int) []byte {
	fresh := len(above) > 0 || width != g.width || height != g.height
	if !fresh && slices.Equal(rows, g.rows) || len(above)+len(rows)+len(g.rows) == 0 {
		return nil
	}
	var b bytes.Buffer
	b.WriteString(beginFrame + "\r") // a key that was pressed may have left its echo
	if len(g.rows) == 0 && len(rows) > 0 {
		b.WriteString(hideCursor)
	}
	if len(above) > 0 && len(g.rows) > 0 {
		b.WriteString(eraseBelow)
	}
	b.Write(bytes.ReplaceAll(above, []byte("\n"), []byte("\r\n")))
	if len(rows) > 0 {
		g.draw(&b, rows, fresh)
	}
	if len(g.rows) > 0 && len(rows) == 0 {
		b.WriteString(eraseBelow + showCursor)
	}
	b.WriteString(endFrame)
	g.rows, g.width, g.height = rows, width, height
	return b.Bytes()
}

// draw writes those rows that are not on the terminal yet, or all of them where
// it may show something else in their place.
func (g *region) draw(b *bytes.Buffer, rows []string, fresh bool) {
	b.WriteString(wrapOff)
	last := len(rows) - 1
	for i, row := range rows {
		if i > 0 {
			b.WriteString("\r\n")
		}
		if fresh || i == last || i >= len(g.rows) || g.rows[i] != row {
			b.WriteString(row + eraseLine)
		}
	}
	b.WriteString(eraseBelow + wrapOn + "\r")
	if last > 0 {
		fmt.Fprintf(b, "\x1b[%dA", last)
	}
}
