package pipeline

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/org/deploy-action/internal/event"
)

func TestProgressIsToldAtMostSoOften(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var told []int64
		r := &run{Options: Options{Emit: func(e event.Event) {
			if e.Kind != event.StepProgress || e.Step.Name != "artifact app" || e.Progress.Total != 100 || e.Progress.Unit != "bytes" {
				t.Errorf("%+v", e)
			}
			told = append(told, e.Progress.Done)
		}}}
		progress := r.progress(event.Step{Name: "artifact app"})
		for i := range int64(100) {
			progress(i, 100)
			time.Sleep(10 * time.Millisecond) // in the bubble's own time
		}
		if len(told) != 3 || told[0] != 25 {
			t.Errorf("told of %v", told)
		}
	})
}
