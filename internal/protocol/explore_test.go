package protocol

import (
	"fmt"
	"strings"
)

// model is the protocol, and ways to break it that the checks must find.
type model struct {
	blindGuard   bool // an agent alone puts back whatever is ruled
	unfenced     bool // nobody looks at epochs
	effectFirst  bool // traffic moves before the journal announces it
	stopEarly    bool // the old slot stops when one host has decided
	stopUnproven bool // the new slot stops though a host was not proven to be back
	appUnlocked  bool // no lock on the application's server
	forwardAgain bool // a run goes on forward with a session opened anew
	noGuard      bool
}

// event is one transition, as a trace tells it.
type event struct {
	what string
	r, h int
	op   op
}

func (e event) String() string {
	who := fmt.Sprintf("run %d", e.r+1)
	where := [...]string{"nginx", "haproxy", "app"}
	switch {
	case e.r < 0:
		return fmt.Sprintf("%s: %s", where[e.h], e.what)
	case e.op != nothing:
		return fmt.Sprintf("%s: agent of %s: %s", where[e.h], who, opNames[e.op])
	case e.h >= 0:
		return fmt.Sprintf("%s: agent of %s: %s", where[e.h], who, e.what)
	}
	return who + ": " + e.what
}

// visitor is told of each world that may follow. natural are those that come
// without a fault and without a run's free choice.
type visitor func(after world, e event, natural bool)

// successors visits every world that may follow w, those that must come of
// themselves first.
func (m *model) successors(w *world, visit visitor) {
	m.agents(w, visit)
	m.steps(w, visit)
	m.choices(w, visit)
	if w.faults > 0 {
		m.faults(w, visit)
	}
}

// agents visits what agents do.
func (m *model) agents(w *world, visit visitor) {
	for r := range w.sessions {
		for h := range w.sessions[r] {
			s := &w.sessions[r][h]
			if s.agent != noAgent && s.op != nothing {
				after := *w
				m.perform(&after, r, h)
				visit(after, event{r: r, h: h, op: s.op}, true)
			}
			if s.agent == serving && w.runs[r].mode == asleep {
				after := *w
				after.sessions[r][h].hangUp()
				visit(after, event{"has heard nothing for the lease", r, h, nothing}, true)
			}
			if s.agent == ending {
				after := *w
				what := "gives up its operation"
				if s.op == nothing {
					what = m.leave(&after, r, h)
				}
				after.sessions[r][h].finish(waiting)
				visit(after, event{what, r, h, nothing}, true)
			}
		}
	}
}

// hangUp is the end of a connection: the agent may still perform what it was
// sent, then does what it has to do alone.
func (s *session) hangUp() {
	if s.agent == serving {
		s.agent = ending
	}
	s.lost = true
}

// leave is what an agent whose run has gone does next.
func (m *model) leave(w *world, r, h int) string {
	m.guard(w, r, h)
	return "puts back alone"
}

// drop is the end of an agent, and of the lock it held.
func (w *world) drop(r, h int) {
	if w.hosts[h].lock == lockOf(r) {
		w.hosts[h].lock = 0
	}
	w.sessions[r][h] = session{lost: true}
}

// steps visits what runs do of their own accord.
func (m *model) steps(w *world, visit visitor) {
	for r := range w.runs {
		if w.runs[r].mode != running {
			continue
		}
		m.rejoining(w, r, visit)
		after := *w
		if what := m.advance(&after, r); what != "" {
			visit(after, event{what, r, -1, nothing}, true)
		}
	}
}

func (m *model) rejoining(w *world, r int, visit visitor) {
	for h := range w.hosts {
		after := *w
		if m.rejoins(&after, r, h) {
			visit(after, event{"opens a session anew", r, h, nothing}, true)
		}
	}
}

// choices visits what may happen or not and is no fault.
func (m *model) choices(w *world, visit visitor) {
	for r := range w.runs {
		n := &w.runs[r]
		if n.mode == asleep {
			after := *w
			after.runs[r].mode = running
			visit(after, event{"wakes", r, -1, nothing}, false)
		}
		if n.mode == running && n.phase == watching {
			after := *w
			after.enter(r, rejoin)
			visit(after, event{"sees the new slot fail", r, -1, nothing}, false)
		}
		if n.mode != idle {
			continue
		}
		for _, beginner := range beginners {
			after := *w
			after.runs[r] = beginner.run
			after.runs[r].release = uint8(r + 1)
			if m.acquire(&after, r) != "" {
				visit(after, event{beginner.what, r, -1, nothing}, false)
			}
		}
	}
}

