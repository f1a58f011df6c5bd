package github

import "github.com/org/deploy-action/internal/event"

// A deployment begins on GitHub with the first step that changes a machine: what
// ends before, because a later run was faster or it was cancelled, is none.

func (l *Listener) shipping(e event.Event) {
	name := e.Step.Environment
	if e.Step.Name != "ship" || name == "" || l.command == "rollback" || l.stages[e.Stage].Rollback {
		return
	}
	l.begun[name] = true
	l.api.Deploy(Target{Name: name}, Status{State: InProgress, Description: "being deployed"})
}

// deployed tells what a switch came to.
func (l *Listener) deployed(s event.Switch) {
	switch {
	case s.Rollback && s.Outcome == event.Succeeded && s.Serving.Release != "":
		l.api.Restore(s.Environment, s.Serving.Release, "rolled back to "+s.Serving.Slot)
	case s.Rollback, s.Outcome == event.Skipped, s.Outcome == event.Cancelled && !l.begun[s.Environment]:
	default:
		l.api.Deploy(Target{Name: s.Environment}, statusOf(s))
	}
}

func statusOf(s event.Switch) Status {
	switch s.Outcome {
	case event.Succeeded:
		return Status{State: Live, Description: s.Serving.Slot + " serves", Release: s.Serving.Release, URL: s.URL}
	case event.Stranded:
		return Status{State: Broken, Description: "needs a hand: " + s.Reason}
	case event.Cancelled:
		return Status{State: Failure, Description: "cancelled; " + kept(s)}
	}
	return Status{State: Failure, Description: kept(s) + ": " + s.Reason}
}

// kept says what serves after a switch that did not succeed.
func kept(s event.Switch) string {
	switch {
	case s.Serving.Slot == "":
		return "nothing was moved"
	case s.PutBack:
		return "put back, " + s.Serving.Slot + " serves"
	}
	return s.Serving.Slot + " serves as before"
}
