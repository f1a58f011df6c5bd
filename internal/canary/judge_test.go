package canary

import (
	"strings"
	"testing"
	"time"
)

var usual = Rules{MinRequests: 50, MaxErrorRate: 1, MaxLatencyRatio: 1.5, Failures: 2}

// took gives c as many latencies as it has requests: most of them, and a tenth
// that took slow.
func (c Counts) took(most, slow time.Duration) Counts {
	for i := range c.Requests {
		c.Latency.Add(map[bool]time.Duration{true: slow, false: most}[i%10 == 0])
	}
	return c
}

func TestJudge(t *testing.T) {
	const ms = time.Millisecond
	for name, test := range map[string]struct {
		newer, older Counts
		want         Verdict
		reason       string
	}{
		"nothing":                    {Counts{}, Counts{}, Insufficient, "0 requests"},
		"one too few":                {counts(49, 49), counts(500, 0), Insufficient, "49 requests to the new release, 50 are needed"},
		"good":                       {counts(50, 0), counts(450, 0), Pass, ""},
		"one error is chance":        {counts(50, 1), counts(450, 0), Pass, ""},
		"five errors are not":        {counts(50, 5), counts(450, 0), Fail, "10.0 % errors (5 of 50 requests), the old release has 0.0 % (0 of 450); at most 1 % are allowed"},
		"as bad as the old":          {counts(500, 50), counts(4500, 450), Pass, ""},
		"within what is allowed":     {counts(10000, 100), counts(90000, 0), Pass, ""},
		"worse by less than a point": {counts(100000, 1900), counts(100000, 1000), Pass, ""},
		"no old one to compare":      {counts(50, 4), counts(0, 0), Fail, "8.0 % errors"},
		"over the limit by chance":   {counts(50, 2), counts(100000, 0), Pass, ""},
		"as fast":                    {counts(100, 0).took(10*ms, 100*ms), counts(900, 0).took(10*ms, 100*ms), Pass, ""},
		"twice as slow":              {counts(100, 0).took(20*ms, 200*ms), counts(900, 0).took(10*ms, 100*ms), Fail, "p95 204ms, the old release has 102ms"},
		"slower by 40 ms":            {counts(100, 0).took(10*ms, 50*ms), counts(900, 0).took(10*ms, 10*ms), Pass, ""},
		"slower by 40 %":             {counts(100, 0).took(100*ms, 1400*ms), counts(900, 0).took(100*ms, 1000*ms), Pass, ""},
		"no latency of the old":      {counts(100, 0).took(10*ms, 900*ms), counts(900, 0), Pass, ""},
	} {
		got, reason := usual.Judge(Window{New: test.newer, Old: test.older})
		if got != test.want || !strings.Contains(reason, test.reason) || (reason == "") != (got == Pass) {
			t.Errorf("%s: %s %q, want %s %q", name, got, reason, test.want, test.reason)
		}
	}
}
