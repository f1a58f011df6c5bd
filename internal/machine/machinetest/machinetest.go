// Package machinetest holds the contract that every machine.Machine keeps. An
// operation behaves the same wherever it runs.
package machinetest

import (
	"context"
	"testing"
	"time"

	"github.com/org/deploy-action/internal/machine"
)

// Run tests the machine that start makes. It must see this machine's files.
func Run(t *testing.T, start func(t *testing.T) machine.Machine) {
	for name, test := range contract {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := start(t)
			t.Cleanup(func() {
				if err := m.Close(); err != nil {
					t.Errorf("close: %v", err)
				}
			})
			test(t, m)
		})
	}
}

var contract = map[string]func(*testing.T, machine.Machine){
	"exit status is no error":                   exitStatus,
	"exit tells the signal":                     exitSignal,
	"a command that can't start is an error":    cannotStart,
	"arguments are taken as they are":           arguments,
	"environment is added to, less secrets":     environment,
	"stdin is given and ends":                   stdin,
	"output streams in order as it comes":       streams,
	"a slow listener loses nothing":             slowListener,
	"tail is bounded":                           boundedTail,
	"timeout ends the whole group":              timeoutEndsGroup,
	"cancel ends the whole group":               cancelEndsGroup,
	"a group that ignores SIGTERM is killed":    stubbornGroup,
	"an escaped child can't hold the call":      escapedChild,
	"what a command leaves is ended":            leftoversEnd,
	"what a start command leaves lives on":      leftoversStay,
	"the log file takes the output":             logFile,
	"commands run side by side":                 sideBySide,
	"a written file is whole, with its mode":    writesFile,
	"a written file keeps mode and owner":       keepsModeAndOwner,
	"a link that is written through stays":      writesThroughLink,
	"readers never see a torn file":             neverTorn,
	"what can't be written stays as it was":     refusedWrite,
	"reading a missing file says so":            missingFile,
	"tail of a file":                            tailOfFile,
	"a link is replaced, anything else is kept": replacesLink,
	"removing is for good and repeatable":       removes,
	"a directory is made with those above":      makesDir,
}

// soon fails the test unless condition holds within five seconds.
func soon(t *testing.T, what string, condition func() bool) {
	t.Helper()
	deadline := time.After(5 * time.Second)
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !condition() {
		select {
		case <-deadline:
			t.Fatalf("after 5 s: %s", what)
		case <-tick.C:
		}
	}
}

// do performs op and fails the test on an error.
func do[Req, Res any](t *testing.T, m machine.Machine, op machine.Op[Req, Res], request Req) Res {
	t.Helper()
	result, err := op.On(context.Background(), m, request)
	if err != nil {
		t.Fatalf("%s: %v", op.Name, err)
	}
	return result
}
