package rollout

import (
	"context"
	"strings"
	"testing"

	"github.com/org/deploy-action/internal/event"
)

// TestOldReleaseIsNotTakenForTheNew has a start command that starts beside what
// runs, as most of those do that are no service manager's.
func TestOldReleaseIsNotTakenForTheNew(t *testing.T) {
	eachProxy(t, func(t *testing.T, w *world) {
		for _, slot := range w.env.Slots {
			slot.Start = strings.TrimPrefix(slot.Start, slot.Stop+"; ")
		}
		w.deploy(testRelease{Version: "v1"})
		w.deploy(testRelease{Version: "v2"})
		w.deploy(testRelease{Version: "v3"})
		w.serves("v3")

		green := w.env.Slots[1]
		stop := green.Stop
		green.Stop = "echo no such unit; exit 5"
		w.refused("stop green: exit status 5\n    no such unit\n    " + w.status().Slots["green"] + " still answers at 127.0.0.1:")
		w.serves("v3")
		w.mustSwitch(w.request("")) // to a slot that was left alone
		w.serves("v2")
		w.mustSwitch(w.request(""))
		w.command(stop)
		w.deploy(testRelease{Version: "v4"}) // nothing runs, and the stop fails
		w.serves("v4")
		green.Stop = stop // else it would go on after the test
	})
}

// TestRollbackAfterRecovery has a run die that has filled the idle slot. What it
// started there is not what a rollback goes to.
func TestRollbackAfterRecovery(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "nginx")
	w.deploy(testRelease{Version: "v1"})
	w.deploy(testRelease{Version: "v2"})
	w.runDoomed(doomed{Environment: w.env, Release: writeRelease(t, testRelease{Version: "v3"}), Kind: event.StepFinished, Step: "health"})
	if _, err := Recover(context.Background(), w.request("")); err != nil {
		t.Fatal(err)
	}
	w.mustSwitch(w.request(""))
	w.serves("v1")
}
