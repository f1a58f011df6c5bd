package protocol

import "fmt"

// model is the protocol, and ways to break it that the checks must find.
type model struct {
	blindGuard   bool // an agent alone puts back whatever is ruled
	unfenced     bool // nobody looks at epochs
	effectFirst  bool // traffic moves before the journal announces it
	stopEarly    bool // the old slot stops when one host has decided
	stopUnproven bool // the new slot stops though a host was not proven to be back
	appUnlocked  bool // no lock on the application's server
	forwardAgain bool // a run goes on forward with a session opened anew
	noGuard      bool // an agent whose run has gone just ends
	unruled      bool // a run goes back without ruling so first
}

// event is one transition, as a trace tells it.
type event struct {
	what string
	r, h int
	op   op
	step uint8
}

func (e event) String() string {
	who := fmt.Sprintf("run %d", e.r+1)
	switch {
	case e.r < 0:
		return fmt.Sprintf("%s: %s", machineNames[e.h], e.what)
	case e.op != nothing:
		return fmt.Sprintf("%s: agent of %s: %s (%d)", machineNames[e.h], who, opNames[e.op], e.step+1)
	case e.h >= 0:
		return fmt.Sprintf("%s: agent of %s: %s", machineNames[e.h], who, e.what)
	}
	return who + ": " + e.what
}

var machineNames = [machines]string{"nginx", "haproxy", "app"}

func at(what string, r, h int) event { return event{what: what, r: r, h: h} }

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
				visit(after, event{r: r, h: h, op: s.op, step: s.step}, true)
			}
			if s.agent == serving && w.runs[r].mode == asleep {
				after := *w
				after.sessions[r][h].hangUp()
				visit(after, at("has heard nothing for the lease", r, h), true)
			}
			if s.agent == ending {
				after := *w
				what := "gives up its operation"
				if s.op == nothing {
					what = "puts back alone"
					after.guard(h)
				}
				after.sessions[r][h].finish(waiting)
				visit(after, at(what, r, h), true)
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
			visit(after, at(what, r, -1), true)
		}
	}
}

func (m *model) rejoining(w *world, r int, visit visitor) {
	for h := range w.hosts {
		after := *w
		if m.rejoins(&after, r, h) {
			visit(after, at("opens a session anew", r, h), true)
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
			visit(after, at("wakes", r, -1), false)
		}
		if n.mode == running && n.phase == watching {
			after := *w
			after.enter(r, rejoin)
			visit(after, at("sees the new slot fail", r, -1), false)
		}
		if n.mode != idle || r > 0 && w.runs[r-1].mode == idle { // runs are alike: the first one begins
			continue
		}
		for _, beginner := range beginners {
			if beginner.run.recovers && !w.fronts[0].journal.exists && !w.fronts[1].journal.exists {
				continue // it would find nothing
			}
			after := *w
			after.runs[r] = beginner.run
			after.runs[r].release = uint8(r + 1)
			if m.acquire(&after, r) != "" {
				visit(after, at(beginner.what, r, -1), false)
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
			after := base
			after.runs[r].mode = asleep
			visit(after, at("IS STOPPED", r, -1), false)
			after.runs[r].mode = dead
			for h := range after.sessions[r] {
				after.sessions[r][h].hangUp()
			}
			visit(after, at("IS KILLED", r, -1), false)
		}
		for h := range w.sessions[r] {
			s := &w.sessions[r][h]
			if s.agent == noAgent {
				continue
			}
			if !s.lost {
				after := base
				after.sessions[r][h].hangUp()
				visit(after, at("IS CUT OFF", r, h), false)
			}
			after := base
			if h != appHost && after.hosts[h].lock == lockOf(r) {
				after.fronts[h].journal.unguarded = after.fronts[h].journal.exists
			}
			after.drop(r, h)
			visit(after, at("IS KILLED", r, h), false)
		}
	}
	for p := range w.fronts {
		after := base
		after.fronts[p].reload()
		if after.fronts[p] != base.fronts[p] {
			visit(after, at("IS RELOADED BY SOMEONE", -1, p), false)
		}
	}
	for i := range w.slots {
		if w.slots[i].state == up && w.concerns(uint8(i)) {
			after := base
			after.slots[i].state = crashed
			visit(after, at(crashes[i], -1, appHost), false)
		}
	}
}

var crashes = [...]string{"slot 0 CRASHES", "slot 1 CRASHES"}

// concerns reports whether a slot serves or may come to.
func (w *world) concerns(slot uint8) bool {
	for p := range w.fronts {
		if w.fronts[p].memory == slot || w.fronts[p].journal.exists {
			return true
		}
	}
	return false
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
