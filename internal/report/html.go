package report

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"html/template"
	"net/url"
	"slices"
	"time"

	"github.com/org/deploy-action/internal/event"
	"github.com/org/deploy-action/templates"
)

// Logs returns the last lines of a stage's log, the oldest first, and nothing
// where there is no log.
type Logs func(stage string) []string

// HTML is the report of a run as one page that needs nothing else: no script, no
// network. What logs returns is shown beneath the stages, those that failed
// first, as far as the page's size allows; logs may be nil.
func HTML(events []event.Event, logs Logs) ([]byte, error) {
	page, err := template.New("report").Parse(templates.ReportHTML)
	if err != nil {
		panic("report: built-in template: " + err.Error())
	}
	var out bytes.Buffer
	if err := page.Execute(&out, newPage(read(events), logs)); err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}

// page is what the template shows. All texts are plain; the template escapes
// them.
type page struct {
	Policy    string // Content-Security-Policy
	Style     template.CSS
	Title     string
	Look      look
	Ending    string
	Serving   []string
	Next      string
	Failed    []link
	Began     string
	BeganAt   string // for machines
	Took      string
	Facts     []fact
	URL       string // of the workflow run; empty unless it can be followed
	Sections  []link
	Advice    []string
	Broken    []brokenView
	Axis      []tick
	Stages    []row
	Count     string // of stages, in words
	Rollbacks []row
	Graph     *drawing
	NoGraph   string // why there is none
	Details   []detail
	Switches  []switchView
	LoadHead  []string
	Load      [][5]string
	Artifacts []artifactView
	Notes     []noteView
}

// link is a place on the page.
type link struct{ To, Text string }

// look is how an outcome is shown: a word, and the class of its colour and sign.
type look struct{ Class, Word string }

func newPage(a *account, logs Logs) *page {
	room := &room{left: maxPage}
	line := newScale(a)
	p := &page{
		Policy: policy(templates.ReportCSS), Style: template.CSS(templates.ReportCSS),
		Title: a.title(), Look: a.look(), Ending: a.ending(), Serving: a.serving(), Next: short(a.next()), Failed: a.failed(),
		Facts: shortFacts(a.origin()), URL: followable(a.run.URL), Advice: shorts(advice(a)),
		Axis: line.axis(), Stages: line.rows(a, a.stages), Rollbacks: line.rows(a, a.rollbacks), Count: count(len(a.stages), "stage", "stages"),
		Broken: brokenViews(a), Switches: switchViews(a, room), LoadHead: loadHead, Load: loadViews(a), Artifacts: artifactViews(a), Notes: noteViews(a),
	}
	if !a.began.IsZero() {
		p.Began, p.BeganAt = a.began.UTC().Format("2006-01-02 15:04:05 UTC"), a.began.UTC().Format(time.RFC3339)
	}
	if a.finished {
		p.Took = took(a.result.Took)
	}
	p.Graph, p.NoGraph = draw(a)
	p.Details = details(a, logs, room)
	p.Sections = p.sections()
	return p
}

// policy forbids everything but the page's own style sheet.
func policy(css string) string {
	sum := sha256.Sum256([]byte(css))
	return fmt.Sprintf("default-src 'none'; style-src 'sha256-%s'; base-uri 'none'; form-action 'none'",
		base64.StdEncoding.EncodeToString(sum[:]))
}

// sections lists what the page has, for its navigation.
func (p *page) sections() []link {
	var all []link
	add := func(there bool, to, text string) {
		if there {
			all = append(all, link{to, text})
		}
	}
	add(len(p.Advice) > 0, "advice", "Recommendations")
	add(len(p.Broken) > 0, "broken", "Interrupted")
	add(len(p.Stages) > 0, "stages", "Stages")
	add(len(p.Rollbacks) > 0, "rollbacks", "Rollback")
	add(p.Graph != nil || p.NoGraph != "", "graph", "Graph")
	add(len(p.Details) > 0, "details", "Logs")
	add(len(p.Switches) > 0, "switches", "Traffic")
	add(len(p.Load) > 0, "load", "Load")
	add(len(p.Artifacts) > 0, "artifacts", "Artifacts")
	add(len(p.Notes) > 0, "notices", "Notices")
	add(len(p.Facts) > 0, "facts", "Run")
	return all
}

func (a *account) title() string {
	if !a.finished {
		return a.subject() + " did not finish"
	}
	return a.subject() + " " + short(string(a.result.Outcome))
}

func (a *account) look() look {
	if !a.finished {
		return look{"open", "unfinished"}
	}
	return lookOf(a.result.Outcome)
}

func lookOf(o event.Outcome) look {
	switch o {
	case event.Succeeded:
		return look{"ok", string(o)}
	case event.Failed, event.Stranded:
		return look{"bad", string(o)}
	case event.Cancelled:
		return look{"stop", string(o)}
	case "":
		return look{"open", "unfinished"}
	}
	return look{"off", short(string(o))}
}

// look is the outcome of a stage.
func (s *stage) look() look {
	l := lookOf(s.result.Outcome)
	l.Word = short(s.verdict())
	switch {
	case s.result.Ignored:
		l.Class = "soft"
	case !s.finished && s.started.IsZero():
		l.Class = "off"
	}
	return l
}

// worstLook is the look that says most about several stages.
func worstLook(stages []*stage) look {
	worst := []string{"ok", "off", "open", "soft", "stop", "bad"}
	found := stages[0].look()
	for _, s := range stages {
		if l := s.look(); rank(worst, l.Class) > rank(worst, found.Class) {
			found = l
		}
	}
	return found
}

// failed lists at most five stages that failed, and strategies that did.
func (a *account) failed() []link {
	var all []link
	for _, s := range slices.Concat(a.stages, a.rollbacks) {
		if s.look().Class == "bad" && len(all) < 5 {
			all = append(all, link{s.anchor(), short(s.Name)})
		}
	}
	return all
}

// anchor is where the page has the details of s.
func (s *stage) anchor() string {
	if s.Rollback {
		return fmt.Sprintf("r%d", s.place+1)
	}
	return fmt.Sprintf("s%d", s.number)
}

// followable is a link that may be clicked, empty for any other.
func followable(link string) string {
	parsed, err := url.Parse(link)
	if err != nil || parsed.Host == "" || parsed.Scheme != "https" && parsed.Scheme != "http" {
		return ""
	}
	return parsed.String()
}
