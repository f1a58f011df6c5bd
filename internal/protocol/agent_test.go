package protocol

// The agents' side of the model: what an operation does, step by step, and what
// an agent does when its run has gone.

// op is an operation that a run has an agent perform.
type op uint8

const (
	nothing op = iota
	beginEpoch
	openJournal
	install   // a configuration that knows the new release; traffic stays
	commit    // traffic to the new slot
	decide    // the ruling "decided"
	ruleBack  // the ruling "back"
	goBack    // traffic to the old slot
	goForward // traffic to the new slot, of a switch that is settled
	reprove   // what the proxy has read is what is on disk
	endJournal
	fill // the new slot is stopped, gets the release, and is started
	stopOld
	stopNew
)

var opNames = [...]string{"nothing", "begin epoch", "open journal", "install", "commit", "decide", "rule back", "go back",
	"go forward", "reprove", "end journal", "fill new slot", "stop old slot", "stop new slot"}

// perform does the next step of the operation that a session's agent is at. The
// first says whether the host admits the run at all.
func (m *model) perform(w *world, r, h int) {
	s := &w.sessions[r][h]
	if s.step == 0 && !m.admits(w, r, h) {
		s.finish(refused)
		return
	}
	s.step++
	switch m.effect(w, r, h, s.op, s.step) {
	case more:
	case last:
		s.finish(succeeded)
	case no:
		s.finish(refused)
	}
}

func (s *session) finish(how uint8) { s.op, s.step, s.done = nothing, 0, how }

// admits is the fence: the agent holds the lock, and the epoch is the run's.
func (m *model) admits(w *world, r, h int) bool {
	if h == appHost && m.appUnlocked {
		return true
	}
	if w.hosts[h].lock != lockOf(r) {
		return false
	}
	return w.sessions[r][h].op == beginEpoch || m.unfenced || Admits(w.hosts[h].named(), w.runs[r].named(r))
}

func lockOf(r int) uint8 { return uint8(r + 1) }

var names = [...]string{"first", "second", "later"}

func (h *host) named() Epoch { return Epoch{Number: int(h.epoch), Run: names[h.owner]} }

func (n *run) named(r int) Epoch { return Epoch{Number: int(n.epoch), Run: names[r]} }

type progress uint8

const (
	more progress = iota
	last
	no
)

// effect is one step of an operation on one machine.
func (m *model) effect(w *world, r, h int, o op, step uint8) progress {
	if o == beginEpoch {
		w.hosts[h].epoch, w.hosts[h].owner = w.runs[r].epoch, uint8(r)
		return last
	}
	if h == appHost {
		return w.onSlots(&w.runs[r], o, step)
	}
	return m.onFront(w, &w.runs[r], &w.fronts[h], o, step)
}

func (w *world) onSlots(n *run, o op, step uint8) progress {
	target := &w.slots[n.to]
	switch {
	case o == stopOld:
		w.slots[1-n.to].state = down
	case o == stopNew:
		target.state = down
	case step == 1:
		target.state, target.release = down, n.release
		return more
	default:
		target.state = up
	}
	return last
}

func (m *model) onFront(w *world, n *run, f *front, o op, step uint8) progress {
	j := &f.journal
	switch o {
	case openJournal:
		*j = journal{exists: true, to: n.to}
		f.kept = f.disk
	case install:
		if step == 1 {
			f.disk = w.known()
			return more
		}
		f.reload()
	case commit:
		return m.commit(f, n.to, step)
	case decide:
		j.ruling = ruledDecided
	case ruleBack:
		if j.exists {
			j.ruling = ruledBack
		}
	case goBack:
		if w.slots[1-n.to].state != up {
			return no // the healthier side keeps the traffic
		}
		return f.move(1-n.to, step)
	case goForward:
		return f.move(n.to, step)
	case reprove:
		return f.reprove(step)
	case endJournal:
		*j = journal{}
	}
	return last
}

// commit announces the move before it moves.
func (m *model) commit(f *front, to, step uint8) progress {
	if m.effectFirst {
		if f.move(to, step) == more {
			return more
		}
		f.journal.committing = true
		return last
	}
	if step == 1 {
		f.journal.committing = true
		return more
	}
	return f.move(to, step-1)
}

// known is the configuration that holds what the slots do.
func (w *world) known() setting { return setting{w.slots[0].release, w.slots[1].release} }

// move sends traffic to a slot. An nginx has one flag file. A HAProxy is told
// first, then its file is written, then it is asked: a reload by someone else in
// between had it read the former file.
func (f *front) move(to, step uint8) progress {
	switch {
	case !f.tells:
		f.memory, f.file = to, to
		return last
	case step == 1:
		f.memory = to
		return more
	}
	f.memory, f.file = to, to
	return last
}

// reprove takes the former configuration back where the new one was written and
// never read.
func (f *front) reprove(step uint8) progress {
	if f.running == f.disk {
		return last
	}
	if step == 1 && f.disk != f.kept {
		f.disk = f.kept
		return more
	}
	f.reload()
	return last
}

// alone reports whether an agent whose run has gone still has something to do:
// the dead man's switch.
func (m *model) alone(w *world, r, h int) bool {
	if h == appHost || m.noGuard || w.hosts[h].lock != lockOf(r) {
		return false
	}
	f := &w.fronts[h]
	standing, old := f.journal.standing(), 1-f.journal.to
	if m.blindGuard && standing.Ruling == Decided {
		standing.Ruling = Open
	}
	back := f.journal.ruling == ruledBack && f.memory == old && f.file == old
	return Alone(standing) && (w.slots[old].state == up || w.slots[1-old].state != up) && !back
}

// guard is the next thing that the agent does alone.
func (w *world) guard(h int) {
	f := &w.fronts[h]
	old := 1 - f.journal.to
	switch {
	case f.journal.ruling != ruledBack:
		f.journal.ruling = ruledBack
	case f.memory != old:
		f.move(old, 1)
	default:
		f.move(old, 2)
	}
}
