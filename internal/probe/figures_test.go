package probe

import (
	"slices"
	"strings"
	"testing"
	"time"
)

const ms = time.Millisecond

func good(at, took time.Duration) Sample { return Sample{At: at, Took: took, Status: 200} }

func bad(at time.Duration, why string) Sample { return Sample{At: at, Took: ms, Error: why} }

// steady is n good samples 50 ms apart, each answered after took.
func steady(n int, took time.Duration) []Sample {
	var all []Sample
	for i := range n {
		all = append(all, good(time.Duration(i)*50*ms, took))
	}
	return all
}

func TestSummarise(t *testing.T) {
	for _, test := range []struct {
		name    string
		samples []Sample
		commit  time.Duration
		want    Figures
	}{
		{"nothing", nil, 0, Figures{}},
		{"one", []Sample{good(0, 4*ms)}, 0, Figures{Requests: 1, P99Before: 4 * ms}},
		{
			"commit between", []Sample{good(0, 4*ms), good(50*ms, 5*ms), good(100*ms, 6*ms), good(150*ms, 9*ms)}, 100 * ms,
			Figures{Requests: 4, P99Before: 5 * ms, P99After: 9 * ms, LongestGap: 53 * ms},
		},
		{
			"failures leave a gap and no latency", []Sample{good(0, 2*ms), bad(50*ms, "status 502"), bad(100*ms, "refused"), good(150*ms, 3*ms)}, 40 * ms,
			Figures{Requests: 4, Failed: 2, FirstError: "status 502", P99Before: 2 * ms, P99After: 3 * ms, LongestGap: 151 * ms},
		},
		{
			"samples come in the order of their answers", []Sample{bad(90*ms, "second"), good(200*ms, ms), bad(0, "first"), good(10*ms, 300*ms)}, 0,
			Figures{Requests: 4, Failed: 2, FirstError: "first", P99Before: 300 * ms, LongestGap: 109 * ms},
		},
		{
			"one slow of a hundred is within 99 %", append(steady(99, 2*ms), good(5*time.Second, 900*ms)), 0,
			Figures{Requests: 100, P99Before: 2 * ms, LongestGap: 5900*ms - 4902*ms},
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			before := slices.Clone(test.samples)
			if got := Summarise(test.samples, test.commit); got != test.want {
				t.Errorf("got  %+v\nwant %+v", got, test.want)
			}
			if !slices.Equal(before, test.samples) {
				t.Error("the samples were changed")
			}
		})
	}
}

func TestSince(t *testing.T) {
	samples := []Sample{good(0, ms), good(50*ms, ms), good(100*ms, ms)}
	if got := Since(samples, 50*ms); len(got) != 2 || got[0].At != 50*ms || len(samples) != 3 || samples[0].At != 0 {
		t.Errorf("got %v of %v", got, samples)
	}
}

func TestJudge(t *testing.T) {
	with := func(samples []Sample, failed ...int) []Sample {
		for _, i := range failed {
			samples[i] = bad(samples[i].At, "status 502")
		}
		return samples
	}
	for _, test := range []struct {
		name    string
		samples []Sample
		over    bool
		want    string // empty: nothing is wrong
	}{
		{"nothing seen", nil, true, ""},
		{"all good", steady(100, ms), true, ""},
		{"two in a row may be chance", with(steady(100, ms), 50, 51), false, ""},
		{"three in a row", with(steady(100, ms), 50, 51, 52), false, "3 requests in a row failed, the last with: status 502"},
		{"three apart while the window is open", with(steady(100, ms), 50, 60, 70), false, ""},
		{"1 % at the end", with(steady(100, ms), 50), true, ""},
		{"2 % at the end", with(steady(100, ms), 50, 60), true, "2 of 100 requests failed (2.0 %, at most 1 % may), the first with: status 502"},
		{"order is that of the requests", []Sample{bad(0, "a"), bad(50*ms, "b"), bad(150*ms, "d"), good(100*ms, 90*ms)}, false, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			err := Judge(test.samples, test.over)
			switch {
			case test.want == "" && err != nil:
				t.Errorf("got %v", err)
			case test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)):
				t.Errorf("got %v, want %q", err, test.want)
			}
		})
	}
}
