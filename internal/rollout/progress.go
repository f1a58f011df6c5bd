package rollout

import (
	"sync"
	"time"

	"github.com/org/deploy-action/internal/event"
	"github.com/org/deploy-action/internal/release"
)

// progressTime is how often the progress of a step is told.
const progressTime = 250 * time.Millisecond

// shipProgress tells how far an upload has come, all servers taken together.
func (r *rollout) shipProgress() func(release.Progress) {
	step := event.Step{Environment: string(r.Environment.Name), Name: "ship"}
	var mu sync.Mutex
	of := make(map[string]release.Progress)
	last := time.Now()
	return func(p release.Progress) {
		mu.Lock()
		defer mu.Unlock()
		of[p.Server] = p
		if time.Since(last) < progressTime {
			return
		}
		last = time.Now()
		sum := event.Progress{Unit: "bytes"}
		for _, each := range of {
			sum.Done, sum.Total = sum.Done+each.Done, sum.Total+each.Total
		}
		r.Emit(event.Event{Kind: event.StepProgress, Step: &step, Progress: &sum})
	}
}
