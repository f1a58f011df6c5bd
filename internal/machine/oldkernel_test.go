package machine

import (
	"bytes"
	"context"
	"strings"
	"testing"
	"time"
)

// Without a pidfd a command is seen through all the same.
func TestOnAKernelWithoutPidfd(t *testing.T) {
	for script, want := range map[string]string{
		"echo one; echo two":              "one\ntwo\n",
		"exec >/dev/null 2>&1; sleep 0.1": "",
		"setsid sleep 1 & echo here":      "here\n",
		"seq 100000 | tail -n 1; (sleep 600 & echo left); printf 'no newline'": "100000\nleft\nno newline",
	} {
		var said bytes.Buffer
		out, err := openOutput("", &said)
		if err != nil {
			t.Fatal(err)
		}
		c := Command{Shell: script}
		p, err := c.start(out)
		if err != nil {
			t.Fatal(err)
		}
		closeFD(p.fd)
		p.fd = -1
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		ended := p.wait(ctx, c, out)
		out.close()
		cancel()
		if !ended || p.exit().Code != 0 || said.String() != want {
			t.Errorf("%q: ended %v, %+v, said %q", script, ended, p.exit(), strings.TrimSpace(said.String()))
		}
	}
}
