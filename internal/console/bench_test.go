package console_test

import (
	"io"
	"strings"
	"testing"

	"github.com/org/deploy-action/internal/console"
)

func BenchmarkOutput(b *testing.B) {
	text := strings.Repeat(strings.Repeat("x", 79)+"\n", 819)
	text = text[:len(text)-1]
	for name, o := range map[string]console.Options{"plain": {}, "quiet": {Quiet: true}, "github": {GitHub: true}, "live": {Terminal: func() (int, int) { return 80, 24 }}} {
		b.Run(name, func(b *testing.B) {
			c := console.New(io.Discard, o)
			c.Event(started("a"))
			e := said("a", text)
			b.SetBytes(int64(len(text)))
			b.ReportAllocs()
			for b.Loop() {
				c.Event(e)
			}
			c.Close()
		})
	}
}
