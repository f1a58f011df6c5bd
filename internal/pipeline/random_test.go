package pipeline_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/org/deploy-action/internal/event"
	"github.com/org/deploy-action/internal/pipeline"
	"github.com/org/deploy-action/internal/plan"
	"github.com/org/deploy-action/internal/spec"
)

// TestRandomPlans runs 200 graphs of stages that succeed, fail, are skipped and
// leave children behind; half of the runs are cancelled in the middle. Whatever
// happens, stages come after what they need, each once and at most so many at a
// time, and nothing goes on running.
func TestRandomPlans(t *testing.T) {
	for seed := range uint64(200) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			r := rand.New(rand.NewPCG(seed, 1))
			b := newBench(t)
			b.RunID = fmt.Sprintf("random-%d-%d", os.Getpid(), seed)
			p := randomPlan(r)
			ctx, cancel := context.WithCancelCause(t.Context())
			defer cancel(nil)
			if r.IntN(2) == 0 {
				b.Emit = event.Fan(b.listen, cancelAfter(1+r.IntN(3*len(p.Stages)), cancel))
			}
			got := pipeline.Run(ctx, p, b.Options)
			b.checkGone(t)
			b.checkTold(t, p)
			checkOutcomes(t, b, p, got, ctx.Err() != nil)
			checkOrder(t, p, readLinesIfAny(filepath.Join(b.dir, "order")))
		})
	}
}

// cancelAfter cancels at the nth event.
func cancelAfter(n int, cancel context.CancelCauseFunc) event.Sink {
	return func(event.Event) {
		if n--; n == 0 {
			cancel(errStop)
		}
	}
}

// randomPlan is of stages that write down when they begin and when they end.
func randomPlan(r *rand.Rand) *plan.Plan {
	p := planOf()
	for n := range 1 + r.IntN(12) {
		name := fmt.Sprintf("s%d", n)
		s := stage(n+1, name, fmt.Sprintf("echo begin %[1]s >> order\n%[2]s\necho end %[1]s >> order\n%[3]s", name,
			pick(r, "true", "true", "sleep 600 &", "bash -c 'sleep 600 & sleep 600' & sleep 0.01", "sleep 0.02"), pick(r, "true", "true", "exit 3")))
		for range r.IntN(3) * min(n, 1) {
			if need := p.Stages[r.IntN(n)]; !slices.Contains(s.Needs, need) {
				s.Needs = append(s.Needs, need)
			}
		}
		s.OnFailure = pick(r, spec.Stop, spec.Stop, spec.Continue)
		if r.IntN(8) == 0 {
			s.When = no()
		}
		p.Stages = append(p.Stages, s)
	}
	p.MaxParallel, p.FailFast = 1+r.IntN(4), r.IntN(4) == 0
	return p
}

func pick[T any](r *rand.Rand, from ...T) T { return from[r.IntN(len(from))] }

// checkTold sees that every stage ends once, and that those that begin do so
// once, when all they need have ended and at most so many run.
func (b *bench) checkTold(t *testing.T, p *plan.Plan) {
	t.Helper()
	running, ended := map[string]bool{}, map[string]bool{}
	for _, e := range b.events {
		switch e.Kind {
		case event.StageStarted:
			if running[e.Stage] || ended[e.Stage] {
				t.Errorf("%s began twice", e.Stage)
			}
			running[e.Stage] = true
			if len(running) > p.MaxParallel {
				t.Errorf("%d stages at once, where %d may be", len(running), p.MaxParallel)
			}
			for _, need := range byName(p, e.Stage).Needs {
				if !ended[need.Name] {
					t.Errorf("%s began before %s had ended", e.Stage, need.Name)
				}
			}
		case event.StageFinished:
			if ended[e.Stage] {
				t.Errorf("%s ended twice", e.Stage)
			}
			delete(running, e.Stage)
			ended[e.Stage] = true
		}
	}
	if len(ended) != len(p.Stages) || len(running) > 0 {
		t.Errorf("%d of %d stages ended; still running: %v", len(ended), len(p.Stages), running)
	}
}

func byName(p *plan.Plan, name string) *plan.Stage {
	return p.Stages[slices.IndexFunc(p.Stages, func(s *plan.Stage) bool { return s.Name == name })]
}

// checkOutcomes holds every stage's end against those of what it needs.
func checkOutcomes(t *testing.T, b *bench, p *plan.Plan, got event.Result, cancelled bool) {
	t.Helper()
	failed := false
	for _, s := range p.Stages {
		result := b.result(t, s.Name)
		failed = failed || result.Outcome == event.Failed && !result.Ignored
		for _, need := range s.Needs {
			before := b.result(t, need.Name)
			if before.Outcome != event.Succeeded && !before.Ignored && result.Attempts > 0 {
				t.Errorf("%s ran after %s, which it needs, was %s", s.Name, need.Name, before.Outcome)
			}
		}
		if result.Outcome == event.Cancelled && !cancelled && !p.FailFast {
			t.Errorf("%s was cancelled, and nobody had cancelled the run", s.Name)
		}
	}
	switch {
	case failed && got.Outcome != event.Failed && !cancelled, !failed && !cancelled && got.Outcome != event.Succeeded:
		t.Errorf("the run came to %+v", got)
	case cancelled && got.Outcome == event.Failed && !failed:
		t.Errorf("the run was cancelled, and came to %+v", got)
	}
}

// checkOrder sees in the order that commands wrote down that each came after
// those its stage needs.
func checkOrder(t *testing.T, p *plan.Plan, lines []string) {
	t.Helper()
	for _, s := range p.Stages {
		begin := slices.Index(lines, "begin "+s.Name)
		if begin >= 0 && slices.Contains(lines[begin+1:], "begin "+s.Name) {
			t.Errorf("%s ran twice", s.Name)
		}
		for _, need := range s.Needs {
			if end := slices.Index(lines, "end "+need.Name); begin >= 0 && (end < 0 || begin < end) {
				t.Errorf("%s began at %d, %s, which it needs, ended at %d", s.Name, begin, need.Name, end)
			}
		}
	}
}

func readLinesIfAny(path string) []string {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil // no stage began
	}
	return strings.Split(strings.TrimSuffix(string(text), "\n"), "\n")
}
