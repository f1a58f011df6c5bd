package rollout

import (
	"testing"
	"time"

	"github.com/org/deploy-action/internal/protocol"
	"github.com/org/deploy-action/internal/spec"
	"github.com/org/deploy-action/internal/state"
)

// What an agent wrote under a clock that is off changes nothing about what is made
// of the journals: neither what the run was about nor since when.
func TestClocksOfServersDecideNothing(t *testing.T) {
	began := time.Date(2026, 11, 23, 18, 45, 1, 0, time.UTC)
	epoch := protocol.Next("one")
	hosts := []*host{{server: &spec.Server{Name: "web01"}}, {server: &spec.Server{Name: "web02"}}}
	for _, off := range []time.Duration{0, time.Hour, -time.Hour, 24 * 365 * time.Hour} {
		journal := []state.Entry{
			{Time: began, Epoch: epoch, Kind: state.Open, To: "green"},
			{Time: began.Add(time.Second), Epoch: epoch, Kind: state.Commit, To: "green", ToRelease: "v2"},
		}
		alone := append(journal[:2:2], state.Entry{Time: began.Add(time.Minute + off), Epoch: epoch, Kind: state.Back, By: "agent", To: "green"})
		left := read(hosts, []state.Journalled{{Entries: alone}, {Entries: journal}}, 0)
		if !left.began.Equal(began) || left.last.ToRelease != "v2" || len(left.alone) != 1 || left.alone[0] != "web01" {
			t.Errorf("%s off: %+v", off, left)
		}
		if want := protocol.Settle([]protocol.Standing{{Exists: true, Committing: true, Ruling: protocol.Back}, {Exists: true, Committing: true}}, 0); left.outcome != want {
			t.Errorf("%s off: %v, want %v", off, left.outcome, want)
		}
	}
}
