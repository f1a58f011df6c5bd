package spec

import (
	"strings"

	"github.com/apparentlymart/go-textseg/v15/textseg"
)

// offset is where the column of a line begins, in bytes. Columns count grapheme
// clusters from 1, as HCL does.
func offset(line string, column int) int {
	at, rest := 0, []byte(line)
	for ; column > 1 && len(rest) > 0; column-- {
		advance, _, err := textseg.ScanGraphemeClusters(rest, true)
		if err != nil || advance == 0 {
			break
		}
		at, rest = at+advance, rest[advance:]
	}
	return at
}

// width counts the grapheme clusters of s.
func width(s string) int {
	n := 0
	for rest := []byte(s); len(rest) > 0; n++ {
		advance, _, err := textseg.ScanGraphemeClusters(rest, true)
		if err != nil || advance == 0 {
			break
		}
		rest = rest[advance:]
	}
	return n
}

// indent is white space as wide as s, with its tabs.
func indent(s string) string {
	tabs := strings.Count(s, "\t")
	if tabs == 0 {
		return strings.Repeat(" ", width(s))
	}
	return strings.Repeat("\t", tabs) + strings.Repeat(" ", width(s)-tabs)
}
