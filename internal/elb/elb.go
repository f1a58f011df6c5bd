// Package elb is what an AWS Application Load Balancer is to turnout: one listener or
// rule has its requests sent to either of two target groups, or to both by weight.
// Nobody sees a type of AWS but the package client below, which makes the calls.
//
// What decides is the forward action, replaced as a whole by one call. What turnout
// has to remember is in tags of the same listener or rule. The calls of one
// caller are not a transaction: between a read and a write others may write.
package elb

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/org/deploy-action/internal/value"
)

// Balancer is a listener or rule of a load balancer, and the target groups of the
// two slots.
type Balancer struct {
	Resource value.ARN                `json:"resource"` // a listener, whose default action is meant, or a rule
	Groups   map[value.Name]value.ARN `json:"groups"`   // by slot
	// Instances are the IDs of the servers' instances by their addresses, for
	// groups whose targets are instances.
	Instances map[string]string `json:"instances,omitempty"`
	Endpoint  string            `json:"endpoint,omitempty"` // URL of the API; empty: that of AWS in the region
}

// Validate tells whether every value that reaches a call is on the allow-list of
// its type. The types alone do not say so: a Balancer may have come over a wire.
func (b Balancer) Validate() error {
	parse := value.ParseListenerARN
	if len(b.Resource) > 0 && b.Resource.IsRule() {
		parse = value.ParseRuleARN
	}
	if _, err := parse(string(b.Resource)); err != nil {
		return err
	}
	if len(b.Groups) != 2 {
		return fmt.Errorf("%d target groups, and each of two slots has one", len(b.Groups))
	}
	for slot, group := range b.Groups {
		if _, err := value.ParseTargetGroupARN(string(group)); err != nil {
			return fmt.Errorf("slot %s: %w", slot, err)
		}
	}
	for _, id := range b.Instances {
		if _, err := value.ParseInstance(id); err != nil {
			return err
		}
	}
	if b.Endpoint == "" {
		return nil
	}
	_, err := value.ParseEndpoint(b.Endpoint)
	return err
}

// API is what a balancer can be asked and told.
type API interface {
	// State reads everything.
	State(context.Context) (State, error)
	// Tags reads turnout's tags of the listener or rule, without TagPrefix.
	Tags(context.Context) (map[string]string, error)
	// Mark writes tags, by names without TagPrefix, and leaves the others alone. It
	// returns once the API answers with them.
	Mark(ctx context.Context, tags map[string]string) error
	// Route replaces the forward action by one that parts requests so. It returns once
	// the API answers with it, or with an error: then either may be in force.
	Route(context.Context, Split) error
	// Register adds targets to a slot's group; those that are in it stay as they are.
	Register(ctx context.Context, slot value.Name, targets []Target) error
	// Deregister takes targets out of a slot's group. AWS lets requests under way end.
	Deregister(ctx context.Context, slot value.Name, targets []Target) error
	// AwaitHealthy waits until all of these targets of a slot are healthy, or any of
	// them where anyOf is set. The error says how each of them is.
	AwaitHealthy(ctx context.Context, slot value.Name, targets []Target, anyOf bool) error
	io.Closer
}

// Connect finds credentials and returns the API of a balancer. What makes the calls is
// handed in from above, so that a program without AWS's library can be built: it is
// most of what an agent would take to start.
type Connect func(context.Context, Balancer) (API, error)

// State is what a balancer does.
type State struct {
	Split    Split
	Groups   map[value.Name]Group // by slot
	Tags     map[string]string    // turnout's, without TagPrefix
	Entrance Entrance
}

// Entrance is where clients come in.
type Entrance struct {
	Host string // DNS name of the load balancer
	Port value.Port
	TLS  bool
	// Login says that an action before the forward one authenticates: a request
	// without a session does not get to a slot.
	Login bool
}

// TagPrefix begins the names of turnout's tags.
const TagPrefix = "turnout:"

// Split is how a forward action parts requests between the groups of the slots.
type Split struct {
	// Weights are whole numbers from 0 to 999, by slot. A slot gets its weight of
	// their sum; 0 is none at all. One that is absent is not in the action.
	Weights map[value.Name]int `json:"weights"`
	// Sticky is for how long a client stays with the group it was sent to first; 0:
	// every request is parted anew.
	Sticky time.Duration `json:"sticky_ns,omitempty"`
}

// Equal reports whether two splits are the same.
func (s Split) Equal(other Split) bool {
	if s.Sticky != other.Sticky || len(s.Weights) != len(other.Weights) {
		return false
	}
	for slot, weight := range s.Weights {
		if w, in := other.Weights[slot]; !in || w != weight {
			return false
		}
	}
	return true
}
