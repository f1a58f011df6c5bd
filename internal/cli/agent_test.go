package cli

import (
	"bytes"
	"strings"
	"testing"
)

// What starts an agent would else believe that it acts.
func TestNoAgentOnMacOS(t *testing.T) {
	for _, args := range [][]string{{"turnout", "agent"}, {"turnout", "agent", "-lease", "1m"}} {
		var out, words bytes.Buffer
		code := Main(t.Context(), Env{Args: args, System: "darwin", Stdin: strings.NewReader(""), Stdout: &out, Stderr: &words})
		if code != exitFailed || out.Len() > 0 || !strings.Contains(words.String(), "only a server with Linux can have one") {
			t.Errorf("%q: exit code %d, %q, %q", args, code, out.String(), words.String())
		}
	}
}
