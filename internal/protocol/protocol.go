// Package protocol holds the decisions of a deploy over several proxy hosts that
// must be right whoever dies when: what an interrupted switch comes to, what an
// agent does alone when its run has gone, and who may still write. They are pure
// functions of what stands in the journals. docs/protocol.md tells the whole.
//
// The tests of this package are a model of runs, agents, proxies and everything
// that befalls them. It calls these functions and looks at every state there is.
package protocol

// Ruling is the last word of a journal on where its switch goes.
type Ruling string

const (
	Open    Ruling = ""        // nothing is ruled: the switch is under way, or its run has died
	Decided Ruling = "decided" // this host stays with the new slot
	Back    Ruling = "back"    // this host returns to the old slot
)

// Standing is what the journal of one proxy host comes to.
type Standing struct {
	Exists     bool   // a switch was opened here and not ended
	First      bool   // it is the environment's first: there is no old slot
	Committing bool   // traffic may have moved: its commit was announced
	Ruling     Ruling // the last one
}

// Outcome is what has to be done about an interrupted switch.
type Outcome string

const (
	Settled   Outcome = "settled"   // nothing: no switch was interrupted
	PutBack   Outcome = "put back"  // every host returns to the old slot
	Finish    Outcome = "finish"    // every host goes to the new slot
	Undecided Outcome = "undecided" // only a host that can't be reached knows; nothing may be changed
)

// Settle is what an interrupted switch comes to. Its hosts are those of the
// environment; unread of them can't be reached. The commit point is the moment
// at which "decided" stands on every host, so one host without it is enough to
// know that the old slot was never stopped. A host whose journal has ended has
// agreed with the others already.
func Settle(hosts []Standing, unread int) Outcome {
	open := false
	for _, s := range hosts {
		if s.Exists && s.Ruling != Decided {
			return PutBack
		}
		open = open || s.Exists
	}
	switch {
	case !open:
		return Settled
	case unread > 0:
		return Undecided
	}
	return Finish
}

// Alone reports whether an agent whose run has gone without a word moves its own
// proxy to the old slot. It knows its own journal and nothing else.
func Alone(s Standing) bool {
	return s.Exists && !s.First && (s.Committing && s.Ruling == Open || s.Ruling == Back)
}

// Epoch is a reign over the hosts of an environment. Each run that has the lock
// everywhere begins one and writes it to every host before anything else.
type Epoch struct {
	Number int    `json:"number"` // later than that of every run before; 0: none yet
	Run    string `json:"run"`
}

// Next is the epoch of a run that holds the lock, from those that stand on the
// hosts.
func Next(run string, standing ...Epoch) Epoch {
	last := 0
	for _, epoch := range standing {
		last = max(last, epoch.Number)
	}
	return Epoch{Number: last + 1, Run: run}
}

// Admits reports whether a host where that epoch stands lets a run of the named
// one write. A run that slept while another took its place names an older one,
// and two runs that could not reach each other's hosts don't pass for one
// another.
func Admits(standing, named Epoch) bool { return standing == named }
