package protocol

import (
	"fmt"
	"os"
	"strings"
	"testing"
)

// TestProtocol visits everything that two faults can do to two runs, two proxies
// and the application's server.
func TestProtocol(t *testing.T) {
	t.Parallel()
	for faults := range 3 {
		holds(t, faults)
	}
}

// TestProtocolSoak does it with three faults, which takes minutes and gigabytes.
func TestProtocolSoak(t *testing.T) {
	if os.Getenv("TURNOUT_SOAK") == "" {
		t.Skip("TURNOUT_SOAK is not set")
	}
	holds(t, 3)
}

// holds visits everything, and looks whether docs/protocol.md counts as many.
func holds(t *testing.T, faults int) {
	t.Helper()
	result := (&model{}).explore(start(faults))
	if result.trouble != "" {
		t.Fatal(result)
	}
	text, err := os.ReadFile("../../docs/protocol.md")
	if err != nil {
		t.Fatal(err)
	}
	row := fmt.Sprintf(" | %s | %s | %s |", grouped(result.states), grouped(result.settled), grouped(result.mixed))
	if !strings.Contains(string(text), row) {
		t.Errorf("docs/protocol.md has other counts for %d faults than%s", faults, row)
	}
}

// grouped writes a number as people read it: 851,330.
func grouped(n int) string {
	if n < 1000 {
		return fmt.Sprint(n)
	}
	return fmt.Sprintf("%s,%03d", grouped(n/1000), n%1000)
}

// TestBroken breaks the protocol on purpose: a check that can't find that would
// prove nothing.
func TestBroken(t *testing.T) {
	for _, test := range []struct {
		name   string
		broken model
		faults int // fewest that show it
		want   string
	}{
		{"the agent alone looks at no ruling", model{blindGuard: true}, 1, "stopped"},
		{"the agent alone does nothing", model{noGuard: true}, 1, "nobody has decided"},
		{"no fence", model{unfenced: true}, 1, "stopped"},
		{"traffic moves before the journal says so", model{effectFirst: true}, 1, "nobody has decided"},
		{"the old slot stops when one host has decided", model{stopEarly: true}, 1, "stopped"},
		{"the new slot stops when one host is back", model{stopUnproven: true}, 1, "stopped"},
		{"no lock on the application's server", model{appUnlocked: true}, 1, "stopped"},
		{"forward with a session opened anew", model{forwardAgain: true}, 1, "stopped"},
		{"back without a ruling", model{unruled: true}, 2, "stopped"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			result := test.broken.explore(start(test.faults))
			if !strings.Contains(result.trouble, test.want) {
				t.Errorf("found %q, want one with %q", result.trouble, test.want)
			}
			if testing.Verbose() {
				t.Log(result)
			}
		})
	}
}
