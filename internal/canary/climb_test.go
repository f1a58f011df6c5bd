package canary

import (
	"errors"
	"strings"
	"testing"
	"time"
)

var morning = time.Date(2026, 11, 25, 9, 0, 0, 0, time.UTC)

func twoSteps() Plan {
	return Plan{
		Steps:    []Step{{10, 30 * time.Second}, {50, 30 * time.Second}},
		Interval: 10 * time.Second, Rules: usual,
	}
}

var (
	good   = Reading{Window: Window{New: counts(100, 0), Old: counts(900, 0)}}
	sick   = Reading{Window: Window{New: counts(100, 4), Old: counts(900, 0)}}
	poor   = Reading{Window: Window{New: counts(100, 5), Old: counts(900, 9)}}
	slow   = Reading{Window: Window{New: counts(100, 0).took(200*time.Millisecond, 300*time.Millisecond), Old: counts(900, 0).took(10*time.Millisecond, 100*time.Millisecond)}}
	quiet  = Reading{Window: Window{New: counts(2, 0), Old: counts(18, 0)}}
	fine   = Reading{Window: dead.Window, Opinion: &Opinion{Verdict: Pass}}
	sad    = Reading{Window: good.Window, Opinion: &Opinion{Verdict: Fail, Why: "the shop is sad"}}
	torn   = Reading{Window: good.Window, Opinion: &Opinion{Verdict: Insufficient, Why: "wait and see"}}
	dead   = Reading{Window: Window{New: counts(60, 60), Old: counts(900, 0)}}
	down   = Reading{Trouble: "server s1 is down"}
	silent = Reading{Err: errors.New("no such socket")}
)

// story is what a canary does with readings, each when it asked for it; the last
// one is repeated until it is over.
func story(t *testing.T, plan Plan, readings ...Reading) (string, Action, time.Duration) {
	t.Helper()
	now := morning
	climb, action := Start(plan, now)
	words := []string{string(action.Kind)}
	for i := 0; action.Kind != KindPromote && action.Kind != KindAbort; i++ {
		if !action.Next.After(now) || i > 1000 {
			t.Fatalf("no end: %s, next at %s", strings.Join(words, " "), action.Next)
		}
		now = action.Next
		action = climb.Observe(now, readings[min(i, len(readings)-1)])
		words = append(words, string(action.Kind))
	}
	return strings.Join(words, " "), action, now.Sub(morning)
}

func TestClimb(t *testing.T) {
	trusting := twoSteps()
	trusting.Trusting = true
	quick := Plan{Steps: []Step{{25, 0}}, Interval: 10 * time.Second, Rules: usual}
	patient := twoSteps()
	patient.Rules.Failures = 3
	for name, test := range map[string]struct {
		plan     Plan
		readings []Reading
		want     string
		reason   string
		took     time.Duration
	}{
		"all is well":              {twoSteps(), []Reading{good}, "step hold hold step hold hold promote", "", time.Minute},
		"one bad window may pass":  {twoSteps(), []Reading{poor, good}, "step hold hold step hold hold promote", "", time.Minute},
		"two in a row":             {twoSteps(), []Reading{good, poor, poor}, "step hold hold abort", "5.0 % errors (10 of 200", 30 * time.Second},
		"two with one between":     {twoSteps(), []Reading{poor, good, good, poor, good}, "step hold hold step hold hold promote", "", time.Minute},
		"in a row over a step":     {twoSteps(), []Reading{good, good, good, poor, poor}, "step hold hold step hold abort", "5.0 %", 50 * time.Second},
		"three are asked for":      {patient, []Reading{slow, slow, good}, "step hold hold step hold hold promote", "", time.Minute},
		"slow, two in a row":       {twoSteps(), []Reading{slow, slow, good}, "step hold abort", "p95 296ms", 20 * time.Second},
		"no step on a bad window":  {twoSteps(), []Reading{good, good, poor, good}, "step hold hold extend step hold hold promote", "", 70 * time.Second},
		"beyond doubt by two":      {twoSteps(), []Reading{good, sick, sick}, "step hold hold abort", "4.0 %", 30 * time.Second},
		"most of it fails":         {twoSteps(), []Reading{dead}, "step abort", "100.0 % errors (60 of 60", 10 * time.Second},
		"a server is down":         {twoSteps(), []Reading{good, down}, "step hold abort", "server s1 is down", 20 * time.Second},
		"too quiet":                {twoSteps(), []Reading{quiet}, "step hold hold extend hold hold hold hold hold abort", "18 requests to the new release, 50 are needed, after 3 times the hold of 30s", 90 * time.Second},
		"too quiet, and trusted":   {trusting, []Reading{quiet}, "step hold hold extend hold hold hold hold hold step hold hold extend hold hold hold hold hold promote", "", 3 * time.Minute},
		"enough in the extension":  {twoSteps(), []Reading{quiet, quiet, quiet, good}, "step hold hold extend step hold hold promote", "", 70 * time.Second},
		"four readings lost":       {twoSteps(), []Reading{good, silent}, "step hold hold hold hold abort", "could not be read 4 times in a row: no such socket", 50 * time.Second},
		"three, and then figures":  {twoSteps(), []Reading{silent, silent, silent, good}, "step hold hold hold step hold hold promote", "", 70 * time.Second},
		"three, twice":             {twoSteps(), []Reading{silent, silent, silent, good, silent, silent, silent, good}, "step hold hold hold step hold hold hold promote", "", 80 * time.Second},
		"each step on its own":     {twoSteps(), []Reading{good, good, good, quiet}, "step hold hold step hold hold extend hold hold hold hold hold abort", "18 requests", 2 * time.Minute},
		"an opinion counts alone":  {twoSteps(), []Reading{fine}, "step hold hold step hold hold promote", "", time.Minute},
		"two bad opinions":         {twoSteps(), []Reading{fine, sad, fine, sad, sad}, "step hold hold step hold abort", "the shop is sad", 50 * time.Second},
		"no opinion yet":           {twoSteps(), []Reading{torn}, "step hold hold extend hold hold hold hold hold abort", "wait and see, after 3 times", 90 * time.Second},
		"a step that is not held":  {quick, []Reading{good}, "step promote", "", 10 * time.Second},
		"and is not to be trusted": {quick, []Reading{dead}, "step abort", "100.0 %", 10 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			got, last, took := story(t, test.plan, test.readings...)
			if got != test.want || !strings.Contains(last.Reason, test.reason) || took != test.took {
				t.Errorf("%s (%q) after %s\nwant %s (%q) after %s", got, last.Reason, took, test.want, test.reason, test.took)
			}
			if last.Kind == KindAbort && test.reason == "5.0 % errors (10 of 200" && (last.Window.New.Errors != 5 || last.Verdict != Fail) {
				t.Errorf("the deciding window is %+v", last)
			}
		})
	}
}

func TestActionsNameTheShare(t *testing.T) {
	climb, action := Start(twoSteps(), morning)
	var shares []int
	for action.Kind != KindPromote {
		shares = append(shares, action.Percent)
		action = climb.Observe(action.Next, good)
	}
	want := []int{10, 10, 10, 50, 50, 50}
	if len(shares) != len(want) || action.Percent != 100 {
		t.Fatalf("shares %v, then %d", shares, action.Percent)
	}
	for i := range want {
		if shares[i] != want[i] {
			t.Errorf("shares %v, want %v", shares, want)
		}
	}
}