// beginners are the runs that may begin whenever the first host's lock is free.
var beginners = [...]struct {
	what string
	run  run
}{
	{"begins to deploy", newRun(0, false, everywhere)},
	{"begins to recover", newRun(0, true, everywhere)},
	{"begins to recover without nginx", newRun(0, true, everywhere&^1)},
	{"begins to recover without haproxy", newRun(0, true, everywhere&^2)},
}

// faults visits everything that may befall runs, sessions, agents, proxies and
// slots.
func (m *model) faults(w *world, visit visitor) {
	base := *w
	base.faults--
	for r := range w.runs {
		if w.runs[r].mode == running {
			for what, mode := range [...]uint8{dead, asleep} {
				after := base
				after.runs[r].mode = mode
				if mode == dead {
					for h := range after.sessions[r] {
						after.sessions[r][h].hangUp()
					}
				}
				visit(after, event{[...]string{"IS KILLED", "IS STOPPED"}[what], r, -1, nothing}, false)
			}
		}
		for h := range w.sessions[r] {
			s := &w.sessions[r][h]
			if s.agent == noAgent {
				continue
			}
			if !s.lost {
				after := base
				after.sessions[r][h].hangUp()
				visit(after, event{"IS CUT OFF", r, h, nothing}, false)
			}
			after := base
			after.drop(r, h)
			visit(after, event{"IS KILLED", r, h, nothing}, false)
		}
	}
	for p := range w.fronts {
		after := base
		after.fronts[p].reload()
		if after.fronts[p] != base.fronts[p] {
			visit(after, event{"IS RELOADED BY SOMEONE", -1, p, nothing}, false)
		}
	}
	for i := range w.slots {
		if w.slots[i].state == up {
			after := base
			after.slots[i].state = crashed
			visit(after, event{"slot " + [...]string{"0", "1"}[i] + " CRASHES", -1, appHost, nothing}, false)
		}
	}
}

// tidy does at once what nothing can come between, and makes worlds one that
// differ in nothing that counts.
func (m *model) tidy(w *world) {
	for r := range w.runs {
		n := &w.runs[r]
		for n.mode == running && n.phase.local() && m.advance(w, r) != "" {
		}
		quiet, busy := true, false
		for h := range w.sessions[r] {
			s := &w.sessions[r][h]
			if s.agent == ending && s.op == nothing && !m.alone(w, r, h) {
				w.drop(r, h)
			}
			quiet = quiet && s.agent == noAgent
			busy = busy || s.op != nothing
		}
		if n.mode != dead && n.mode != finished {
			continue
		}
		if !busy {
			*n = run{mode: dead}
		}
		if quiet {
			*n = run{mode: finished}
			w.sessions[r] = [machines]session{}
		}
	}
}

// local reports whether a run leaves the phase as soon as it can. Whatever might
// befall it between its last answer and its next order might as well befall it
// just after that order.
func (p phase) local() bool {
	return p != lockFirst && p != lockRest && p != watching && p != rejoin && p != rejoinApp
}

// found is what an exploration came to.
type found struct {
	states  int
	settled int    // environments left by all runs, each of which was recovered and deployed to
	mixed   int    // of those, how many had proxies that disagreed
	trouble string // "" if all is well
	trace   []event
	deepest int
}

// explorer visits worlds breadth first.
type explorer struct {
	*model
	index  map[world]int32
	worlds []world
	parent []int32
	next   []int32 // the world that comes of itself, -1 for none
}

// explore visits every world that can be reached from the start.
func (m *model) explore(from world) found {
	x := &explorer{model: m, index: make(map[world]int32)}
	x.add(from, -1)
	for at := int32(0); int(at) < len(x.worlds); at++ {
		if trouble := x.worlds[at].unsafe(); trouble != "" {
			return x.report(at, trouble)
		}
		w := x.worlds[at]
		m.successors(&w, func(after world, _ event, natural bool) {
			x.tidy(&after)
			to := x.add(after, at)
			if natural && x.next[at] < 0 {
				x.next[at] = to
			}
		})
	}
	return x.judge()
}

