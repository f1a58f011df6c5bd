// Package probe asks a path through the real listener while traffic is moved,
// so that every deploy measures itself.
package probe

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/org/deploy-action/internal/ask"
	"github.com/org/deploy-action/internal/machine"
	"github.com/org/deploy-action/internal/value"
)

// Start begins to probe a target; a prober under the same key is stopped first.
// It goes on until Stop, the end of the session, or maxAge.
var Start = machine.Op[Target, machine.None]{Name: "probe.start", Do: start}

// Read returns all samples since Start of the prober with that key, in the order
// of their answers.
var Read = machine.Op[string, []Sample]{Name: "probe.read", Do: read}

// Stop ends the prober with that key, waits for the answers under way, and
// returns all samples.
var Stop = machine.Op[string, []Sample]{Name: "probe.stop", Do: stop}

// DefaultTimeout is how long an answer may take where the target does not say.
const DefaultTimeout = 2 * time.Second

// Target is what a prober asks. Each request has a connection of its own and
// starts at its time, however slow the ones before it are.
type Target struct {
	Key     string        `json:"key"`
	Address value.Address `json:"address"` // of the real listener
	Host    string        `json:"host,omitempty"`
	TLS     ask.TLS       `json:"tls,omitempty"`
	Path    string        `json:"path"`
	Rate    int           `json:"rate"`             // requests per second, above 0
	Timeout time.Duration `json:"timeout_ns"`       // of one request; 0: DefaultTimeout
	Status  []int         `json:"status,omitempty"` // good answers; empty: any below 500
}

// Sample is one request and how it ended.
type Sample struct {
	At     time.Duration `json:"at_ns"` // when it began, from Start
	Took   time.Duration `json:"took_ns"`
	Status int           `json:"status,omitempty"` // 0: no answer
	Error  string        `json:"error,omitempty"`  // empty: a good answer
}

func start(_ context.Context, at machine.At, target Target) (machine.None, error) {
	return machine.None{}, begin(at, kept(target.Key), target, func(t Target) *prober { return launch(t, "", maxAge) })
}

// begin keeps a new prober in the session, in place of a former one.
func begin(at machine.At, key string, target Target, launch func(Target) *prober) error {
	if target.Rate <= 0 {
		panic("probe: a target without a rate")
	}
	if target.Timeout == 0 {
		target.Timeout = DefaultTimeout
	}
	if err := at.Session.Release(key); err != nil {
		return err
	}
	return at.Session.Keep(key, launch(target))
}

func read(_ context.Context, at machine.At, key string) ([]Sample, error) {
	p, err := find(at, key)
	if err != nil {
		return nil, err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.samples), nil
}

func stop(_ context.Context, at machine.At, key string) ([]Sample, error) {
	p, err := find(at, key)
	if err != nil {
		return nil, err
	}
	err = at.Session.Release(kept(key))
	return p.samples, err
}

func find(at machine.At, key string) (*prober, error) {
	p, ok := at.Session.Kept(kept(key)).(*prober)
	if !ok {
		return nil, fmt.Errorf("probe: nothing is probed for %s in this session", key)
	}
	return p, nil
}

func kept(key string) string { return "probe:" + key }
