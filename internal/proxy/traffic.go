package proxy

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/org/deploy-action/internal/value"
)

// hundred is how many points there are. Every request has a point, 0 to 99, by
// chance or by its client, and a slot that is to get n percent of the requests
// gets those with a point below n. Hence a share holds for a slot as a whole,
// however many servers are in it, and a client that was below a share is below
// every greater one.
const hundred = 100

// traffic is where requests go: those with a point below share to the other
// slot, the rest to slot. The share is 0 to 99.
type traffic struct {
	slot  value.Name
	share int
}

// all sends every request to a slot.
func all(slot value.Name) traffic { return traffic{slot: slot} }

// String describes where requests go.
func (t traffic) String() string {
	if t.share == 0 {
		return fmt.Sprintf("requests go to %s", t.slot)
	}
	return fmt.Sprintf("%d %% of the requests go to %s", hundred-t.share, t.slot)
}

// traffic is where requests go when slot gets percent of them.
func (s Site) traffic(slot value.Name, percent int) traffic {
	if percent == hundred {
		return all(slot)
	}
	return traffic{slot: s.other(slot), share: percent}
}

// other is the slot beside slot.
func (s Site) other(slot value.Name) value.Name {
	if slot == s.Pools[0].Slot {
		return s.Pools[1].Slot
	}
	return s.Pools[0].Slot
}

// word is t as HAProxy's map and the answers of HAProxy have it: a slot, and
// "slot:share" where that slot gets only a share.
func (s Site) word(t traffic) string {
	if t.share == 0 {
		return string(t.slot)
	}
	return fmt.Sprintf("%s:%d", s.other(t.slot), t.share)
}

// parseWord is the reverse of word.
func (s Site) parseWord(word string) (traffic, error) {
	name, share, split := strings.Cut(word, ":")
	slot, err := value.ParseName(name)
	if err != nil {
		return traffic{}, err
	}
	if !split {
		return all(slot), nil
	}
	percent, err := strconv.Atoi(share)
	t := s.traffic(slot, percent)
	if _, ours := s.pool(slot); err != nil || !ours || percent < 1 || percent >= hundred || s.word(t) != word {
		return traffic{}, fmt.Errorf("%q is not a slot and its share", word)
	}
	return t, nil
}

// points are those at which a request goes to the second slot: from low up to
// and without high.
func (s Site) points(t traffic) (low, high int) {
	if t.slot == s.Pools[0].Slot {
		return 0, t.share
	}
	return t.share, hundred
}