func (x *explorer) add(w world, parent int32) int32 {
	if at, known := x.index[w]; known {
		return at
	}
	at := int32(len(x.worlds))
	x.index[w] = at
	x.worlds, x.parent, x.next = append(x.worlds, w), append(x.parent, parent), append(x.next, -1)
	return at
}

// judge looks at where worlds go when nothing more befalls them: all runs and
// agents end, and what they leave can be recovered.
func (x *explorer) judge() found {
	ends := make([]bool, len(x.worlds)) // known to come to an end
	environments := make(map[world]string)
	result := found{states: len(x.worlds)}
	for i := range x.worlds {
		var path []int32
		at := int32(i)
		for !ends[at] && x.next[at] >= 0 && len(path) <= 1000 {
			path = append(path, at)
			at = x.next[at]
		}
		if len(path) > 1000 {
			return x.report(int32(i), "runs go round in circles")
		}
		if !ends[at] {
			if !x.worlds[at].deserted() {
				return x.report(at, "nobody can go on")
			}
			env := x.worlds[at].environment()
			if _, known := environments[env]; !known {
				environments[env] = x.aftermath(env)
			}
			if trouble := environments[env]; trouble != "" {
				return x.report(at, trouble)
			}
		}
		ends[at] = true
		for _, passed := range path {
			ends[passed] = true
		}
	}
	for env := range environments {
		result.settled++
		if env.fronts[0].memory != env.fronts[1].memory {
			result.mixed++
		}
	}
	return result
}

// environment is the world without runs, all epochs beginning anew.
func (w *world) environment() world {
	env := world{fronts: w.fronts, slots: w.slots, hosts: w.hosts}
	low := env.hosts[0].epoch
	for h := range env.hosts {
		low = min(low, env.hosts[h].epoch)
	}
	for h := range env.hosts {
		env.hosts[h].epoch -= low
		env.hosts[h].owner = 2
	}
	return env
}

// aftermath recovers an environment that all runs have left, recovers it once
// more, and deploys.
func (x *explorer) aftermath(env world) string {
	once, trouble := x.runAlone(env, newRun(none, true, everywhere))
	if trouble != "" {
		return "recover: " + trouble
	}
	healthy := env.slots[0].state == up || env.slots[1].state == up
	if !once.atRest() && healthy && !stuckOnCrash(&env) {
		return "recover leaves the proxies unsettled"
	}
	twice, _ := x.runAlone(once, newRun(none, true, everywhere))
	if once.environment() != twice.environment() {
		return "a second recover changes something"
	}
	return ""
}

// stuckOnCrash: the slot that is to serve has crashed, and the other can't be
// sent to from here.
func stuckOnCrash(w *world) bool {
	return w.slots[0].state == crashed || w.slots[1].state == crashed
}

// runAlone lets one run do all it does, with nothing befalling it.
func (x *explorer) runAlone(env world, alone run) (world, string) {
	env.runs[0] = alone
	for range 1000 {
		if env.runs[0].mode == finished {
			return env.environment(), ""
		}
		if trouble := env.unsafe(); trouble != "" {
			return env, trouble
		}
		moved := false
		x.successors(&env, func(after world, _ event, natural bool) {
			if natural && !moved {
				x.tidy(&after)
				env, moved = after, true
			}
		})
		if !moved {
			return env, "it can't go on"
		}
	}
	return env, "it does not end"
}

// report tells how a world came about.
func (x *explorer) report(at int32, trouble string) found {
	result := found{states: len(x.worlds), trouble: trouble}
	for ; x.parent[at] >= 0; at = x.parent[at] {
		w := x.worlds[x.parent[at]]
		step := event{what: "?", r: -1}
		x.successors(&w, func(after world, e event, _ bool) {
			x.tidy(&after)
			if after == x.worlds[at] && step.what == "?" {
				step = e
			}
		})
		result.trace = append([]event{step}, result.trace...)
	}
	return result
}

func (f found) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s, after:\n", f.trouble)
	for i, e := range f.trace {
		fmt.Fprintf(&b, "%4d  %s\n", i+1, e)
	}
	return b.String()
}
