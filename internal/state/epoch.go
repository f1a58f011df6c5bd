package state

import (
	"context"
	"fmt"
	"path/filepath"

	"github.com/org/deploy-action/internal/machine"
	"github.com/org/deploy-action/internal/protocol"
)

// BeginEpoch begins a run's epoch on a machine, durably. The session must hold the
// lock there.
var BeginEpoch = machine.Op[Reign, machine.None]{Name: "state.begin_epoch", Do: beginEpoch}

// Reign is an epoch of the environment whose lock is in Dir.
type Reign struct {
	Dir   string         `json:"dir"`
	Epoch protocol.Epoch `json:"epoch"`
}

const epochName = "epoch"

func beginEpoch(_ context.Context, at machine.At, r Reign) (machine.None, error) {
	if held(at, r.Dir) == nil {
		return machine.None{}, fencedOut(r)
	}
	if err := machine.WriteFile(filepath.Join(r.Dir, epochName), encode(r.Epoch), fileMode); err != nil {
		return machine.None{}, fmt.Errorf("epoch: %w", err)
	}
	return machine.None{}, nil
}

// readEpoch is the epoch that stands in a directory; the zero one where none was
// begun, or where what there is can't be believed: it admits nobody.
func readEpoch(dir string) (protocol.Epoch, error) {
	epochs, _, err := readLines[protocol.Epoch](filepath.Join(dir, epochName))
	if err != nil {
		return protocol.Epoch{}, fmt.Errorf("epoch: %w", err)
	}
	if len(epochs) == 0 {
		return protocol.Epoch{}, nil
	}
	return epochs[len(epochs)-1], nil
}
