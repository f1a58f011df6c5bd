package report

import (
	"strings"

	"github.com/org/deploy-action/internal/event"
)

// headline says how the run ended, in one line.
func headline(a *account) string {
	if !a.finished {
		return "## ❔ " + a.subject() + " did not finish: the event log ends before the run does"
	}
	line := "## " + mark(a.result.Outcome) + " "
	switch a.result.Outcome {
	case event.Succeeded:
		return line + a.subject() + " succeeded in " + took(a.result.Took) + a.serving()
	case event.Stranded:
		return line + "Needs a hand: " + a.stranded()
	case event.Cancelled:
		return line + a.subject() + " was cancelled after " + took(a.result.Took) + because(a.result.Reason) + a.serving()
	}
	return line + a.subject() + " " + string(a.result.Outcome) + " after " + took(a.result.Took) + because(a.reason()) + a.serving()
}

// subject is what ran: "Pipeline release", "Deploy of shop".
func (a *account) subject() string {
	switch {
	case a.run.Pipeline != "":
		return "Pipeline " + inline(a.run.Pipeline)
	case a.run.Command == "" || a.run.Command == "run":
		return "The run"
	}
	verb := strings.ToUpper(a.run.Command[:1]) + a.run.Command[1:]
	if len(a.switches) == 0 {
		return inline(verb)
	}
	return inline(verb) + " of " + inline(a.switches[0].Environment)
}

// stranded says what could not be put back and where.
func (a *account) stranded() string {
	for _, s := range a.switches {
		if s.Outcome == event.Stranded {
			return inline(s.Environment) + " behind " + inline(s.Proxy) + because(s.Reason) + "; " + serves(s.Switch)
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
func (a *account) serving() string {
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
	if len(parts) == 0 {
		return ""
	}
	return "; " + enumerate(parts)
}

func serves(s event.Switch) string {
	if s.Unseen() {
		return inline(s.Environment) + " is as it was"
	}
	return inline(s.Environment) + " serves " + slot(s.Serving)
}

func because(reason string) string {
	if reason == "" {
		return ""
	}
	return ": " + strings.TrimRight(inline(reason), ".")
}

// origin is where the run comes from.
func (a *account) origin() string {
	var parts []string
	add := func(label, text string) {
		if text != "" {
			parts = append(parts, label+code(text))
		}
	}
	add("spec ", a.run.Spec)
	add("commit ", a.run.Commit)
	add("ref ", a.run.Ref)
	add("by ", a.run.Actor)
	add("run ", a.run.ID)
	add("turnout ", a.run.Version)
	if a.run.URL != "" {
		parts = append(parts, inline(a.run.URL))
	}
	text := strings.Join(parts, " · ")
	if a.result.Hint != "" {
		text = "**Next:** " + inline(a.result.Hint) + "\n\n" + text
	}
	return text
}
