package report

import (
	"fmt"
	"strings"
	"time"

	"github.com/org/deploy-action/internal/event"
)

const (
	slowRun   = 600 * time.Second // a pipeline past it is called slow
	slowShare = 50                // percent of a run that make one stage worth a word
	someTime  = time.Minute       // shorter runs need no advice on speed

	// A p99 has risen when it is past both, as a canary's latency is judged.
	p99Ratio = 1.5
	p99More  = 50 * time.Millisecond
)

// recommendations writes what the run suggests doing.
func (w *writer) recommendations() {
	list := advice(w.account)
	if len(list) == 0 {
		return
	}
	w.para("### Recommendations")
	shown := list[:min(len(list), w.cuts.rows)]
	for _, text := range shown {
		w.WriteString("- " + inline(text) + "\n")
	}
	w.WriteString("\n")
	if left := len(list) - len(shown); left > 0 {
		w.para(pointer(count(left, "more recommendation is", "more recommendations are")+" left out", w.full))
	}
}

// advice is what a run suggests doing, the most urgent first, as plain text.
func advice(a *account) []string {
	list := a.failures()
	for _, s := range a.switches {
		list = append(list, ofSwitch(s.Switch)...)
	}
	return append(append(list, a.flaky()...), a.speed()...)
}

func (a *account) failures() []string {
	var hard, soft []*stage
	for _, s := range a.with(event.Failed) {
		if s.result.Ignored {
			soft = append(soft, s)
		} else {
			hard = append(hard, s)
		}
	}
	var list []string
	for _, s := range hard[:min(len(hard), 5)] {
		list = append(list, strings.TrimSpace(fmt.Sprintf("Stage %s failed (%s): its last lines are below. %s", s.Name, place(s.Pos), s.result.Hint)))
	}
	if len(hard) > 5 {
		list = append(list, fmt.Sprintf("%d more stages failed: see the table.", len(hard)-5))
	}
	if len(soft) > 0 {
		list = append(list, fmt.Sprintf("The run went on past failures of %s, as on_failure says: fix them or remove them, a check nobody heeds costs time.", names(soft)))
	}
	return list
}

// ofSwitch is the advice that one switch gives.
func ofSwitch(s event.Switch) []string {
	var list []string
	add := func(when bool, format string, values ...any) {
		if when {
			list = append(list, fmt.Sprintf(format, values...))
		}
	}
	first := s.From.Slot == ""
	if t := s.Traffic; t != nil {
		add(t.Failed > 0, "%s: %s failed during the switch: compare the times with the timeline and the log of the application.", s.Environment, count(t.Failed, "request of the prober", "requests of the prober"))
		add(risen(*t), "%s: p99 rose from %s to %s: the new release may need warming up, or is slower.", s.Environment, millis(t.P99Before), millis(t.P99After))
	}
	add(s.Traffic == nil && s.Outcome == event.Succeeded && !first, "%s: the prober was off, so nothing measured this switch: probe = 20 asks the health path 20 times a second.", s.Environment)
	add(s.Reloads > 0 && !first, "%s: the configuration changed, so %s reloaded %s: a reload closes idle keep-alive connections; deploys that leave ports, host names and templates alone need none.", s.Environment, s.Proxy, count(s.Reloads, "time", "times"))
	if d := s.Drained; d != nil {
		add(d.After > 0, "%s: %s still open on %s after %s of drain: a longer drain lets long requests and WebSockets finish.", s.Environment, count(d.After, "connection was", "connections were"), d.Slot, took(d.Took))
	}
	return list
}

func risen(t event.Traffic) bool {
	return t.P99Before > 0 && t.P99After-t.P99Before > p99More && float64(t.P99After) > p99Ratio*float64(t.P99Before)
}

// flaky names stages that passed only when repeated.
func (a *account) flaky() []string {
	var found []*stage
	for _, s := range a.with(event.Succeeded) {
		if s.attempts() > 1 {
			found = append(found, s)
		}
	}
	if len(found) == 0 {
		return nil
	}
	return []string{fmt.Sprintf("Passed only on a retry, so flaky: %s. The reasons of the first attempts are in the table.", names(found))}
}

// speed says what would make the run shorter.
func (a *account) speed() []string {
	total := a.result.Took
	if len(a.stages) < 2 || total < someTime {
		return nil
	}
	var list []string
	if total > slowRun {
		list = append(list, fmt.Sprintf("The run took %s, more than %s.", took(total), took(slowRun)))
	}
	if s := a.slowest(); s.result.Took*100 >= total*slowShare {
		list = append(list, fmt.Sprintf("Stage %s took %s, %d %% of the run: start there.", s.Name, took(s.result.Took), s.result.Took*100/total))
	}
	return append(list, a.bound(total))
}

// bound says whether the graph or the number of workers sets the pace.
func (a *account) bound(total time.Duration) string {
	chain, length := a.longestChain()
	path := fmt.Sprintf("The longest chain of stages, %s, took %s of %s", strings.Join(chain, " → "), took(length), took(total))
	if length*100 < total*80 {
		return path + ": the rest is waiting for a free place, so a higher max_parallel would shorten the run."
	}
	return path + ": more workers would not help, only shorter stages on it or fewer needs."
}

func (a *account) slowest() *stage {
	longest := a.stages[0]
	for _, s := range a.stages {
		if s.result.Took > longest.result.Took {
			longest = s
		}
	}
	return longest
}

// longestChain is the path through the graph that took longest. Needs point at
// stages that ran earlier, so one walk in run order finds it.
func (a *account) longestChain() (chain []string, length time.Duration) {
	type end struct {
		before string
		length time.Duration
	}
	ends := make(map[string]end, len(a.stages))
	last := ""
	for _, s := range a.stages {
		e := end{}
		for _, need := range s.Needs {
			if before := ends[need]; before.length > e.length {
				e = end{need, before.length}
			}
		}
		e.length += s.result.Took
		ends[s.Name] = e
		if e.length > length {
			last, length = s.Name, e.length
		}
	}
	for name := last; name != ""; name = ends[name].before {
		chain = append([]string{name}, chain...)
	}
	return chain, length
}
