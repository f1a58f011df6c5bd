package rollout

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/org/deploy-action/internal/event"
	"github.com/org/deploy-action/internal/proxy/proxytest"
)

// TestCanaryWithoutClients has synthetic requests stand in for clients at a site that
// has none: a good release climbs to the end, and one that fails aborts. They are
// told apart, and end with the canary.
func TestCanaryWithoutClients(t *testing.T) {
	eachProxy(t, func(t *testing.T, w *world) {
		c := quickCanary(time.Second, 50, 90)
		c.Synthetic, c.SyntheticPath, c.Analysis.MinRequests = 50, "/", 10
		w.splits(c)
		w.deploy(testRelease{Version: "v1"})
		var marked []int
		w.hook = func(e event.Event) {
			if e.Step != nil && e.Step.Name == "watch" {
				marked = append(marked, w.marked())
			}
		}
		w.env.Probe = 0 // the prober looks like a client
		result := w.mustSwitch(w.canaryOf(testRelease{Version: "v2"}, c))
		w.serves("v2")
		if len(marked) != 2 || marked[0] == 0 || marked[0] != marked[1] {
			t.Errorf("%v synthetic requests had come to the new release before and after the watch, which has none", marked)
		}
		if got := result.Canary; got.Outcome != event.CanaryPromoted || got.Synthetic != 50 || !slices.Equal(percents(got), []int{50, 90}) {
			t.Errorf("canary: %+v", got)
		}
		judged := 0
		for _, look := range result.Canary.Looks {
			if look.New.Requests+look.Old.Requests != 0 {
				t.Errorf("clients in a look: %+v", look)
			}
			if look.Verdict == "pass" && look.SyntheticNew.Requests >= 10 && look.SyntheticNew.P95 > 0 {
				judged++
			}
		}
		if judged < 2 {
			t.Errorf("%d windows passed by synthetic requests: %+v", judged, result.Canary.Looks)
		}

		c.Steps = c.Steps[:1]
		c.Steps[0].Hold = 20 * time.Second
		result = Run(context.Background(), w.canaryOf(testRelease{Version: "v3", Faulty: 3}, c))
		w.serves("v2")
		if result.Outcome != event.Failed || !result.PutBack || !strings.Contains(result.Reason, "synthetic requests count") {
			t.Errorf("%s, put back %v: %s", result.Outcome, result.PutBack, result.Reason)
		}
	})
}

// marked is how many synthetic requests have come to green.
func (w *world) marked() (n int) {
	_, body, err := proxytest.Get(fmt.Sprintf("http://127.0.0.1:%d/marked", w.env.Slots[1].Port))
	if _, scanned := fmt.Sscan(body, &n); err != nil || scanned != nil {
		w.t.Errorf("%q %v", body, err)
	}
	return n
}
