package spec

import (
	"fmt"

	"github.com/agext/levenshtein"
)

// farthest is how many edits a typo may be away from what was meant.
const farthest = 2

// nearest returns the one of names that name is most likely a typo of, or "".
func nearest(name string, names []string) string {
	best, at := "", min(farthest, len(name)/2)
	for _, candidate := range names {
		distance := edits(name, candidate)
		if distance < at || distance == at && best == "" {
			best, at = candidate, distance
		}
	}
	return best
}

// Nearest returns the one of names that name is most likely a typo of, or "".
func Nearest(name string, names []string) string { return nearest(name, names) }

// didYouMean is the sentence that offers the nearest of names, with a space in
// front, or "".
func didYouMean(name string, names []string) string {
	if near := nearest(name, names); near != "" {
		return fmt.Sprintf(" Did you mean %q?", near)
	}
	return ""
}

// edits counts what turns a into b: letters put in, left out or exchanged, and
// two neighbours swapped, which counts once.
func edits(a, b string) int {
	for i := 0; len(a) == len(b) && i+1 < len(a); i++ {
		if a[i] != b[i] {
			if a[:i]+a[i+1:i+2]+a[i:i+1]+a[i+2:] == b {
				return 1
			}
			break
		}
	}
	return levenshtein.Distance(a, b, nil)
}
