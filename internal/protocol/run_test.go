package protocol

// The run's side of the model: its phases, in the order of docs/protocol.md.

type phase uint8

const (
	lockFirst phase = iota // the first host is the arbiter: waiting happens here, holding nothing
	lockRest
	beginning
	settle
	survey
	opening
	filling
	installing
	committing
	watching
	deciding
	retiring // past the commit point
	rejoinApp
	closing
	rejoin // the way back
	ruling
	returning
	reproving
	cleaning
	ruleForward // settling towards the new slot
	forwarding
	forwardProving
	quit
)

// orders are the phases that send an operation to several machines side by side,
// and wait for all of them.
var orders = map[phase]struct {
	op op
	to uint8 // machines, a bit each
}{
	beginning:      {beginEpoch, everywhere},
	opening:        {openJournal, onFronts},
	filling:        {fill, onApp},
	installing:     {install, onFronts},
	committing:     {commit, onFronts},
	deciding:       {decide, onFronts},
	retiring:       {stopOld, onApp},
	closing:        {endJournal, onFronts},
	ruling:         {ruleBack, onFronts},
	returning:      {goBack, onFronts},
	reproving:      {reprove, onFronts},
	cleaning:       {stopNew, onApp},
	ruleForward:    {decide, onFronts},
	forwarding:     {goForward, onFronts},
	forwardProving: {reprove, onFronts},
}

const (
	onApp    = 1 << appHost
	onFronts = everywhere &^ onApp
)

func (n *run) reaches(h int) bool { return n.reach&(1<<h) != 0 }

// enter begins a phase: what it orders is sent at once.
func (w *world) enter(r int, to phase) {
	n := &w.runs[r]
	n.phase = to
	if to == beginning {
		var standing []Epoch
		for h := range w.hosts {
			if n.reaches(h) {
				standing = append(standing, w.hosts[h].named())
			}
		}
		n.epoch = uint8(Next(names[r], standing...).Number)
	}
	order, ordering := orders[to]
	for h := range w.sessions[r] {
		s := &w.sessions[r][h]
		if ordering && order.to&n.reach&(1<<h) != 0 && !s.lost {
			s.op, s.step, s.done = order.op, 0, waiting
		}
	}
}

// answered reports whether nothing is awaited any more, and whether all of it
// succeeded.
func (w *world) answered(r int) (all, well bool) {
	well = true
	for h := range w.sessions[r] {
		s, order := &w.sessions[r][h], orders[w.runs[r].phase]
		switch {
		case order.to&w.runs[r].reach&(1<<h) == 0:
		case s.lost:
			well = false
		case s.done == waiting:
			return false, false
		case s.done == refused:
			well = false
		}
	}
	return true, well
}

// some reports whether any of the machines succeeded.
func (w *world) some(r int) bool {
	for h := range w.sessions[r] {
		if s := &w.sessions[r][h]; !s.lost && s.done == succeeded {
			return true
		}
	}
	return false
}

// advance is what a run does next of its own accord, "" if it has to wait.
func (m *model) advance(w *world, r int) string {
	n := &w.runs[r]
	if _, ordering := orders[n.phase]; ordering {
		all, well := w.answered(r)
		if !all {
			return ""
		}
		partly := w.some(r)
		for h := range w.sessions[r] {
			if s := &w.sessions[r][h]; !s.lost {
				s.done = waiting
			}
		}
		m.conclude(w, r, well, partly)
		return "goes on"
	}
	switch n.phase {
	case lockFirst, lockRest:
		return m.acquire(w, r)
	case settle:
		w.settle(r)
		return "settles"
	case survey:
		w.survey(r)
		return "surveys"
	case watching:
		w.enter(r, deciding)
		return "has watched"
	case rejoinApp:
		w.enter(r, closing)
		return "leaves the application's server"
	case rejoin:
		w.enter(r, m.wayBack(w, r))
		return "goes back"
	}
	w.release(r)
	return "ends"
}

// conclude goes from a phase whose answers are there to the next.
func (m *model) conclude(w *world, r int, well, partly bool) {
	n := &w.runs[r]
	switch n.phase {
	case beginning:
		w.enter(r, pick(well, settle, quit))
	case opening, filling, installing, committing:
		w.enter(r, pick(well, n.phase+1, rejoin))
	case deciding:
		if m.stopEarly {
			well = well || partly
		}
		w.enter(r, pick(well, retiring, rejoin))
	case retiring:
		w.enter(r, pick(w.sessions[r][appHost].lost, rejoinApp, closing))
	case closing:
		w.enter(r, pick(well && n.settling && !n.recovers, survey, quit))
		n.settling = false
	case ruling, returning, reproving:
		n.failed = n.failed || !well
		strand := n.phase == reproving && n.failed && !m.stopUnproven
		w.enter(r, pick(strand, quit, n.phase+1))
	case cleaning:
		w.enter(r, closing)
	case ruleForward, forwarding:
		w.enter(r, pick(well, n.phase+1, quit))
	case forwardProving:
		w.enter(r, pick(well, closing, quit))
	}
}

