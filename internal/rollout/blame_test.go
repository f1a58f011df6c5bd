package rollout

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/org/deploy-action/internal/event"
)

// TestBadReleasesAreKnownAndPassedOver rolls back twice, then on purpose to what
// was rolled back from.
func TestBadReleasesAreKnownAndPassedOver(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "nginx")
	w.env.Watch, w.env.KeepReleases = 50*time.Millisecond, 3
	v1 := w.deploy(testRelease{Version: "v1"})
	w.deploy(testRelease{Version: "v2"})
	w.env.Health.Deadline = 500 * time.Millisecond
	ill := Run(context.Background(), w.request(writeRelease(t, testRelease{Version: "ill", Unhealthy: true})))
	if mark := w.status().Bad[ill.To.Release]; !strings.Contains(mark.Reason, "is not healthy") {
		t.Errorf("a release that never was healthy is marked %q", mark.Reason)
	}
	w.env.Health.Deadline = time.Minute
	v3 := w.deploy(testRelease{Version: "v3"})

	back := w.mustSwitch(w.request(""))
	w.serves("v2")
	if mark := w.status().Bad[v3.To.Release]; mark.Reason != "rolled back from by alice" || mark.Run == "" {
		t.Errorf("what was rolled back from is marked %+v", mark)
	}
	further := w.mustSwitch(w.request(""))
	w.serves("v1")
	if further.To.Release != v1.To.Release {
		t.Errorf("the second rollback went to %s, want %s", further.To.Release, v1.To.Release)
	}
	none := Run(context.Background(), w.request(""))
	if none.Outcome != event.Failed || !strings.Contains(none.Reason, v3.To.Release+" is bad (rolled back from by alice)") || !strings.Contains(none.Reason, "-to RELEASE") {
		t.Errorf("with nothing good left: %s, %s", none.Outcome, none.Reason)
	}

	request := w.request("")
	request.To = back.To.Release
	w.mustSwitch(request)
	w.serves("v2")
	bad := w.status().Bad
	if _, still := bad[back.To.Release]; still || len(bad) != 3 {
		t.Errorf("once it serves, it is good again; the marks: %v", bad)
	}
	request.To = "20200101t000000z-00000000"
	if result := Run(context.Background(), request); !strings.Contains(result.Reason, "is not on local") {
		t.Errorf("a release that is nowhere: %s", result.Reason)
	}
	w.serves("v2")
}
