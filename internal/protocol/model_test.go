package protocol

import (
	"testing"
	"time"
)

func TestProtocol(t *testing.T) {
	for faults := 0; faults <= 2; faults++ {
		began := time.Now()
		result := (&model{}).explore(start(faults))
		t.Logf("%d faults: %d states, %d ends, %d mixed in %s", faults, result.states, result.settled, result.mixed, time.Since(began))
		if result.trouble != "" {
			t.Fatal(result)
		}
	}
}

func TestBroken(t *testing.T) {
	for name, m := range map[string]*model{
		"blindGuard": {blindGuard: true}, "unfenced": {unfenced: true}, "effectFirst": {effectFirst: true},
		"stopEarly": {stopEarly: true}, "stopUnproven": {stopUnproven: true}, "appUnlocked": {appUnlocked: true},
		"forwardAgain": {forwardAgain: true}, "noGuard": {noGuard: true},
	} {
		for faults := 1; faults <= 2; faults++ {
			began := time.Now()
			result := m.explore(start(faults))
			t.Logf("%s %d faults: %d states in %s", name, faults, result.states, time.Since(began))
			if result.trouble != "" {
				t.Log(name, result)
				break
			}
		}
	}
}
