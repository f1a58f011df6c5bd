package protocol

import "testing"

func TestSettle(t *testing.T) {
	var (
		opened  = Standing{Exists: true}
		moving  = Standing{Exists: true, Committing: true}
		decided = Standing{Exists: true, Committing: true, Ruling: Decided}
		back    = Standing{Exists: true, Committing: true, Ruling: Back}
		ended   = Standing{}
	)
	for _, test := range []struct {
		name   string
		hosts  []Standing
		unread int
		want   Outcome
	}{
		{"nothing in flight", []Standing{ended, ended}, 0, Settled},
		{"nothing in flight where it can be read", []Standing{ended}, 1, Settled},
		{"opened on one", []Standing{opened, ended}, 0, PutBack},
		{"one may have moved", []Standing{moving, opened}, 0, PutBack},
		{"decided on one", []Standing{decided, moving}, 0, PutBack},
		{"decided on one, the other went back alone", []Standing{decided, back}, 0, PutBack},
		{"decided on both", []Standing{decided, decided}, 0, Finish},
		{"decided on both, ended on one", []Standing{ended, decided}, 0, Finish},
		{"decided where it can be read", []Standing{decided}, 1, Undecided},
		{"not decided where it can be read", []Standing{moving}, 1, PutBack},
	} {
		if got := Settle(test.hosts, test.unread); got != test.want {
			t.Errorf("%s: %s, want %s", test.name, got, test.want)
		}
	}
}

func TestAlone(t *testing.T) {
	for _, test := range []struct {
		name string
		s    Standing
		want bool
	}{
		{"no switch", Standing{}, false},
		{"traffic has not moved", Standing{Exists: true}, false},
		{"traffic may have moved", Standing{Exists: true, Committing: true}, true},
		{"decided", Standing{Exists: true, Committing: true, Ruling: Decided}, false},
		{"on its way back", Standing{Exists: true, Committing: true, Ruling: Back}, true},
		{"the first deploy", Standing{Exists: true, First: true, Committing: true}, false},
	} {
		if got := Alone(test.s); got != test.want {
			t.Errorf("%s: %v, want %v", test.name, got, test.want)
		}
	}
}

func TestEpochs(t *testing.T) {
	first := Next("100")
	later := Next("101", Epoch{}, first, Epoch{Number: 7, Run: "99"})
	if first != (Epoch{1, "100"}) || later != (Epoch{8, "101"}) {
		t.Errorf("first %v, later %v", first, later)
	}
	if !Admits(later, later) || Admits(later, first) || Admits(later, Epoch{8, "102"}) {
		t.Error("a host lets in the run of its epoch and no other")
	}
}
