package artifact

import (
	"fmt"
	"slices"
	"strings"

	"github.com/bmatcuk/doublestar/v4"
)

// Folders that no general pattern takes.
const (
	gitName = ".git"     // taken where a pattern names it
	ownName = ".turnout" // never taken
)

// patterns say which paths of a workspace an artifact takes.
type patterns struct {
	takes, leaves []string
}

// compile sorts globs; those that begin with "!" leave out.
func compile(globs []string) (patterns, error) {
	var p patterns
	for _, glob := range globs {
		bare, leaves := strings.CutPrefix(glob, "!")
		switch {
		case !doublestar.ValidatePattern(bare):
			return patterns{}, fmt.Errorf("%q is not a glob", glob)
		case leaves:
			p.leaves = append(p.leaves, bare)
		default:
			p.takes = append(p.takes, bare)
		}
	}
	return p, nil
}

// take reports whether a pattern matches the path itself. What lies in a folder
// that is taken is taken with it.
func (p patterns) take(name string) bool { return matches(p.takes, name) }

// leave reports whether a path is left out, with all that lies in it.
func (p patterns) leave(name string) bool { return matches(p.leaves, name) }

func matches(globs []string, name string) bool {
	return slices.ContainsFunc(globs, func(glob string) bool { return doublestar.MatchUnvalidated(glob, name) })
}

// reach reports whether something below the folder can match. It may say yes for
// nothing, and never no by mistake.
func (p patterns) reach(folder string) bool {
	return slices.ContainsFunc(p.takes, func(glob string) bool { return reaches(glob, folder) })
}

func reaches(glob, folder string) bool {
	if strings.ContainsAny(glob, `{[\`) { // may have slashes that part nothing
		return true
	}
	elements := strings.Split(glob, "/")
	for i, name := range strings.Split(folder, "/") {
		switch {
		case i == len(elements):
			return false
		case elements[i] == "**":
			return true
		case !doublestar.MatchUnvalidated(elements[i], name):
			return false
		}
	}
	return true
}

// naming are the patterns that have name as an element.
func (p patterns) naming(name string) patterns {
	named := patterns{leaves: p.leaves}
	for _, glob := range p.takes {
		if slices.Contains(strings.FieldsFunc(glob, func(c rune) bool { return strings.ContainsRune("/{,}", c) }), name) {
			named.takes = append(named.takes, glob)
		}
	}
	return named
}

// through reports whether a pattern spells out a path below name.
func (p patterns) through(name string) bool {
	return slices.ContainsFunc(p.takes, func(glob string) bool { return strings.HasPrefix(glob, name+"/") })
}
