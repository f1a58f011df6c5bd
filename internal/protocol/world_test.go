package protocol

// The model. A world is everything that counts of one environment: two proxies,
// the application's server, what two runs do to them, and the agents between. It
// is small enough to be a map's key. An operation that is said to be one step
// here is one rename, one fsynced line or one command to a running proxy.

const (
	proxies  = 2 // proxies[0] is an nginx, proxies[1] a HAProxy
	appHost  = 2 // the application's server; the proxies' hosts are 0 and 1
	machines = 3
	runs     = 2
)

// setting is a configuration: the release that each slot's addresses belong to.
type setting [2]uint8

// journal is that of the switch in flight on a proxy host.
type journal struct {
	exists, committing bool
	ruling             uint8 // index of rulings
	to                 uint8 // slot
	unguarded          bool  // its agent was killed
}

var rulings = [...]Ruling{Open, Decided, Back}

const (
	ruledNothing = iota
	ruledDecided
	ruledBack
)

func (j journal) standing() Standing {
	return Standing{Exists: j.exists, Committing: j.committing, Ruling: rulings[j.ruling]}
}

// front is a proxy. What serves is memory; a reload takes up file and disk.
type front struct {
	memory, file        uint8 // slot; an nginx reads its flag file at each request, so both are one
	running, disk, kept setting
	journal             journal
	tells               bool // a HAProxy, which has its selector in memory too
}

// host is what any machine has.
type host struct {
	lock  uint8 // run that holds it + 1
	epoch uint8 // number; its run is the one that began it
	owner uint8 // of the epoch
}

const (
	down = iota // by our hand, or being filled
	up
	crashed // by its own
)

type slot struct{ state, release uint8 }

const (
	noAgent = iota
	serving
	ending // the run has gone: by the end of its connection, or of the lease
)

// session is a run's connection to a machine and the agent at its other end.
type session struct {
	agent uint8
	lost  bool // the run knows, or would if it were awake
	op    op   // sent; an agent performs it step by step
	step  uint8
	done  uint8 // how it ended
}

const (
	waiting = iota
	succeeded
	refused
)

const (
	idle = iota
	running
	asleep
	dead
	finished
)

// run is a turnout.
type run struct {
	mode      uint8
	recovers  bool  // settles and does nothing else
	reach     uint8 // machines it can reach, a bit each
	phase     phase
	epoch     uint8
	to        uint8 // slot
	release   uint8
	settling  bool // at work on the switch of another run
	failed    bool // something did not succeed: on the way back, or a host was not settled
	committed bool // passed the commit point and told so
}

type world struct {
	fronts   [proxies]front
	hosts    [machines]host
	slots    [2]slot
	sessions [runs][machines]session
	runs     [runs]run
	faults   uint8 // how many more may happen
}

// start is an environment at rest: slot 0 serves release 0, slot 1 is stopped.
func start(faults int) world {
	w := world{faults: uint8(faults)}
	w.slots[0].state = up
	w.slots[1].release = none
	for p := range w.fronts {
		w.fronts[p].running = setting{0, none}
		w.fronts[p].disk = w.fronts[p].running
		w.fronts[p].tells = p == 1
	}
	return w
}

const (
	none       = 3 // release: of a slot that has never held one
	everywhere = 1<<machines - 1
)

func newRun(release uint8, recovers bool, reach uint8) run {
	return run{mode: running, release: release, recovers: recovers, reach: reach}
}

// reload has a proxy read its files anew.
func (f *front) reload() { f.memory, f.running = f.file, f.disk }

// unsafe names what must never be, "" where all is well: every proxy sends to a
// slot that runs and that its configuration knows, also after a reload.
func (w *world) unsafe() string {
	for p := range w.fronts {
		f := &w.fronts[p]
		switch {
		case w.slots[f.memory].state == down:
			return "a proxy sends to a slot that was stopped"
		case w.slots[f.file].state == down:
			return "a reload would send to a slot that was stopped"
		case f.running[f.memory] != w.slots[f.memory].release:
			return "a proxy sends to addresses of another release than the slot holds"
		case f.disk[f.file] != w.slots[f.file].release:
			return "a reload would send to addresses of another release than the slot holds"
		}
	}
	return ""
}

// atRest reports whether the proxies agree and nothing is left to settle.
func (w *world) atRest() bool {
	for p := range w.fronts {
		f := &w.fronts[p]
		if f.journal.exists || f.memory != f.file || f.running != f.disk || f.memory != w.fronts[0].memory {
			return false
		}
	}
	return true
}

// deserted reports whether no run is at work and no agent is left.
func (w *world) deserted() bool {
	for r := range w.runs {
		if w.runs[r].mode == running {
			return false
		}
		for h := range w.sessions[r] {
			if w.sessions[r][h].agent != noAgent {
				return false
			}
		}
	}
	return true
}
