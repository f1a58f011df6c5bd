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

// Synthetic requests stand in for clients where there are too few of them, and hide
// nothing of what clients see.
func TestJudgeSynthetic(t *testing.T) {
	const ms = time.Millisecond
	for name, test := range map[string]struct {
		w      Window
		want   Verdict
		reason string
	}{
		"too few together": {Window{New: counts(4, 0), SyntheticNew: counts(45, 0)}, Insufficient, "49 requests to the new release, 45 of them synthetic, 50 are needed"},
		"nobody else":      {Window{SyntheticNew: counts(50, 0), SyntheticOld: counts(450, 0)}, Pass, ""},
		"nobody else, and it fails": {Window{SyntheticNew: counts(50, 5), SyntheticOld: counts(450, 0)}, Fail,
			"10.0 % errors (5 of 50 requests), the old release has 0.0 % (0 of 450); at most 1 % are allowed; synthetic requests count"},
		"few clients fail among many that do not": {Window{New: counts(10, 4), Old: counts(90, 0), SyntheticNew: counts(2000, 0), SyntheticOld: counts(18000, 0)}, Fail,
			"40.0 % errors (4 of 10 requests)"},
		"one client fails, and none was at the old one": {Window{New: counts(1, 1), SyntheticNew: counts(100, 0), SyntheticOld: counts(10, 0)}, Pass, ""},
		"enough clients are well":                       {Window{New: counts(50, 0), Old: counts(450, 0), SyntheticNew: counts(50, 50), SyntheticOld: counts(450, 0)}, Pass, ""},
		"enough clients fail":                           {Window{New: counts(50, 5), Old: counts(450, 0), SyntheticNew: counts(5000, 0), SyntheticOld: counts(450, 0)}, Fail, "(5 of 50 requests)"},
		"slow for all of few": {Window{New: counts(5, 0).took(9*ms, 900*ms), SyntheticNew: counts(95, 0).took(9*ms, 900*ms),
			SyntheticOld: counts(900, 0).took(10*ms, 100*ms)}, Fail, "p95 912ms, the old release has 102ms"},
		"quick answers do not hide slow ones": {Window{New: counts(100, 0).took(20*ms, 200*ms), Old: counts(900, 0).took(10*ms, 100*ms),
			SyntheticNew: counts(5000, 0).took(ms, ms), SyntheticOld: counts(5000, 0).took(ms, ms)}, Fail, "p95 204ms, the old release has 102ms"},
	} {
		got, reason := usual.Judge(test.w)
		if got != test.want || !strings.Contains(reason, test.reason) || (reason == "") != (got == Pass) {
			t.Errorf("%s: %s %q, want %s %q", name, got, reason, test.want, test.reason)
		}
	}
	bad := Window{New: counts(10, 6), Old: counts(90, 0), SyntheticNew: counts(100, 0), SyntheticOld: counts(900, 0)}
	if reason := usual.conclude([]Window{bad}, 1); !strings.Contains(reason, "60.0 % errors (6 of 10 requests)") {
		t.Errorf("most clients fail: %q", reason)
	}
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
