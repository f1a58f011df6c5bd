package canary

import "time"

// Simulated is how many of so many simulated canaries are aborted, and after how long
// on average, where the new release has those errors, 0 to 1, and takes longer by that
// factor.
func Simulated(plan Plan, errors, slower, rate float64, runs int) (aborted int, after time.Duration) {
	s := trial{plan, release{errors, slower}, release{0, 1}, rate, false}.simulateMany(runs)
	return s.aborted, s.took / time.Duration(max(1, s.aborted))
}

// Standard is a canary without a block of its own.
func Standard() Plan { return standard() }
