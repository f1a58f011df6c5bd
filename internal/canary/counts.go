// Package canary decides how a canary goes on: it judges windows of requests to
// the new and to the old release, and says when to step, hold, promote or abort.
// It is pure: time and figures come in as values.
package canary

import (
	"math/bits"
	"time"
)

// Counts are requests to one slot, and how they ended.
type Counts struct {
	Requests int       `json:"requests"`
	Errors   int       `json:"errors"`  // answered with a status of 500 and more, or not at all
	Latency  Histogram `json:"latency"` // to the header of the answer; without requests that got none
}

// Plus is c and d together.
func (c Counts) Plus(d Counts) Counts {
	sum := Counts{Requests: c.Requests + d.Requests, Errors: c.Errors + d.Errors}
	sum.Latency = append(sum.Latency, c.Latency...)
	for bucket, n := range d.Latency {
		sum.Latency.put(bucket, n)
	}
	return sum
}

// ErrorRate is in percent; 0 without requests.
func (c Counts) ErrorRate() float64 {
	if c.Requests == 0 {
		return 0
	}
	return 100 * float64(c.Errors) / float64(c.Requests)
}

// Histogram counts durations by size: up to 32 ms in steps of 1 ms, from there on
// in 16 steps per doubling, so that a quantile is exact to 3 %. The longest is
// an hour.
type Histogram []int

const (
	exactBits = 5 // durations of fewer bits, in milliseconds, have a bucket of their own
	perOctave = 1 << (exactBits - 1)
	longest   = time.Hour
)

// Add counts one duration.
func (h *Histogram) Add(d time.Duration) { h.put(bucketOf(d), 1) }

func (h *Histogram) put(bucket, n int) {
	for len(*h) <= bucket {
		*h = append(*h, 0)
	}
	(*h)[bucket] += n
}

func bucketOf(d time.Duration) int {
	ms := uint(min(max(d, 0), longest) / time.Millisecond)
	shift := max(0, bits.Len(ms)-exactBits)
	return shift*perOctave + int(ms>>shift)
}

// middle is the duration that stands for those of a bucket.
func middle(bucket int) time.Duration {
	shift := max(0, bucket/perOctave-1)
	ms := (bucket - shift*perOctave) << shift
	return time.Duration(ms)*time.Millisecond + time.Duration(1<<shift-1)*time.Millisecond/2
}

// Total is how many durations were counted.
func (h Histogram) Total() int {
	n := 0
	for _, count := range h {
		n += count
	}
	return n
}

// Quantile is the smallest duration that a part q of all, 0 to 1, does not
// exceed; 0 without any.
func (h Histogram) Quantile(q float64) time.Duration {
	missing := q * float64(h.Total())
	for bucket, count := range h {
		missing -= float64(count)
		if missing <= 0 && count > 0 {
			return middle(bucket)
		}
	}
	return 0
}

// Over counts the durations longer than limit.
func (h Histogram) Over(limit time.Duration) int {
	n := 0
	for bucket, count := range h {
		if middle(bucket) > limit {
			n += count
		}
	}
	return n
}
