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
		distance := levenshtein.Distance(name, candidate, nil)
		if distance < at || distance == at && best == "" {
			best, at = candidate, distance
		}
	}
	return best
}

// didYouMean is the sentence that offers the nearest of names, with a space in
// front, or "".
func didYouMean(name string, names []string) string {
	if near := nearest(name, names); near != "" {
		return fmt.Sprintf(" Did you mean %q?", near)
	}
	return ""
}
