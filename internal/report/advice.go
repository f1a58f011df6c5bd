package report

import (
	"fmt"
	"time"

	"github.com/org/deploy-action/internal/event"
)

const (
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
	list := a.unsettled()
	list = append(list, a.failures()...)
	for _, s := range a.switches {
		list = append(list, ofSwitch(s.Switch)...)
	}
	list = append(append(list, a.lostServers()...), a.shortages()...)
	return append(append(list, a.flaky()...), a.speed()...)
}

// unsettled is what the run left half done.
func (a *account) unsettled() []string {
	var list []string
	for _, b := range a.brokenOff() {
		list = append(list, fmt.Sprintf("%s: the run ended in the middle of the switch: turnout recover %s settles it, as the next run would.", b.environment, b.environment))
	}
	for _, s := range a.rollbacks {
		if s.result.Outcome == event.Failed || s.result.Outcome == event.Stranded {
			list = append(list, sentence(fmt.Sprintf("Rollback strategy %s failed%s%s.", s.Strategy(), at(s.Pos), because(s.result.Reason)), s.result.Hint))
		}
	}
	return list
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
		text := "Stage " + s.Name + " failed" + at(s.Pos)
		if len(s.result.Tail) > 0 {
			text += ": its last lines are below"
		}
		list = append(list, sentence(text+".", s.result.Hint))
	}
	if len(hard) > 5 {
		list = append(list, fmt.Sprintf("%d more stages failed: see the table.", len(hard)-5))
	}
	if len(soft) > 0 {
		list = append(list, fmt.Sprintf("The run went on past failures of %s, as on_failure says: fix them or remove them, a check nobody heeds costs time.", names(soft)))
	}
	return list
}

// sentence is text, and a hint if there is one.
func sentence(text, hint string) string {
	if hint == "" {
		return text
	}
	return text + " Hint: " + hint
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

// lostServers names the servers that failed in tasks that succeeded all the same.
func (a *account) lostServers() []string {
	var list []string
	for _, task := range a.everything() {
		servers := task.servers()
		var failed []string
		for _, s := range servers {
			if s.outcome() == event.Failed {
				failed = append(failed, s.Server)
			}
		}
		if len(failed) > 0 && task.result.Outcome == event.Succeeded {
			list = append(list, fmt.Sprintf("Stage %s succeeded, yet %d of %s failed: %s.", task.Name, len(failed), count(len(servers), "server", "servers"), enumerate(failed)))
		}
	}
	return list
}

// flaky names stages, and servers of tasks, that passed only when repeated.
func (a *account) flaky() []string {
	var found, servers []string
	for _, s := range a.everything() {
		if s.flaky() && !s.Rollback {
			found = append(found, s.Name)
		}
		for _, server := range s.servers() {
			if server.again > 0 && server.outcome() == event.Succeeded {
				servers = append(servers, server.Server+" ("+s.Name+")")
			}
		}
	}
	var list []string
	if len(found) > 0 {
		list = append(list, fmt.Sprintf("Passed only on a retry, so flaky: %s. Every attempt and its reason is below.", enumerate(found)))
	}
	if len(servers) > 0 {
		list = append(list, fmt.Sprintf("Passed only on a retry: %s. A server that often needs one is ill; its log has every attempt.", enumerate(servers)))
	}
	return list
}
