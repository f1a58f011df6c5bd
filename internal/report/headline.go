package report

import (
	"strings"

	"github.com/org/deploy-action/internal/event"
)

// headline says how the run ended and what serves now, in one line.
func (a *account) headline() string {
	if serving := a.serving(); serving != nil && a.result.Outcome != event.Stranded {
		return a.ending() + "; " + enumerate(serving)
	}
	return a.ending()
}

// ending says how the run ended, in one line.
func (a *account) ending() string {
	if !a.finished {
		return a.subject() + " did not finish: the event log ends before the run does"
	}
	switch a.result.Outcome {
	case event.Succeeded:
		return a.subject() + " succeeded in " + took(a.result.Took)
	case event.Stranded:
		return "Needs a hand: " + a.stranded()
	case event.Cancelled:
		return a.subject() + " was cancelled after " + took(a.result.Took) + because(a.result.Reason)
	}
	return a.subject() + " " + short(string(a.result.Outcome)) + " after " + took(a.result.Took) + because(a.reason())
}

// subject is what ran: "Pipeline release", "Task warm", "Deploy of shop".
func (a *account) subject() string {
	switch {
	case a.run.Pipeline != "":
		return "Pipeline " + short(a.run.Pipeline)
	case a.run.Command == "" || a.run.Command == "run":
		return "The run"
	}
	title := a.run.Title()
	verb := strings.ToUpper(title[:1]) + title[1:]
	if len(a.switches) > 0 {
		return short(verb) + " of " + short(a.switches[0].Environment)
	}
	if broken := a.brokenOff(); len(broken) > 0 {
		return short(verb) + " of " + short(broken[0].environment)
	}
	return short(verb)
}

// next is what to do now, empty where nothing is to be done.
func (a *account) next() string {
	if broken := a.brokenOff(); !a.finished && len(broken) > 0 {
		return "turnout recover " + broken[0].environment
	}
	return a.result.Hint
}

// stranded says what could not be put back and where.
func (a *account) stranded() string {
	for _, s := range a.switches {
		if s.Outcome == event.Stranded {
			return short(s.Environment) + " behind " + short(s.Proxy) + because(s.Reason) + "; " + serves(s.Switch)
		}
	}
	return a.subject() + because(a.reason())
}

// reason is why the run ended as it did.
func (a *account) reason() string {
	if a.result.Reason != "" {
		return a.result.Reason
	}
	if failed := a.with(event.Failed); len(failed) > 0 {
		return "stage " + failed[0].Name + ": " + failed[0].result.Reason
	}
	return ""
}

// serving says what each environment that the run touched serves now.
func (a *account) serving() []string {
	var parts []string
	latest := make(map[string]event.Switch)
	for _, s := range a.switches {
		latest[s.Environment] = s.Switch
	}
	for _, s := range a.switches {
		if last, ok := latest[s.Environment]; ok {
			parts = append(parts, serves(last))
			delete(latest, s.Environment)
		}
	}
	return parts
}

func serves(s event.Switch) string {
	if s.Unseen() {
		return short(s.Environment) + " is as it was"
	}
	return short(s.Environment) + " serves " + slot(s.Serving)
}

func because(reason string) string {
	if reason == "" {
		return ""
	}
	return ": " + strings.TrimRight(short(reason), ".")
}

// fact is something to know about a run.
type fact struct{ Name, Value string }

// origin is where the run comes from; what is not known is empty.
func (a *account) origin() []fact {
	return []fact{
		{"spec", a.run.Spec}, {"commit", a.run.Commit}, {"ref", a.run.Ref},
		{"by", a.run.Actor}, {"run", a.run.ID}, {"turnout", a.run.Version},
	}
}
