package canary

import (
	"strings"
	"testing"
)

func TestWeigh(t *testing.T) {
	n := func(x float64) *float64 { return &x }
	few := Figure{Name: "requests", New: n(8), Limits: Limits{Enough: n(50)}}
	for name, test := range map[string]struct {
		figures []Figure
		want    Verdict
		why     string
	}{
		"good":                 {[]Figure{{"e", n(0.5), n(0), Limits{Max: n(1)}}}, Pass, ""},
		"over the most":        {[]Figure{{"e", n(4), n(0.25), Limits{Max: n(1)}}}, Fail, "e is 4, the old release has 0.25; at most 1 is allowed"},
		"worse":                {[]Figure{{"p95", n(0.3), n(0.1), Limits{MaxRatio: n(1.5)}}}, Fail, "at most 0.15 is allowed"},
		"over both":            {[]Figure{{"e", n(4), n(1), Limits{Max: n(2), MaxRatio: n(1.5)}}}, Fail, "at most 2 is allowed"},
		"as bad as the old":    {[]Figure{{"e", n(4), n(4), Limits{Max: n(1), MaxRatio: n(1.5)}}}, Pass, ""},
		"below the most":       {[]Figure{{"e", n(0.5), n(0), Limits{Max: n(1), MaxRatio: n(1.5)}}}, Pass, ""},
		"nothing to compare":   {[]Figure{{"e", n(4), nil, Limits{Max: n(1), MaxRatio: n(1.5)}}}, Fail, "e is 4; at most 1"},
		"under the least":      {[]Figure{{"ok", n(90), n(99), Limits{Min: n(95)}}}, Fail, "at least 95 is allowed"},
		"under both":           {[]Figure{{"ok", n(90), n(99), Limits{Min: n(95), MinRatio: n(0.99)}}}, Fail, "at least 95 is allowed"},
		"as low as the old":    {[]Figure{{"ok", n(90), n(90), Limits{Min: n(95), MinRatio: n(0.99)}}}, Pass, ""},
		"no value":             {[]Figure{{"e", nil, n(1), Limits{Max: n(1)}}}, Insufficient, "e has no value for the new release"},
		"no value to compare":  {[]Figure{{"e", n(1), nil, Limits{MaxRatio: n(1)}}}, Insufficient, "e has no value for the old release"},
		"too few":              {[]Figure{few, {"e", n(4), n(0), Limits{Max: n(1)}}}, Insufficient, "requests is 8 for the new release, 50 is needed"},
		"bad beside no value":  {[]Figure{{"x", nil, nil, Limits{Max: n(1)}}, {"e", n(4), n(0), Limits{Max: n(1)}}}, Fail, "e is 4"},
		"enough, and no limit": {[]Figure{{"requests", n(50), n(0), Limits{Enough: n(50)}}}, Pass, ""},
	} {
		got := Weigh(test.figures)
		if got.Verdict != test.want || !strings.Contains(got.Why, test.why) || test.why == "" && got.Why != "" {
			t.Errorf("%s: %+v, want %s with %q", name, got, test.want, test.why)
		}
	}
}
