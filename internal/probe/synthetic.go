package probe

import (
	"context"
	"time"

	"github.com/org/deploy-action/internal/machine"
)

// Mark is a header that tells synthetic requests from those of clients: it is "1".
const Mark = "X-Turnout-Synthetic"

// Stream is requests that a site gets beside those of its clients.
type Stream struct {
	Target
	Limit time.Duration `json:"limit_ns"` // when they end by themselves
}

// Send has a stream of requests with the Mark sent, in place of a former one with
// the same key. Nothing is kept of their answers: who counts requests sees them. They
// go on until Cease, the end of the session, or their limit.
var Send = machine.Op[Stream, machine.None]{Name: "probe.send", Do: send}

// Cease ends the stream with that key at once, with the requests under way. None
// under that key is no error.
var Cease = machine.Op[string, machine.None]{Name: "probe.cease", Do: cease}

func send(_ context.Context, at machine.At, s Stream) (machine.None, error) {
	return machine.None{}, begin(at, sent(s.Key), s.Target, func(t Target) *prober { return launch(t, Mark, s.Limit) })
}

func cease(_ context.Context, at machine.At, key string) (machine.None, error) {
	return machine.None{}, at.Session.Release(sent(key))
}

func sent(key string) string { return "synthetic:" + key }
