package health

import (
	"context"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/org/deploy-action/internal/machine"
)

// Await repeats the check until HealthyAfter rounds in a row have passed or the
// deadline is over. Each change of what a part finds is streamed as a line. An
// error means that the context ended.
var Await = machine.Op[Check, Verdict]{Name: "health.await", Do: await}

// Once does one round. An error means that the context ended.
var Once = machine.Op[Check, Verdict]{Name: "health.once", Do: once}

func once(ctx context.Context, at machine.At, c Check) (Verdict, error) {
	w := newWait(at.Out)
	w.note(c.look(ctx, at))
	return w.end(ctx, c.once())
}

// once is the check with the patience of a single round.
func (c Check) once() Check {
	c.HealthyAfter, c.Deadline = 1, c.Timeout
	return c
}

func await(ctx context.Context, at machine.At, c Check) (Verdict, error) {
	if c.Timeout <= 0 || c.Interval <= 0 || c.HealthyAfter <= 0 || c.Deadline <= 0 {
		panic("health: a check without timeout, interval, healthy_after or deadline")
	}
	w := newWait(at.Out)
	deadline := w.began.Add(c.Deadline)
	limited, cancel := context.WithDeadline(ctx, deadline)
	defer cancel()
	tick := time.NewTicker(c.Interval)
	defer tick.Stop()
	for limited.Err() == nil {
		r := c.look(limited, at)
		if w.verdict.Rounds > 0 && !time.Now().Before(deadline) && !r.passed() {
			break // cut short by the deadline: what it found says nothing
		}
		w.note(r)
		if w.verdict.Passes >= c.HealthyAfter {
			break
		}
		select {
		case <-tick.C:
		case <-limited.Done():
		}
	}
	return w.end(ctx, c)
}

// wait is a check under way.
type wait struct {
	began     time.Time
	out       io.Writer
	verdict   Verdict
	said      map[string]Finding // last streamed, by part
	latencies []time.Duration
	failed    round // the last round that failed; zero while none did
}

func newWait(out io.Writer) *wait {
	return &wait{began: time.Now(), out: out, said: make(map[string]Finding)}
}

// note takes in a round.
func (w *wait) note(r round) {
	w.verdict.Rounds++
	w.verdict.Last = r.findings
	if r.latency > 0 {
		w.latencies = append(w.latencies, r.latency)
	}
	if r.passed() {
		w.verdict.Passes++
	} else {
		w.verdict.Passes = 0
		w.failed = r
	}
	for _, f := range r.findings {
		w.say(f)
	}
}

// say streams a finding that is news.
func (w *wait) say(f Finding) {
	before, known := w.said[f.Check]
	if known && before.OK == f.OK && (f.OK || before.Text == f.Text) {
		return
	}
	w.said[f.Check] = f
	mark := "passes"
	if !f.OK {
		mark = "fails"
	}
	fmt.Fprintf(w.out, "%s %s: %s\n", f.Check, mark, f.Text)
}

func (w *wait) end(ctx context.Context, c Check) (Verdict, error) {
	v := w.verdict
	v.Took = time.Since(w.began)
	v.Healthy = v.Passes >= c.HealthyAfter
	v.Latency = median(w.latencies)
	if !v.Healthy {
		if ctx.Err() != nil {
			return v, fmt.Errorf("health: %w", context.Cause(ctx))
		}
		v.Reason = w.reason(c)
		if len(w.failed.findings) > 0 {
			v.Last = w.failed.findings
		}
	}
	return v, nil
}

// reason says why the slot is not healthy.
func (w *wait) reason(c Check) string {
	switch {
	case w.verdict.Passes == 0:
		return w.failed.failures()
	case len(w.failed.findings) == 0:
		return fmt.Sprintf("only %d of %d passes in a row fitted into %s", w.verdict.Passes, c.HealthyAfter, c.Deadline)
	}
	return fmt.Sprintf("only %d of %d passes in a row when %s were over; before that: %s",
		w.verdict.Passes, c.HealthyAfter, c.Deadline, w.failed.failures())
}

func median(all []time.Duration) time.Duration {
	if len(all) == 0 {
		return 0
	}
	slices.Sort(all)
	return all[len(all)/2]
}
