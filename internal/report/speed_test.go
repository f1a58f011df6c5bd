package report

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/org/deploy-action/internal/event"
)

// side is a run on that many places whose stages, by name, lasted so long, all
// needing only "first", and started so long after it.
func side(places int, total time.Duration, lasted, waited []time.Duration) []event.Event {
	all := []event.Stage{{Name: "first", Body: "run"}}
	for i := range lasted {
		all = append(all, event.Stage{Name: fmt.Sprintf("s%d", i), Body: "run", Needs: []string{"first"}})
	}
	l := newLog(all...)
	l.events[0].Run.MaxParallel = places
	l.good("first", time.Second)
	ready := l.now
	for i, d := range lasted {
		l.now = ready.Add(waited[i])
		l.good(fmt.Sprintf("s%d", i), d)
	}
	return l.finish(event.Result{Outcome: event.Succeeded, Took: total})
}

func TestMorePlaces(t *testing.T) {
	const min = time.Minute
	four := []time.Duration{min, min, min, min}
	for name, test := range map[string]struct {
		events []event.Event
		want   string // in the advice; "-": no advice on places
	}{
		"all at once": {
			side(1, 4*min+time.Second, four, []time.Duration{0, min, 2 * min, 3 * min}),
			"max_parallel = 4 instead of 1 would save about 3 min 00 s, if the machine has room for it: s3 waited 3 min 00 s for a place, s2 waited 2 min 00 s for a place, s1 waited 1 min 00 s for a place.",
		},
		"two of them are enough": {
			side(1, 3*min+time.Second, []time.Duration{2 * min, min, time.Second}, []time.Duration{0, 2 * min, 3 * min}),
			"max_parallel = 2 instead of 1 would save about 1 min 01 s",
		},
		"places enough":       {side(4, min+time.Second, four, make([]time.Duration, 4)), "-"},
		"a gain of 5 s":       {side(1, 10*time.Second, []time.Duration{5 * time.Second, 5 * time.Second}, make([]time.Duration, 2)), "-"},
		"a gain of 5 %":       {side(1, 11*min, []time.Duration{10 * min, 30 * time.Second}, make([]time.Duration, 2)), "-"},
		"places not recorded": {side(0, 4*min, four, make([]time.Duration, 4)), "-"},
	} {
		t.Run(name, func(t *testing.T) {
			got := strings.Join(advice(read(test.events)), "\n")
			if test.want == "-" && strings.Contains(got, "max_parallel") || test.want != "-" && !strings.Contains(got, test.want) {
				t.Errorf("want %q in:\n%s", test.want, got)
			}
		})
	}
}

// After a failure nobody wants to read how to be faster.
func TestNoAdviceOnPlacesAfterAFailure(t *testing.T) {
	events := side(1, 4*time.Minute, []time.Duration{time.Minute, time.Minute, time.Minute}, make([]time.Duration, 3))
	events[len(events)-1].Result.Outcome = event.Failed
	if got := strings.Join(advice(read(events)), "\n"); strings.Contains(got, "max_parallel") || strings.Contains(got, "chain") {
		t.Errorf("%s", got)
	}
}

func TestOneStageTakesItAll(t *testing.T) {
	l := newLog(event.Stage{Name: "a"}, event.Stage{Name: "b"}).good("a", 50*time.Second).good("b", 20*time.Second)
	got := strings.Join(advice(read(l.finish(event.Result{Outcome: event.Succeeded, Took: 70 * time.Second}))), "\n")
	if want := "Most of the time went into one stage: a 50 s (71 %)."; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestRouteOfManyStages(t *testing.T) {
	var chain []*stage
	for i := range 12 {
		chain = append(chain, &stage{Stage: event.Stage{Name: fmt.Sprint(i)}})
	}
	if got, want := route(chain), "0 → 1 → 2 → 3 → … (4 more) → 8 → 9 → 10 → 11"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}
