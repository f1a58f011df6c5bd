package metrics

import (
	"strings"
	"testing"
	"time"
)

func TestSkew(t *testing.T) {
	asked := time.Now()
	answered := asked.Add(3 * time.Second)
	for name, c := range map[string]struct{ off, want time.Duration }{
		"right":          {time.Second, 0},
		"an hour ahead":  {3*time.Second + time.Hour, time.Hour},
		"an hour behind": {-time.Hour, -time.Hour},
	} {
		if got := Skew(asked, answered, asked.Round(0).Add(c.off)); got != c.want {
			t.Errorf("%s: %s, want %s", name, got, c.want)
		}
	}
}

func TestClockAdvice(t *testing.T) {
	for skew, want := range map[time.Duration]string{
		30 * time.Second: "", -30 * time.Second: "",
		time.Hour: "its clock is 1h0m0s ahead of the one here", -31 * time.Second: "its clock is 31s behind the one here",
	} {
		if got := ClockAdvice(skew); (got == "") != (want == "") || !strings.HasPrefix(got, want) {
			t.Errorf("%s: %q", skew, got)
		}
	}
	if all := (Sample{Skew: time.Hour}).Advice(); len(all) != 1 {
		t.Errorf("%q", all)
	}
}