func pick(which bool, yes, no phase) phase {
	if which {
		return yes
	}
	return no
}

// acquire takes the lock of one more machine. One that is busy makes the run let
// go of all it has: nobody waits holding something.
func (m *model) acquire(w *world, r int) string {
	n := &w.runs[r]
	for h := range w.hosts {
		s := &w.sessions[r][h]
		if !n.reaches(h) || s.agent == serving && !s.lost {
			continue
		}
		switch {
		case s.lost:
			w.release(r)
			return "loses a session and ends"
		case h == appHost && m.appUnlocked:
		case w.hosts[h].lock == 0:
			w.hosts[h].lock = lockOf(r)
		case n.phase == lockFirst:
			return ""
		default:
			w.letGo(r)
			*n = run{}
			return "finds a host locked, lets go of the others and tries later"
		}
		s.agent = serving
		n.phase = lockRest
		return "locks a host"
	}
	w.enter(r, beginning)
	return "has every lock"
}

// settle does with an interrupted switch what Settle says.
func (w *world) settle(r int) {
	n := &w.runs[r]
	var standings []Standing
	unread := 0
	for p := range w.fronts {
		j := w.fronts[p].journal
		if !n.reaches(p) {
			unread++
			continue
		}
		standings = append(standings, j.standing())
		if j.exists {
			n.to = j.to
		}
	}
	outcome := Settle(standings, unread)
	n.settling, n.failed = outcome != Settled, unread > 0
	switch {
	case outcome == Settled:
		w.enter(r, pick(n.recovers, quit, survey))
	case outcome == Finish:
		w.enter(r, forwarding)
	case outcome == PutBack && w.slots[1-n.to].state == up:
		w.enter(r, ruling)
	case outcome == PutBack && unread == 0 && w.reachable(n.to):
		w.enter(r, ruleForward)
	default:
		w.enter(r, quit)
	}
}

// reachable reports whether every proxy could send to the slot.
func (w *world) reachable(to uint8) bool {
	for p := range w.fronts {
		if w.fronts[p].running[to] != w.slots[to].release {
			return false
		}
	}
	return w.slots[to].state == up
}

// survey finds the slot that serves. Proxies that disagree are for a person.
func (w *world) survey(r int) {
	n := &w.runs[r]
	n.settling, n.failed = false, false
	if w.fronts[0].memory != w.fronts[1].memory {
		w.enter(r, quit)
		return
	}
	n.to = 1 - w.fronts[0].memory
	w.enter(r, opening)
}

// rejoins opens a session anew with a host whose session was lost. A run may do
// that on its way back and after its commit point, never to go on.
func (m *model) rejoins(w *world, r, h int) bool {
	n, s := &w.runs[r], &w.sessions[r][h]
	wanted := n.phase == rejoin || n.phase == rejoinApp && h == appHost
	if !wanted || !s.lost || s.agent != noAgent || w.hosts[h].lock != 0 && !(h == appHost && m.appUnlocked) {
		return false
	}
	if !m.unfenced && !Admits(w.hosts[h].named(), n.named(r)) {
		return false
	}
	*s = session{agent: serving}
	if h != appHost || !m.appUnlocked {
		w.hosts[h].lock = lockOf(r)
	}
	if n.phase == rejoinApp {
		w.enter(r, retiring)
	}
	return true
}

// wayBack is where a run goes that has failed.
func (m *model) wayBack(w *world, r int) phase {
	if m.forwardAgain && w.whole(r) {
		return deciding
	}
	return pick(m.unruled, returning, ruling)
}

// whole reports whether a run has a session with every machine.
func (w *world) whole(r int) bool {
	for h := range w.sessions[r] {
		if w.sessions[r][h].lost {
			return false
		}
	}
	return true
}

// letGo gives every lock back that the run knows to hold.
func (w *world) letGo(r int) {
	for h := range w.sessions[r] {
		s := &w.sessions[r][h]
		if s.agent == noAgent || s.lost {
			continue
		}
		if w.hosts[h].lock == lockOf(r) {
			w.hosts[h].lock = 0
		}
		*s = session{}
	}
}

// release ends a run in good order.
func (w *world) release(r int) {
	w.letGo(r)
	w.runs[r].mode = finished
}
