package state_test

import (
	"context"
	"testing"

	"github.com/org/deploy-action/internal/machine"
	"github.com/org/deploy-action/internal/state"
)

// TestAlone ends the session of a run in the middle of a switch: the agent acts
// where the journal asks for it, while it still has the lock.
func TestAlone(t *testing.T) {
	for _, test := range []struct {
		name    string
		kinds   []state.Kind
		release bool
		acts    bool
	}{
		{"no switch", nil, false, false},
		{"traffic has not moved", []state.Kind{state.Open, state.Install}, false, false},
		{"traffic may have moved", []state.Kind{state.Open, state.Commit}, false, true},
		{"decided", []state.Kind{state.Open, state.Commit, state.Decided}, false, false},
		{"on its way back", []state.Kind{state.Open, state.Commit, state.Decided, state.Back}, false, true},
		{"the run gave the lock back", []state.Kind{state.Open, state.Commit}, true, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			dir, m, other := t.TempDir(), machine.NewLocal("here"), machine.NewLocal("here")
			acted := false
			take := state.Acquire(func(ctx context.Context, o state.Orphan) error {
				acted = true
				if grant := on(t, other, state.LockStatus, dir); !grant.Held || grant.By.Run != "1" {
					t.Errorf("the lock is free while the agent acts: %+v", grant)
				}
				return o.Back()
			})
			if grant := on(t, m, take, claim(dir, "1")); !grant.Held {
				t.Fatalf("grant = %+v", grant)
			}
			for _, kind := range test.kinds {
				on(t, m, state.Append, state.Writing{Dir: dir, Entry: entry(kind)})
			}
			if test.release {
				on(t, m, state.Release, dir)
			}
			if err := m.Close(); err != nil || acted != test.acts {
				t.Errorf("acted: %v, %v", acted, err)
			}
			j := on(t, other, state.Journal, dir)
			if n := len(j.Entries); acted && (j.Entries[n-1].Kind != state.Back || j.Entries[n-1].By != "agent" || j.Entries[n-1].Epoch != entry("").Epoch) {
				t.Errorf("journal: %+v", j.Entries)
			}
			if grant := on(t, other, state.LockStatus, dir); grant.Held {
				t.Errorf("held for ever: %+v", grant)
			}
		})
	}
}

// TestOrdersAnnounce has an order write its entry before its effect, and neither
// where it is refused.
func TestOrdersAnnounce(t *testing.T) {
	dir, m := t.TempDir(), machine.NewLocal("here")
	defer m.Close()
	reign := takeOver(t, m, dir, "1")
	announced := entry(state.Commit)
	look := machine.Op[machine.None, int]{Name: "test.look", Do: func(context.Context, machine.At, machine.None) (int, error) {
		return len(on(t, m, state.Journal, dir).Entries), nil
	}}
	order := state.Order[machine.None]{Reign: reign, Entry: &announced}
	if n := on(t, m, state.Guarded(look), order); n != 1 {
		t.Errorf("the journal has %d entries when the effect begins", n)
	}
	order.Epoch.Number++
	if _, err := state.Guarded(look).On(t.Context(), m, order); err == nil {
		t.Error("let in under an epoch that nobody began")
	}
	if j := on(t, m, state.Journal, dir); len(j.Entries) != 1 {
		t.Errorf("journal: %+v", j)
	}
}
