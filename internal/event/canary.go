package event

import (
	"fmt"
	"strings"
	"time"
)

// Canary is the account of a canary.
type Canary struct {
	Sticky string `json:"sticky"`
	Source string `json:"source"` // of the verdicts
	// Synthetic is how many requests a second each proxy was sent beside those of
	// clients.
	Synthetic int           `json:"synthetic,omitempty"`
	Outcome   CanaryOutcome `json:"outcome"`
	Reason    string        `json:"reason,omitempty"` // why it was skipped or aborted, or who promoted it
	Shares    []Share       `json:"shares,omitempty"` // that the new release was given, in order
	Looks     []Look        `json:"looks,omitempty"`
}

// CanaryOutcome is how a canary ended.
type CanaryOutcome string

const (
	CanarySkipped     CanaryOutcome = "skipped"  // the first deploy has nothing to be compared with
	CanaryPromoted    CanaryOutcome = "promoted" // all traffic was to go to the new release
	CanaryAborted     CanaryOutcome = "aborted"  // by a verdict, or by a word
	CanaryInterrupted CanaryOutcome = "interrupted"
)

// Share is a share of the requests that the new release was given.
type Share struct {
	Slot    string        `json:"slot"`
	At      time.Duration `json:"at_ns"` // since the switch began
	Percent int           `json:"percent"`
	Took    time.Duration `json:"took_ns"` // until the last proxy was proven to follow
}

// Look is a look at a canary: what both releases did in a window, what that says,
// and what follows. The window ends with the look; it is as long as it takes to
// tell something.
type Look struct {
	At      time.Duration `json:"at_ns"`   // since the switch began
	Percent int           `json:"percent"` // that the new release had
	New     Side          `json:"new"`
	Old     Side          `json:"old"`

	// SyntheticNew and SyntheticOld are requests that are in New and Old not: those
	// that turnout has sent.
	SyntheticNew *Side `json:"synthetic_new,omitempty"`
	SyntheticOld *Side `json:"synthetic_old,omitempty"`

	Figures []Figure `json:"figures,omitempty"` // that a canary by Prometheus is judged by
	Verdict string   `json:"verdict,omitempty"` // pass, fail, insufficient; empty: no figures
	Why     string   `json:"why,omitempty"`     // it fails, or there are no figures
	Missed  bool     `json:"missed,omitempty"`  // a proxy could not tell of all requests
	Action  string   `json:"action"`            // step, hold, extend, promote, abort
	Next    int      `json:"next_percent"`      // that the new release gets from now on
	Reason  string   `json:"reason,omitempty"`  // of an extension or an abort
}

// Side is what one release did in a window.
type Side struct {
	Slot     string        `json:"slot"`
	Requests int           `json:"requests"`
	Errors   int           `json:"errors"` // answered with 500 and more, or not at all
	P50      time.Duration `json:"p50_ns"` // to the header of the answer; 0 without any
	P95      time.Duration `json:"p95_ns"`
}

// ErrorRate is in percent; 0 without requests.
func (s Side) ErrorRate() float64 {
	if s.Requests == 0 {
		return 0
	}
	return 100 * float64(s.Errors) / float64(s.Requests)
}

// Figure is a metric of both releases; nil: it has no value.
type Figure struct {
	Name string   `json:"name"`
	New  *float64 `json:"new,omitempty"`
	Old  *float64 `json:"old,omitempty"`
}

// Measured is what all figures of a look are: "p95 0.12 (old 0.11), requests 80 (old 720)".
func (l Look) Measured() string {
	var texts []string
	for _, f := range l.Figures {
		texts = append(texts, fmt.Sprintf("%s %s (old %s)", f.Name, number(f.New), number(f.Old)))
	}
	return strings.Join(texts, ", ")
}

func number(n *float64) string {
	if n == nil {
		return "–"
	}
	return fmt.Sprintf("%.4g", *n)
}
