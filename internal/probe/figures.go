package probe

import (
	"cmp"
	"fmt"
	"slices"
	"time"
)

// Figures sum up what a prober saw.
type Figures struct {
	Requests   int
	Failed     int
	FirstError string
	P99Before  time.Duration // of good answers to requests begun before the commit; 0 without any
	P99After   time.Duration
	LongestGap time.Duration // between two good answers
}

// Summarise sums up samples in any order. commit is when traffic was moved, on
// the samples' clock; 0 or less says that it was not, and then all of them are
// before it.
func Summarise(samples []Sample, commit time.Duration) Figures {
	ordered := slices.Clone(samples)
	slices.SortStableFunc(ordered, func(a, b Sample) int { return cmp.Compare(a.At, b.At) })
	f := Figures{Requests: len(ordered)}
	var before, after, answers []time.Duration
	for _, s := range ordered {
		switch {
		case s.Error != "":
			f.fail(s)
			continue
		case commit > 0 && s.At >= commit:
			after = append(after, s.Took)
		default:
			before = append(before, s.Took)
		}
		answers = append(answers, s.At+s.Took)
	}
	f.P99Before, f.P99After = p99(before), p99(after)
	f.LongestGap = longestGap(answers)
	return f
}

func (f *Figures) fail(s Sample) {
	f.Failed++
	if f.FirstError == "" {
		f.FirstError = s.Error
	}
}

// p99 is the smallest of all that 99 % do not exceed.
func p99(all []time.Duration) time.Duration {
	if len(all) == 0 {
		return 0
	}
	slices.Sort(all)
	return all[(len(all)*99+99)/100-1]
}

func longestGap(answers []time.Duration) time.Duration {
	slices.Sort(answers)
	var longest time.Duration
	for i := 1; i < len(answers); i++ {
		longest = max(longest, answers[i]-answers[i-1])
	}
	return longest
}

// Since are the samples of requests begun at at or later.
func Since(samples []Sample, at time.Duration) []Sample {
	return slices.DeleteFunc(slices.Clone(samples), func(s Sample) bool { return s.At < at })
}

const (
	badInARow    = 3   // failures one after the other that decide at once
	badOfHundred = 1.0 // percent of failures that a whole window may have
)

// Judge says what is wrong with a window of samples, nil when nothing is:
// three failures in a row or, once the window is over, more than 1 % of failures.
func Judge(samples []Sample, over bool) error {
	ordered := slices.Clone(samples)
	slices.SortStableFunc(ordered, func(a, b Sample) int { return cmp.Compare(a.At, b.At) })
	failed, row := 0, 0
	for _, s := range ordered {
		if s.Error == "" {
			row = 0
			continue
		}
		failed++
		row++
		if row == badInARow {
			return fmt.Errorf("%d requests in a row failed, the last with: %s", badInARow, s.Error)
		}
	}
	if share := 100 * float64(failed) / float64(max(1, len(ordered))); over && share > badOfHundred {
		return fmt.Errorf("%d of %d requests failed (%.1f %%, at most %.0f %% may), the first with: %s",
			failed, len(ordered), share, badOfHundred, Summarise(ordered, 0).FirstError)
	}
	return nil
}
