package pipeline

import (
	"context"
	"math/rand/v2"
	"time"

	"github.com/org/deploy-action/internal/event"
	"github.com/org/deploy-action/internal/plan"
	"github.com/org/deploy-action/internal/spec"
)

// trial is what may be tried again: a stage, or a task on one server.
type trial struct {
	stage  *plan.Stage
	server string // empty for a stage
	retry  spec.Retry
}

// repeat tries until a try does not fail, the attempts are used up, or ctx ends.
func (r *run) repeat(ctx context.Context, t trial, try func(ctx context.Context, attempt int) event.Result) event.Result {
	for attempt := 1; ; attempt++ {
		began := time.Now()
		result := try(ctx, attempt)
		result.Attempts = attempt
		if result.Outcome != event.Failed || attempt > t.retry.Attempts {
			return result
		}
		wait := backoff(t.retry, attempt, rand.Float64())
		r.emit(t.stage, event.Event{Kind: event.StageRetry, Attempt: &event.Attempt{
			Server: t.server, Number: attempt, Of: t.retry.Attempts + 1, Took: time.Since(began), Wait: wait,
			Error: r.Masker.String(result.Reason),
		}})
		if !sleep(ctx, wait) {
			result = cancelled(ctx)
			result.Attempts = attempt
			return result
		}
	}
}

// backoff is the wait after an attempt that failed: backoff × attempt, varied by
// ±20 % as random goes from 0 to 1, so that what failed together is not tried
// together; never above the bound.
func backoff(retry spec.Retry, attempt int, random float64) time.Duration {
	wait := time.Duration(float64(retry.Backoff) * float64(attempt) * (0.8 + 0.4*random))
	if retry.BackoffMax > 0 {
		return min(wait, retry.BackoffMax)
	}
	return wait
}

// sleep waits and reports whether ctx let it.
func sleep(ctx context.Context, wait time.Duration) bool {
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return ctx.Err() == nil
	}
}
