package rollout

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/aymanbagabas/go-udiff"
)

// diff is how the file at path changes, unified; empty where it does not.
func diff(before, after, path string) string {
	return udiff.Unified(path+" (live)", path+" (new)", before, after)
}

// round makes a duration readable: three digits at most.
func round(d time.Duration) time.Duration {
	switch {
	case d >= time.Minute:
		return d.Round(time.Second)
	case d >= time.Second:
		return d.Round(10 * time.Millisecond)
	case d >= time.Millisecond:
		return d.Round(100 * time.Microsecond)
	}
	return d.Round(time.Microsecond)
}

func plural(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}

// size writes a size as people read it, in powers of ten.
func size(n int64) string {
	switch {
	case n >= 1e9:
		return fmt.Sprintf("%.1f GB", float64(n)/1e9)
	case n >= 1e6:
		return fmt.Sprintf("%.1f MB", float64(n)/1e6)
	case n >= 1e3:
		return fmt.Sprintf("%.1f kB", float64(n)/1e3)
	}
	return fmt.Sprintf("%d bytes", n)
}

func or(s, other string) string {
	if s == "" {
		return other
	}
	return s
}

// listed joins the texts that say something.
func listed(separator string, texts ...string) string {
	said := slices.DeleteFunc(texts, func(text string) bool { return text == "" })
	return strings.Join(said, separator)
}
