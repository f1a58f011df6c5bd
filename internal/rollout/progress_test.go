package rollout

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/org/deploy-action/internal/event"
	"github.com/org/deploy-action/internal/release"
	"github.com/org/deploy-action/internal/spec"
)

func TestProgressOfAnUploadIsToldNowAndThen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var told []event.Progress
		r := &rollout{Request: Request{Environment: &spec.Environment{Name: "shop"}, Emit: func(e event.Event) {
			if e.Kind != event.StepProgress || e.Step.Name != "ship" || e.Step.Environment != "shop" {
				t.Errorf("%+v", e)
			}
			told = append(told, *e.Progress)
		}}}
		tell := r.shipProgress()
		for i := range int64(100) {
			tell(release.Progress{Server: "web1", Done: i, Total: 100})
			tell(release.Progress{Server: "web2", Done: 7, Total: 10})
			time.Sleep(10 * time.Millisecond) // in the bubble's own time
		}
		if len(told) != 3 || told[0] != (event.Progress{Done: 25 + 7, Total: 110, Unit: "bytes"}) {
			t.Errorf("told of %+v", told)
		}
	})
}
