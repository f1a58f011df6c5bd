package canary

import "math"

// fisher is the probability that chance alone gives the new release at least
// this many of all errors, were both releases alike: Fisher's exact test,
// one-sided (R. A. Fisher, Statistical Methods for Research Workers, §21.02).
func fisher(newer, older Counts) float64 {
	n, errors := newer.Requests, newer.Errors+older.Errors
	others := older.Requests - (errors - newer.Errors) // good ones of the old release
	most := min(n, errors)
	if newer.Errors == 0 {
		return 1
	}
	// The term for k errors among the n, then each next one from it.
	k := newer.Errors
	log := choose(n, k) + choose(older.Requests, errors-k) - choose(n+older.Requests, errors)
	return tail(math.Exp(log), k, most, func(k int) float64 {
		return float64(n-k) / float64(k+1) * float64(errors-k) / float64(others+k-newer.Errors+1)
	})
}

// binomial is the probability of at least k of n where each has probability p,
// between 0 and 1.
func binomial(k, n int, p float64) float64 {
	if k <= 0 {
		return 1
	}
	if k > n {
		return 0
	}
	log := choose(n, k) + float64(k)*math.Log(p) + float64(n-k)*math.Log1p(-p)
	return tail(math.Exp(log), k, n, func(k int) float64 {
		return float64(n-k) / float64(k+1) * p / (1 - p)
	})
}

// tail sums terms from k to most; ratio is that of the term after k to that of k.
func tail(term float64, k, most int, ratio func(k int) float64) float64 {
	sum := term
	for ; k < most; k++ {
		term *= ratio(k)
		sum += term
	}
	return min(sum, 1)
}

// choose is the logarithm of a binomial coefficient.
func choose(n, k int) float64 {
	return logFactorial(n) - logFactorial(k) - logFactorial(n-k)
}

func logFactorial(n int) float64 {
	log, _ := math.Lgamma(float64(n) + 1)
	return log
}
