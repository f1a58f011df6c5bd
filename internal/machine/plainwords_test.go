package machine

import (
	"slices"
	"testing"
)

func TestPlainWords(t *testing.T) {
	for script, want := range map[string][]string{
		"true":                     {"true"},
		" npm  run\tbuild \n":      {"npm", "run", "build"},
		"./bin/x --a=b,c:d@e%f +g": {"./bin/x", "--a=b,c:d@e%f", "+g"},
		"true x":                   nil,
		"":                         nil,
		"a\nb":                     nil,
		"a;b":                      nil,
		"a $b":                     nil,
		"a=b c":                    nil,
		"cd x":                     nil,
		"echo x":                   nil,
		"-a":                       nil,
		"a é":                      nil,
		"ls ~/x":                   nil,
	} {
		if got, is := plainWords(script); is != (want != nil) || is && !slices.Equal(got, want) {
			t.Errorf("plainWords(%q) = %q, %v", script, got, is)
		}
	}
}

func TestThePlainPathIsTaken(t *testing.T) {
	environ := []string{"PATH=/usr/bin:/bin", "HOME=/"}
	for script, want := range map[string]bool{"true": true, "env": true, "./any": true, "nosuch": false, "env;": false} {
		for _, dir := range []string{"/", ""} {
			if _, _, _, is := (Command{Script: script, Dir: dir}).plain(environ); is != want {
				t.Errorf("%q in %q: %v", script, dir, is)
			}
		}
	}
	t.Setenv("PATH", t.TempDir())
	if _, _, _, is := (Command{Script: "true", Dir: "/"}).plain(environ); is {
		t.Error("what another shell would do is not known")
	}
}
