package console

import (
	"strings"
	"unicode"

	"golang.org/x/text/width"
)

// columns is how wide a text stands on a terminal that goes by characters, as
// wcwidth(3) does.
func columns(text string) int {
	n := 0
	for _, r := range text {
		n += runeColumns(r)
	}
	return n
}

func runeColumns(r rune) int {
	switch {
	case r < 0x300 && r != 0xad:
		return 1
	case unicode.In(r, unicode.Mn, unicode.Me, unicode.Cf) && r != 0xad:
		return 0 // stands on the character before it, or is not seen
	}
	switch width.LookupRune(r).Kind() {
	case width.EastAsianWide, width.EastAsianFullwidth:
		return 2
	}
	return 1
}

// pad is text filled up to n columns.
func pad(text string, n int) string {
	return text + strings.Repeat(" ", max(0, n-columns(text)))
}

// cut is text of at most n columns, the last of them "…" where it was wider.
func cut(text string, n int) string {
	used, end := 0, 0
	for i, r := range text {
		if used < n {
			end = i // what is before leaves a column
		}
		if used += runeColumns(r); used > n {
			return text[:end] + "…"
		}
	}
	return text
}
