package protocol

import (
	"fmt"
	"strings"
)

// found is what an exploration came to.
type found struct {
	states  int
	settled int     // environments left by all runs, each of which was recovered and deployed to
	mixed   int     // of those, how many had proxies that disagreed
	trouble string  // "" if all is well
	trace   []event // how the trouble came about
	last    world   // and what it is
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
			if trouble := x.worlds[at].forsaken(); trouble != "" {
				return x.report(at, trouble)
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

// forsaken names what must not be where all runs and agents have gone. What an
// agent that was killed should have done is left to the next run.
func (w *world) forsaken() string {
	excused, ruled := false, false
	for p := range w.fronts {
		f := &w.fronts[p]
		j, old := &f.journal, 1-f.journal.to
		ruled = ruled || j.ruling == ruledDecided
		if j.unguarded || j.exists && w.slots[old].state != up {
			excused = true
			continue
		}
		if j.exists && j.ruling != ruledDecided && (f.memory != old || f.file != old) {
			return "a proxy was left on a new slot that nobody has decided for"
		}
	}
	if w.fronts[0].memory != w.fronts[1].memory && !excused && !ruled {
		return "the proxies disagree, and no ruling was interrupted"
	}
	return ""
}

// aftermath recovers an environment that all runs have left, recovers it once
// more, and deploys.
func (x *explorer) aftermath(env world) string {
	once, trouble := x.runAlone(env, newRun(0, true, everywhere))
	if trouble != "" {
		return "recover: " + trouble
	}
	twice, _ := x.runAlone(once, newRun(0, true, everywhere))
	switch {
	case once != twice:
		return "a second recover changes something"
	case once.helpless():
		return ""
	case !once.atRest():
		return "recover leaves something unsettled"
	}
	deployed, trouble := x.runAlone(once, newRun(2, false, everywhere))
	if trouble != "" {
		return "the next deploy: " + trouble
	}
	if serves := deployed.slots[deployed.fronts[0].memory]; !deployed.atRest() || serves != (slot{up, 2}) {
		return "the next deploy does not serve"
	}
	return ""
}

// helpless reports whether a person has to look: the old slot has crashed in
// mid-switch, and some proxy can't be sent to the new one.
func (w *world) helpless() bool {
	for p := range w.fronts {
		if j := w.fronts[p].journal; j.exists {
			return w.slots[1-j.to].state != up && !w.reachable(j.to)
		}
	}
	return false
}

// runAlone lets one run do all it does, with nothing befalling it.
func (m *model) runAlone(env world, alone run) (world, string) {
	env.runs[0] = alone
	for range 1000 {
		if env.runs[0].mode == finished {
			return env.environment(), ""
		}
		if trouble := env.unsafe(); trouble != "" {
			return env, trouble
		}
		if !m.follow(&env) {
			return env, "it can't go on"
		}
	}
	return env, "it does not end"
}

// about is a world in which one run has come to a phase by itself.
func (m *model) about(to phase, faults int) world {
	w := start(0)
	w.runs[0] = newRun(1, false, everywhere)
	for w.runs[0].phase != to && m.follow(&w) {
	}
	w.faults = uint8(faults)
	return w
}

// follow goes on to what comes first of itself, and reports whether anything did.
func (m *model) follow(w *world) bool {
	before, moved := *w, false
	m.successors(&before, func(after world, _ event, natural bool) {
		if natural && !moved {
			m.tidy(&after)
			*w, moved = after, true
		}
	})
	return moved
}

// report tells how a world came about.
func (x *explorer) report(at int32, trouble string) found {
	result := found{states: len(x.worlds), trouble: trouble, last: x.worlds[at]}
	for ; x.parent[at] >= 0; at = x.parent[at] {
		w := x.worlds[x.parent[at]]
		step, known := event{}, false
		x.successors(&w, func(after world, e event, _ bool) {
			x.tidy(&after)
			if after == x.worlds[at] && !known {
				step, known = e, true
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
	for p, f := range f.last.fronts {
		fmt.Fprintf(&b, "%s: sends to slot %d, file says %d, journal %q\n", machineNames[p], f.memory, f.file, rulings[f.journal.ruling])
	}
	for i, s := range f.last.slots {
		fmt.Fprintf(&b, "slot %d: %s, release %d\n", i, [...]string{"stopped", "up", "crashed"}[s.state], s.release)
	}
	return b.String()
}
