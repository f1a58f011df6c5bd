package artifact

import (
	"math/rand/v2"
	"path"
	"strings"
	"testing"
)

// TestReach holds that a walk goes into no folder for nothing, where that can be
// told.
func TestReach(t *testing.T) {
	for glob, test := range map[string]struct{ into, past []string }{
		"dist":            {nil, []string{"src", "dist/sub"}},
		"a/b/*.js":        {[]string{"a", "a/b"}, []string{"b", "a/c", "a/b/c"}},
		"*/dist/**/*.map": {[]string{"web", "web/dist", "web/dist/x/y"}, []string{"web/node_modules"}},
		"**/x":            {[]string{"a", "a/b/c"}, nil},
		"{a,b/c}/d":       {[]string{"a", "b", "b/c"}, nil},
	} {
		for _, folder := range test.into {
			if !reaches(glob, folder) {
				t.Errorf("%s: not into %s", glob, folder)
			}
		}
		for _, folder := range test.past {
			if reaches(glob, folder) {
				t.Errorf("%s: into %s", glob, folder)
			}
		}
	}
}

// TestReachMissesNothing holds that the walk gets to whatever a glob matches.
func TestReachMissesNothing(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	word := func(words ...string) string {
		var all []string
		for range 1 + r.IntN(5) {
			all = append(all, words[r.IntN(len(words))])
		}
		return strings.Join(all, "/")
	}
	matched := 0
	for range 200_000 {
		glob := word("a", "b", "*", "?", "**", "a*", "[ab]", "{a,b}", "{a/b,b}", "[^/]", `\a`, "**b", "a**")
		name := word("a", "b", "ab")
		if !matches([]string{glob}, name) {
			continue
		}
		matched++
		for dir := path.Dir(name); dir != "."; dir = path.Dir(dir) {
			if !reaches(glob, dir) {
				t.Fatalf("%s matches %s and does not reach %s", glob, name, dir)
			}
		}
	}
	if matched < 1000 {
		t.Errorf("only %d matches", matched)
	}
}
