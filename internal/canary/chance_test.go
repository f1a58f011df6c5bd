package canary

import (
	"math"
	"math/big"
	"math/rand/v2"
	"testing"
)

func counts(requests, errors int) Counts { return Counts{Requests: requests, Errors: errors} }

func TestFisherPublished(t *testing.T) {
	for _, test := range []struct {
		name         string
		newer, older Counts
		want         float64
	}{
		{"Fisher's lady tasting tea, 3 of 4", counts(4, 3), counts(4, 1), 17.0 / 70},
		{"Fisher's lady tasting tea, 4 of 4", counts(4, 4), counts(4, 0), 1.0 / 70},
		{"Fisher's criminal twins (convicted: 10 of 13 and 2 of 17)", counts(13, 10), counts(17, 2), 0.0004651806},
		{"studying, 1 of 10 and 11 of 14", counts(14, 11), counts(10, 1), 0.001379728},
		{"nothing failed", counts(50, 0), counts(450, 0), 1},
		{"everything failed", counts(50, 50), counts(450, 450), 1},
		{"no old requests", counts(50, 7), counts(0, 0), 1},
	} {
		if got := fisher(test.newer, test.older); math.Abs(got-test.want) > 1e-9*10 {
			t.Errorf("%s: %.10f, want %.10f", test.name, got, test.want)
		}
	}
}

// exactFisher sums the terms as fractions.
func exactFisher(newer, older Counts) float64 {
	n, m, errors := int64(newer.Requests), int64(older.Requests), int64(newer.Errors+older.Errors)
	sum := new(big.Int)
	for k := int64(newer.Errors); k <= min(n, errors); k++ {
		term := new(big.Int).Binomial(n, k)
		sum.Add(sum, term.Mul(term, new(big.Int).Binomial(m, errors-k)))
	}
	p, _ := new(big.Rat).SetFrac(sum, new(big.Int).Binomial(n+m, errors)).Float64()
	return p
}

func TestFisherIsExact(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for range 500 {
		newer, older := counts(1+random.IntN(300), 0), counts(1+random.IntN(3000), 0)
		newer.Errors, older.Errors = random.IntN(newer.Requests+1), random.IntN(min(200, older.Requests+1))
		got, want := fisher(newer, older), exactFisher(newer, older)
		if math.Abs(got-want) > 1e-9*want+1e-300 {
			t.Errorf("%+v %+v: %g, want %g", newer, older, got, want)
		}
	}
	// A day of a busy site, by which rounding would show.
	if p := fisher(counts(5_000_000, 5000), counts(5_000_000, 5000)); math.Abs(p-0.5) > 0.01 {
		t.Errorf("p of equal releases is %g", p)
	}
}

func TestBinomial(t *testing.T) {
	for _, test := range []struct {
		k, n int
		p    float64
		want float64
	}{
		{0, 10, 0.5, 1}, {10, 10, 0.5, 1.0 / 1024}, {8, 10, 0.5, 56.0 / 1024}, {11, 10, 0.5, 0},
		{1, 20, 0.05, 1 - math.Pow(0.95, 20)},
	} {
		if got := binomial(test.k, test.n, test.p); math.Abs(got-test.want) > 1e-12 {
			t.Errorf("%d of %d at %g: %g, want %g", test.k, test.n, test.p, got, test.want)
		}
	}
}
