package machine_test

import (
	"testing"

	"github.com/org/deploy-action/internal/machine"
	"github.com/org/deploy-action/internal/machine/machinetest"
)

func TestLocal(t *testing.T) {
	machinetest.Run(t, func(*testing.T) machine.Machine { return machine.NewLocal("here") })
}
