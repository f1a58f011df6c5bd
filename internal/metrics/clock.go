package metrics

import (
	"fmt"
	"time"
)

// tooFar is how far a clock may be off before it is told. Switches and locks go by
// no clock of a server; logs, certificates and releases' names do.
const tooFar = 30 * time.Second

// Skew is how far a clock is ahead of ours that was read between two moments; less
// than 0: behind. It is 0 where the clock may be right: how long each way took is
// not known.
func Skew(asked, answered, clock time.Time) time.Duration {
	asked, answered = asked.Round(0), answered.Round(0) // wall clocks on both sides
	switch {
	case clock.Before(asked):
		return clock.Sub(asked)
	case clock.After(answered):
		return clock.Sub(answered)
	}
	return 0
}

// ClockAdvice is what to do about a clock that is off, without the machine's name;
// empty where it is right enough.
func ClockAdvice(skew time.Duration) string {
	way := "ahead of"
	if skew < 0 {
		way, skew = "behind", -skew
	}
	if skew <= tooFar {
		return ""
	}
	return fmt.Sprintf("its clock is %s %s the one here: set one of them, by NTP. Switches do not go by it; the times in its logs, and certificates, do.", skew.Round(time.Second), way)
}
