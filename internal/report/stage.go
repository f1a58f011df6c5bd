package report

import (
	"fmt"
	"time"

	"github.com/org/deploy-action/internal/event"
)

// stage is a stage of the run, or a rollback strategy, with what became of it.
type stage struct {
	event.Stage
	number   int       // from 1, in run order; 0 for a rollback strategy
	order    int       // of its first event; stages without one come last
	place    int       // in the plan
	needed   []*stage  // those of the run that it needs
	critical bool      // on the longest chain
	before   *stage    // the one before it there
	ready    time.Time // when the last of them was done; zero where not known
	started  time.Time
	ended    time.Time
	retries  []retry
	again    map[string][]event.Attempt // of a task: attempts on a server that were repeated
	steps    []*step
	result   event.Result
	finished bool
}

// retry is an attempt that was repeated, and when it was over.
type retry struct {
	event.Attempt
	at time.Time
}

func (s *stage) take(order int, e event.Event) {
	s.order = min(s.order, order)
	switch {
	case e.Kind == event.StageStarted:
		s.started = e.Time
	case e.Kind == event.StageRetry && e.Attempt != nil:
		s.retry(*e.Attempt, e.Time)
	case e.Kind == event.StageFinished && e.Result != nil:
		s.result, s.finished, s.ended = *e.Result, true, e.Time
	}
}

// retry notes an attempt that failed: of the stage, which begins anew on every
// server of a task, or on one of them.
func (s *stage) retry(a event.Attempt, at time.Time) {
	if a.Server == "" {
		s.retries, s.again = append(s.retries, retry{a, at}), nil
		return
	}
	if s.again == nil {
		s.again = make(map[string][]event.Attempt)
	}
	s.again[a.Server] = append(s.again[a.Server], a)
}

// link notes those of the stages that come before s.
func (s *stage) link(needed []*stage) {
	for _, other := range needed {
		if !other.Rollback && other.place < s.place {
			s.needed = append(s.needed, other)
		}
	}
}

// family is what legs of one matrix have in common.
func (s *stage) family() string {
	if s.Leg != "" {
		return "leg of " + s.Leg
	}
	return "stage " + s.Name
}

// waited is how long s could have started but had no free place.
func (s *stage) waited() time.Duration {
	if s.started.IsZero() || s.ready.IsZero() {
		return 0
	}
	return max(s.started.Sub(s.ready), 0)
}

// took is how long s ran; zero where it did not, or never ended.
func (s *stage) took() time.Duration {
	if s.started.IsZero() || !s.finished {
		return 0
	}
	return s.result.Took
}

// attempts is how often the stage was tried.
func (s *stage) attempts() int { return max(s.result.Attempts, len(s.retries)) }

// flaky reports whether s passed only when repeated.
func (s *stage) flaky() bool { return s.result.Outcome == event.Succeeded && s.attempts() > 1 }

// outcome is how the stage ended, in a word or two.
func (s *stage) outcome() string {
	switch {
	case s.finished:
		return string(s.result.Outcome)
	case !s.started.IsZero():
		return "unfinished"
	case s.Rollback:
		return "did nothing"
	}
	return "not reached"
}

// verdict is the outcome, with what makes a failure harmless.
func (s *stage) verdict() string {
	if s.result.Ignored {
		return s.outcome() + ", ignored"
	}
	return s.outcome()
}

// kind is the label of the spec, or what the stage does.
func (s *stage) kind() string {
	if s.Type != "" {
		return s.Type
	}
	return s.Body
}

// why is the reason, or what earlier attempts died of.
func (s *stage) why() string {
	if s.result.Reason != "" || len(s.retries) == 0 {
		return s.result.Reason
	}
	last := s.retries[len(s.retries)-1]
	return fmt.Sprintf("attempt %d of %d: %s", last.Number, last.Of, last.Error)
}

// idle reports whether s is a rollback strategy that was not called for.
func (s *stage) idle() bool { return s.Rollback && s.started.IsZero() && !s.finished }

// idleBecause is why a rollback strategy did nothing.
func (a *account) idleBecause() string {
	if a.finished {
		return "its condition did not hold"
	}
	return "the run ended before it was asked"
}

// follows reports whether s stands right behind other on the longest chain.
func (s *stage) follows(other *stage) bool { return s.critical && s.before == other }

// attempt is one try of a stage that was repeated.
type attempt struct {
	number, of int
	outcome    event.Outcome // empty: it has not ended
	reason     string
	began      time.Time
	took, wait time.Duration // wait before the next one
}

// tries are the attempts of a stage that was repeated; none where the first was
// the only one.
func (s *stage) tries() []attempt {
	if len(s.retries) == 0 {
		return nil
	}
	var all []attempt
	began := s.started
	for _, r := range s.retries {
		all = append(all, attempt{
			number: r.Number, of: r.Of, outcome: event.Failed, reason: r.Error,
			began: r.at.Add(-r.Took), took: r.Took, wait: r.Wait,
		})
		began = r.at.Add(r.Wait)
	}
	last := all[len(all)-1]
	if s.finished && s.result.Attempts == last.number {
		return all // cancelled while it waited for the next one
	}
	next := attempt{number: last.number + 1, of: last.of, outcome: s.result.Outcome, reason: s.result.Reason, began: began}
	if s.finished {
		next.took = max(s.ended.Sub(began), 0)
	}
	return append(all, next)
}
