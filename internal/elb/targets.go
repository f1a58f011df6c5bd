package elb

import (
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/org/deploy-action/internal/value"
)

// Group is the target group of a slot.
type Group struct {
	Name      string
	Instances bool          // its targets are instances; else addresses
	Patience  time.Duration // after which a target that answers well is healthy
	Targets   []Target      // registered, by ID and port
}

// Target is a server and port in a group.
type Target struct {
	ID     string // an instance or an IP address
	Port   value.Port
	State  string // as AWS words it: "healthy", "initial", "unhealthy", "draining", "unused"
	Reason string // why it is not healthy
}

// draining is a target that was taken out, with requests under way.
const draining = "draining"

// String is the target as an address.
func (t Target) String() string {
	if strings.Contains(t.ID, ":") {
		return "[" + t.ID + "]:" + strconv.Itoa(int(t.Port))
	}
	return t.ID + ":" + strconv.Itoa(int(t.Port))
}

// Registered reports whether the target gets requests, or would if it were healthy.
func (t Target) Registered() bool { return t.State != draining }

// Targets are what a group has to hold for those addresses.
func (b Balancer) Targets(g Group, addresses []value.Address) ([]Target, error) {
	var all []Target
	for _, address := range addresses {
		ap, err := netip.ParseAddrPort(string(address))
		if err != nil {
			return nil, fmt.Errorf("%s: a load balancer of AWS connects to addresses and ports only", address)
		}
		t := Target{ID: ap.Addr().String(), Port: value.Port(ap.Port())}
		if g.Instances {
			if t.ID = b.Instances[t.ID]; t.ID == "" {
				return nil, fmt.Errorf("target group %s takes instances, and the spec does not say which one %s is: give the proxy block instances = { server = \"i-…\" }", g.Name, ap.Addr())
			}
		}
		all = append(all, t)
	}
	return all, nil
}

// Missing are those of wanted that are not among have.
func Missing(wanted, have []Target) []Target {
	return slices.DeleteFunc(slices.Clone(wanted), func(w Target) bool {
		return slices.ContainsFunc(have, func(h Target) bool { return h.ID == w.ID && h.Port == w.Port })
	})
}
