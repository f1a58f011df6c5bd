package canary

import (
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"testing"
	"time"
)

// release is how a simulated release behaves.
type release struct {
	errors float64 // of its answers, 0 to 1
	slower float64 // than the usual latency, by this factor
}

// serve is what a release does with n requests. Latencies are log-normal with a
// median of 50 ms and a p95 of 114 ms.
func (r release) serve(random *rand.Rand, n int) Counts {
	c := Counts{Requests: n}
	for range n {
		if random.Float64() < r.errors {
			c.Errors++
		}
		c.Latency.Add(time.Duration(r.slower * 50 * math.Exp(0.5*random.NormFloat64()) * float64(time.Millisecond)))
	}
	return c
}

// poisson is how many requests come where mean do on average.
func poisson(random *rand.Rand, mean float64) int {
	return max(0, int(math.Round(mean+math.Sqrt(mean)*random.NormFloat64()))) // near enough from 20 on
}

// standard is a canary without a block of its own.
func standard() Plan {
	plan := Plan{Interval: 10 * time.Second, Rules: usual}
	for _, percent := range []int{10, 30, 50, 70, 90} {
		plan.Steps = append(plan.Steps, Step{Percent: percent, Hold: 30 * time.Second})
	}
	return plan
}

// ended is how a simulated canary did.
type ended struct {
	aborted bool
	windows int // judged
	took    time.Duration
}

// trial is a canary to simulate.
type trial struct {
	plan         Plan
	newer, older release
	rate         float64 // requests per second
	reloads      bool    // may come in any window, and lose the figures of up to half of it
}

// simulate runs one canary.
func (t trial) simulate(seed uint64) ended {
	random := rand.New(rand.NewPCG(seed, 7))
	now := morning
	climb, action := Start(t.plan, now)
	var e ended
	for action.Kind != KindPromote && action.Kind != KindAbort {
		seconds, share := action.Next.Sub(now).Seconds(), float64(action.Percent)/100
		if t.reloads && random.IntN(3) == 0 {
			seconds *= 1 - random.Float64()/2
		}
		now = action.Next
		action = climb.Observe(now, Reading{Window: Window{
			New: t.newer.serve(random, poisson(random, t.rate*seconds*share)),
			Old: t.older.serve(random, poisson(random, t.rate*seconds*(1-share))),
		}})
		if action.Verdict != "" && action.Verdict != Insufficient {
			e.windows++
		}
	}
	e.aborted, e.took = action.Kind == KindAbort, now.Sub(morning)
	return e
}

// sum is what many canaries did.
type sum struct {
	runs, aborted, inTwo int
	took                 time.Duration // of those that were aborted, together
}

func (t trial) simulateMany(runs int) sum {
	s := sum{runs: runs}
	for seed := range runs {
		e := t.simulate(uint64(seed))
		if !e.aborted {
			continue
		}
		s.aborted++
		s.took += e.took
		if e.windows <= 2 {
			s.inTwo++
		}
	}
	return s
}

func (s sum) percent(n int) float64 { return 100 * float64(n) / float64(s.runs) }

var rates = []float64{20, 500}

// A release that is like the old one, whatever that is like, is promoted; one
// that fails a tenth of its requests is stopped by two windows.
func TestSimulatedVerdicts(t *testing.T) {
	runs := map[float64]int{20: 300, 500: 6}
	if os.Getenv("TURNOUT_SOAK") != "" {
		runs = map[float64]int{20: 2000, 500: 400}
	}
	for _, rate := range rates {
		for _, reloads := range []bool{false, true} {
			for _, errors := range []float64{0, 0.005, 0.02} {
				same := release{errors, 1}
				if s := (trial{standard(), same, same, rate, reloads}).simulateMany(runs[rate]); s.percent(s.aborted) >= 1 {
					t.Errorf("%g requests/s, %.1f %% errors in both releases, reloads %t: %d of %d aborted", rate, 100*errors, reloads, s.aborted, s.runs)
				}
			}
			s := trial{standard(), release{0.1, 1}, release{0, 1}, rate, reloads}.simulateMany(runs[rate])
			if s.percent(s.inTwo) < 99 {
				t.Errorf("%g requests/s, 10 %% errors, reloads %t: %d of %d were stopped within two windows", rate, reloads, s.inTwo, s.runs)
			}
		}
	}
}

// TestSoakTable prints the table of docs/canary.md.
func TestSoakTable(t *testing.T) {
	if os.Getenv("TURNOUT_SOAK") == "" {
		t.Skip("set TURNOUT_SOAK for the table of docs/canary.md")
	}
	fmt.Println("| requests/s | errors | latency | aborted | within two windows | after |")
	fmt.Println("| --- | --- | --- | --- | --- | --- |")
	for _, rate := range rates {
		for _, slower := range []float64{1, 1.2, 2} {
			for _, errors := range []float64{0, 0.5, 1, 2, 5, 10} {
				s := trial{standard(), release{errors / 100, slower}, release{0, 1}, rate, false}.simulateMany(200)
				after := "–"
				if s.aborted > 0 {
					after = fmt.Sprintf("%.0f s", (s.took / time.Duration(s.aborted)).Seconds())
				}
				fmt.Printf("| %g | %g %% | × %g | %.1f %% | %.1f %% | %s |\n", rate, errors, slower, s.percent(s.aborted), s.percent(s.inTwo), after)
			}
		}
	}
}
