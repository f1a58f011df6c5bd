package canary

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

func TestEveryDurationIsNearItsBucket(t *testing.T) {
	last := -1
	for ms := range 4_000_000 {
		d := time.Duration(ms) * time.Millisecond
		bucket := bucketOf(d)
		if bucket != last && bucket != last+1 {
			t.Fatalf("%s is in bucket %d, the one before in %d", d, bucket, last)
		}
		last = bucket
		if miss := math.Abs(float64(middle(bucket) - min(d, longest))); miss > 0.032*float64(d) {
			t.Fatalf("%s counts as %s", d, middle(bucket))
		}
	}
	if bucketOf(-time.Second) != 0 || bucketOf(1000*time.Hour) != last {
		t.Error("what is out of range is not at its ends")
	}
	if last > 400 {
		t.Errorf("%d buckets", last)
	}
}

func TestQuantiles(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 4))
	var h Histogram
	var all []time.Duration
	for range 5000 {
		d := time.Duration(random.ExpFloat64()*80) * time.Millisecond
		h.Add(d)
		all = append(all, d)
	}
	slices.Sort(all)
	for _, q := range []float64{0.01, 0.5, 0.95, 0.99, 1} {
		want := all[int(math.Ceil(q*5000))-1]
		if got := h.Quantile(q); math.Abs(float64(got-want)) > 0.032*float64(want) {
			t.Errorf("%g: %s, want %s", q, got, want)
		}
	}
	if got := (Histogram)(nil).Quantile(0.95); got != 0 {
		t.Errorf("nothing: %s", got)
	}
	if n := h.Over(80 * time.Millisecond); n < 1600 || n > 2100 {
		t.Errorf("%d over the mean", n)
	}
}

func TestPlusLeavesItsParts(t *testing.T) {
	a, b := Counts{Requests: 1, Latency: Histogram{1}}, Counts{Requests: 2, Errors: 1, Latency: Histogram{0, 2}}
	sum := a.Plus(b)
	if sum.Requests != 3 || sum.Errors != 1 || !slices.Equal(sum.Latency, []int{1, 2}) {
		t.Errorf("sum %+v", sum)
	}
	if !slices.Equal(a.Latency, []int{1}) || !slices.Equal(b.Latency, []int{0, 2}) {
		t.Errorf("parts %+v %+v", a, b)
	}
}
