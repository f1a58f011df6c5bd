package state_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/org/deploy-action/internal/machine"
	"github.com/org/deploy-action/internal/protocol"
	"github.com/org/deploy-action/internal/state"
)

// touch is an operation that leaves a mark.
var touch = machine.Op[string, machine.None]{Name: "test.touch", Do: func(_ context.Context, _ machine.At, path string) (machine.None, error) {
	return machine.None{}, os.WriteFile(path, nil, 0o600)
}}

// takeOver takes the lock for a run and begins the epoch after the one that stands.
func takeOver(t *testing.T, m machine.Machine, dir, run string) state.Reign {
	t.Helper()
	grant := on(t, m, acquire, claim(dir, run))
	if !grant.Held {
		t.Fatalf("run %s: %+v", run, grant)
	}
	reign := state.Reign{Dir: dir, Epoch: protocol.Next(run, grant.Epoch)}
	on(t, m, state.BeginEpoch, reign)
	return reign
}

// TestGuard has a run that lost the lock try to write: in its old session, in a
// new one, and under an epoch that nobody began.
func TestGuard(t *testing.T) {
	dir := t.TempDir()
	first, second := machine.NewLocal("here"), machine.NewLocal("here")
	mark := filepath.Join(dir, "mark")
	write := func(m machine.Machine, reign state.Reign) error {
		_ = os.Remove(mark)
		_, err := state.Guarded(touch).On(t.Context(), m, state.Order[string]{Reign: reign, Request: mark})
		if _, missing := os.Stat(mark); (err == nil) != (missing == nil) {
			t.Errorf("refused: %v, but the effect: %v", err, missing)
		}
		return err
	}
	refused := func(name string, err error, says string) {
		t.Helper()
		var fenced *state.FencedError
		if !errors.As(err, &fenced) || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: %v, want one that says %q", name, err, says)
		}
	}
	refused("without the lock", write(first, state.Reign{Dir: dir}), "nobody holds it now")
	one := takeOver(t, first, dir, "1")
	if err := write(first, one); err != nil {
		t.Error(err)
	}
	refused("from another session", write(second, one), "held by run 1")
	refused("under a later epoch", write(first, state.Reign{Dir: dir, Epoch: protocol.Epoch{Number: 2, Run: "1"}}), "held by run 1")
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	refused("after its session", write(first, one), "nobody holds it now")

	two := takeOver(t, second, dir, "2")
	if two.Epoch.Number != 2 {
		t.Errorf("the second epoch is %+v", two.Epoch)
	}
	refused("after another took its place", write(first, one), "held by run 2, since 2026-11-23 18:45:01 UTC; run 2 has had it since, in epoch 2")
	on(t, second, state.Release, dir)
	if grant := on(t, first, acquire, claim(dir, "1")); !grant.Held || grant.Epoch != two.Epoch {
		t.Errorf("grant = %+v", grant)
	}
	refused("in a new session", write(first, one), "run 2 has had it since")

	if err := os.WriteFile(filepath.Join(dir, "epoch"), []byte("altered\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	refused("where the epoch can't be read", write(first, one), "held by run 1")
	_, err := state.BeginEpoch.On(t.Context(), second, two)
	refused("begin without the lock", err, "held by run 1")
}

func TestLockStatusTellsTheLastSignOfLife(t *testing.T) {
	dir, m := t.TempDir(), machine.NewLocal("here")
	takeOver(t, m, dir, "1")
	defer m.Close()
	hourAgo := time.Now().Add(-time.Hour)
	if grant := on(t, m, state.LockStatus, dir); grant.Quiet > 59*time.Minute || grant.Epoch.Number != 1 {
		t.Errorf("grant = %+v", grant)
	}
	if err := os.Chtimes(filepath.Join(dir, "lock"), hourAgo, hourAgo); err != nil {
		t.Fatal(err)
	}
	if grant := on(t, m, state.LockStatus, dir); !grant.Held || grant.Quiet < 59*time.Minute {
		t.Errorf("grant = %+v", grant)
	}
}
