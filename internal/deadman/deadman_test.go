package deadman

import (
	"net"
	"testing"

	"github.com/org/deploy-action/internal/proxy"
	"github.com/org/deploy-action/internal/value"
)

// TestCutOffFromBothSlots has an agent that is alone find out whether it is the old
// slot that has died, or the network.
func TestCutOffFromBothSlots(t *testing.T) {
	t.Parallel()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	up, down := value.Address(listener.Addr().String()), value.Address("127.0.0.1:1")
	for _, test := range []struct {
		name     string
		old, new []value.Address
		cutOff   bool
		fails    bool
	}{
		{"both answer", []value.Address{up}, []value.Address{up}, false, false},
		{"one server of the old answers", []value.Address{down, up}, []value.Address{down}, false, false},
		{"only the new answers", []value.Address{down}, []value.Address{down, up}, false, true},
		{"none answers", []value.Address{down, down}, []value.Address{down}, true, false},
	} {
		site := proxy.Site{Pools: []proxy.Pool{{Slot: "blue", Addresses: test.old}, {Slot: "green", Addresses: test.new}}}
		if got, err := cutOff(t.Context(), proxy.Selection{Site: site, Slot: "blue"}, "green"); got != test.cutOff || (err != nil) != test.fails {
			t.Errorf("%s: %v, %v", test.name, got, err)
		}
	}
}
