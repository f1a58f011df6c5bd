package event

import (
	"sync"
	"time"
)

// Fan returns a Sink that gives every event to all sinks, one event at a time,
// so that they see the same events in the same order and need no lock of their
// own. It stamps the schema and, where there is none, the time. Times have no
// reading of the monotonic clock: a log keeps none, and whoever reads it back
// must come to the same durations.
func Fan(sinks ...Sink) Sink {
	var mu sync.Mutex
	return func(e Event) {
		mu.Lock()
		defer mu.Unlock()
		e.Schema = Schema
		if e.Time.IsZero() {
			e.Time = time.Now()
		}
		e.Time = e.Time.Round(0)
		for _, sink := range sinks {
			sink(e)
		}
	}
}

// Within returns a Sink that names the stage its events belong to.
func Within(stage string, sink Sink) Sink {
	return func(e Event) {
		e.Stage = stage
		sink(e)
	}
}
