package canary

import (
	"fmt"
	"time"
)

// Rules say what the new release may do. All are in force at once.
type Rules struct {
	MinRequests     int     // to the new release, below which a window says nothing
	MaxErrorRate    float64 // percent
	MaxLatencyRatio float64 // of the new p95 to the old
	Failures        int     // failed windows in a row that abort, at least 1
}

// Window is what both releases did in the same time: for clients and, apart, for
// requests that were made so that there are any.
type Window struct {
	New, Old                   Counts
	SyntheticNew, SyntheticOld Counts
}

// Plus is w and v together.
func (w Window) Plus(v Window) Window {
	return Window{
		New: w.New.Plus(v.New), Old: w.Old.Plus(v.Old),
		SyntheticNew: w.SyntheticNew.Plus(v.SyntheticNew), SyntheticOld: w.SyntheticOld.Plus(v.SyntheticOld),
	}
}

// clients is w without synthetic requests.
func (w Window) clients() Window { return Window{New: w.New, Old: w.Old} }

// joint is w with synthetic requests as if they were clients'.
func (w Window) joint() Window {
	return Window{New: w.New.Plus(w.SyntheticNew), Old: w.Old.Plus(w.SyntheticOld)}
}

// Verdict is what a window says of the new release.
type Verdict string

const (
	Pass         Verdict = "pass"
	Fail         Verdict = "fail"
	Insufficient Verdict = "insufficient"
)

// How rarely chance may make a good release look that bad: for one window to
// fail, and for the last windows together to abort. A canary is judged some
// twenty times, so one in twenty would abort most of them.
const (
	unlikely = 0.05
	certain  = 0.0005
)

// To be worse, the error rate must differ by a point, and the p95 by 50 ms: less
// is not worth an abort, however certain it is.
const (
	worsePoints  = 1.0
	worseLatency = 50 * time.Millisecond
	quantile     = 0.95
	fewLatencies = 20 // too few for a p95
	hopeless     = 25.0
)

// least is how many requests to the new release a verdict needs.
func (r Rules) least() int { return max(1, r.MinRequests) }

// Judge says what the window says, and why if it fails. Synthetic requests count only
// where those of clients are too few.
func (r Rules) Judge(w Window) (Verdict, string) {
	if all := w.joint().New.Requests; all < r.least() {
		few := fmt.Sprintf("%d requests to the new release", all)
		if n := w.SyntheticNew.Requests; n > 0 {
			few += fmt.Sprintf(", %d of them synthetic", n)
		}
		return Insufficient, fmt.Sprintf("%s, %d are needed", few, r.least())
	}
	if reason := r.fails(w, unlikely); reason != "" {
		return Fail, reason
	}
	return Pass, ""
}

// fails is why w fails where chance is that small; empty when it does not.
func (r Rules) fails(w Window, chance float64) string {
	if reason := r.faults(w, chance); reason != "" {
		return reason
	}
	if w.New.Requests >= r.least() {
		return r.latency(w.clients(), chance)
	}
	return r.latency(w.joint(), chance)
}

// faults is why the errors of w fail. Those of clients are looked at by themselves,
// however few they are, or good answers to synthetic requests would hide them.
func (r Rules) faults(w Window, chance float64) string {
	enough := w.New.Requests >= r.least()
	if enough || w.Old.Requests > 0 {
		if reason := r.errors(w.clients(), chance); enough || reason != "" {
			return reason
		}
	}
	reason := r.errors(w.joint(), chance)
	if reason != "" && w.SyntheticNew.Requests > 0 {
		reason += "; synthetic requests count"
	}
	return reason
}

// errors is why the error rate fails. It is to be over what is allowed, and worse
// than the old release's by no more than that chance. Without requests to the
// old release the first alone decides.
func (r Rules) errors(w Window, chance float64) string {
	newer, older := w.New.ErrorRate(), w.Old.ErrorRate()
	if newer <= r.MaxErrorRate || binomial(w.New.Errors, w.New.Requests, r.MaxErrorRate/100) >= unlikely {
		return ""
	}
	if w.Old.Requests > 0 && (newer < older+worsePoints || fisher(w.New, w.Old) >= chance) {
		return ""
	}
	return fmt.Sprintf("%.1f %% errors (%d of %d requests), the old release has %.1f %% (%d of %d); at most %g %% are allowed",
		newer, w.New.Errors, w.New.Requests, older, w.Old.Errors, w.Old.Requests, r.MaxErrorRate)
}

// latency is why the p95 fails. Of a release whose p95 is at the limit, 5 % of
// the requests take longer: it fails when so many do that chance can't be why.
func (r Rules) latency(w Window, chance float64) string {
	if w.New.Latency.Total() < fewLatencies || w.Old.Latency.Total() < fewLatencies {
		return ""
	}
	older := w.Old.Latency.Quantile(quantile)
	limit := max(time.Duration(float64(older)*r.MaxLatencyRatio), older+worseLatency)
	if binomial(w.New.Latency.Over(limit), w.New.Latency.Total(), 1-quantile) >= chance {
		return ""
	}
	return fmt.Sprintf("p95 %s, the old release has %s; at most %s is allowed", round(w.New.Latency.Quantile(quantile)), round(older), round(limit))
}

// conclude is why the last windows, of which the last bad ones failed, abort the
// canary; empty when they do not.
func (r Rules) conclude(windows []Window, bad int) string {
	var all Window
	for _, w := range windows {
		all = all.Plus(w)
	}
	if bad >= len(windows) && bad >= max(1, r.Failures) {
		if reason := r.fails(all, certain); reason != "" {
			return reason
		}
	}
	if len(windows) > 1 || max(all.New.ErrorRate(), all.joint().New.ErrorRate()) >= hopeless {
		return r.faults(all, certain)
	}
	return ""
}

func round(d time.Duration) time.Duration { return d.Round(time.Millisecond) }
