package report

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/org/deploy-action/internal/event"
)

const (
	maxPage  = 2 << 20   // bytes of logs and diffs on a page
	maxShown = 128 << 10 // bytes of one of them
	logLines = 200       // lines of a log
	logLine  = 2000      // runes of a line
)

// room is what is left on a page for logs and diffs.
type room struct{ left int }

// tail takes as much of the end of a log as there is room for.
func (r *room) tail(lines []string) shown {
	long := lines[max(len(lines)-logLines, 0):]
	k := tail(clean(long), min(r.left, maxShown))
	k.left += len(lines) - len(long)
	return r.take(k)
}

func (r *room) take(k kept) shown {
	text := strings.Join(k.lines, "\n")
	r.left -= len(text)
	s := shown{Parts: paint(text)}
	if k.left > 0 {
		s.Left = count(k.left, "line is", "lines are") + " left out"
	}
	return s
}

// shown is a text on the page, and what is missing of it.
type shown struct {
	Parts []part
	Left  string
}

// Any reports whether there is anything to show.
func (s shown) Any() bool { return len(s.Parts) > 0 || s.Left != "" }

// detail is all about one stage.
type detail struct {
	Anchor   string
	Name     string
	Look     look
	Took     string
	Open     bool
	Facts    []fact
	Reason   string
	Hint     string
	Attempts []attemptView
	Servers  []stepView
	Tally    string // of the servers
	Switches []link
	Log      shown
	LogPath  string
}

type attemptView struct {
	Number, Took, Wait, Reason string
	Look                       look
}

// stepView is a step of a switch, or what a task did on one server.
type stepView struct {
	Name, At, Took, Text string
	Look                 look
	Bars                 []bar
}

// details tell of each stage and of each strategy that did something.
func details(a *account, logs Logs, room *room) []detail {
	all := slices.DeleteFunc(a.everything(), (*stage).idle)
	texts := stageLogs(all, logs, room)
	var views []detail
	for _, s := range all {
		d := s.detail(texts[s])
		d.Switches = a.switchesOf(s)
		views = append(views, d)
	}
	return views
}

// switchesOf leads to the switches that a stage made.
func (a *account) switchesOf(s *stage) []link {
	var all []link
	for i, made := range a.switches {
		if made.stage == s.Name {
			all = append(all, link{switchAnchor(i), path(made.Switch)})
		}
	}
	return all
}

func switchAnchor(i int) string { return "x" + strconv.Itoa(i+1) }

// stageLogs fetches logs, those that are wanted most first, until the page is
// full. The rest is not even read.
func stageLogs(stages []*stage, logs Logs, room *room) map[*stage]shown {
	urgency := []string{"bad", "open", "stop", "soft"}
	ordered := slices.Clone(stages)
	slices.SortStableFunc(ordered, func(x, y *stage) int {
		return rank(urgency, x.look().Class) - rank(urgency, y.look().Class)
	})
	texts := make(map[*stage]shown)
	for _, s := range ordered {
		if s.started.IsZero() || room.left <= 0 {
			continue
		}
		lines := s.result.Tail
		if logs != nil {
			if whole := logs(s.Name); len(whole) > 0 {
				lines = whole
			}
		}
		texts[s] = room.tail(lines)
	}
	return texts
}

// rank is the place of word in a list, behind all of it where it is not there.
func rank(list []string, word string) int {
	if i := slices.Index(list, word); i >= 0 {
		return i
	}
	return len(list)
}

func (s *stage) detail(log shown) detail {
	d := detail{
		Anchor: s.anchor(), Name: short(s.Name), Look: s.look(), Took: "–", Facts: s.facts(),
		Reason: short(s.result.Reason), Hint: short(s.result.Hint), Log: log, LogPath: short(s.result.Log),
	}
	d.Open = d.Look.Class == "bad"
	if s.took() > 0 {
		d.Took = took(s.result.Took)
	}
	for _, t := range s.tries() {
		d.Attempts = append(d.Attempts, t.view())
	}
	servers := s.servers()
	for _, server := range servers {
		d.Servers = append(d.Servers, server.view(server.Server))
	}
	d.Tally = tallySteps(servers)
	return d
}

func (s *stage) facts() []fact {
	needs := make([]string, len(s.needed))
	for i, needed := range s.needed {
		needs[i] = needed.Name
	}
	all := shortFacts([]fact{
		{"type", s.Type}, {"does", s.Body}, {"at", place(s.Pos)}, {"needs", strings.Join(needs, ", ")}, {"started", s.startedAt()},
	})
	if s.worthWaiting() {
		all = append(all, fact{"waited for a place", took(s.waited())})
	}
	if s.result.ExitCode != 0 {
		all = append(all, fact{"exit code", strconv.Itoa(s.result.ExitCode)})
	}
	return all
}

// shortFacts are the facts that there are, fit to be shown.
func shortFacts(facts []fact) []fact {
	var all []fact
	for _, f := range facts {
		if f.Value != "" {
			all = append(all, fact{f.Name, short(f.Value)})
		}
	}
	return all
}

func (s *stage) startedAt() string {
	if s.started.IsZero() {
		return ""
	}
	return s.started.UTC().Format("15:04:05 UTC")
}

func (t attempt) view() attemptView {
	v := attemptView{Number: fmt.Sprintf("%d of %d", t.number, t.of), Took: "–", Wait: "–", Reason: short(t.reason), Look: lookOf(t.outcome)}
	if t.outcome != "" {
		v.Took = took(t.took)
	}
	if t.wait > 0 {
		v.Wait = took(t.wait)
	}
	return v
}

func (s *step) view(name string) stepView {
	v := stepView{Name: short(name), Took: s.lasted(), Text: short(s.say()), Look: lookOf(s.outcome())}
	if s.left() {
		v.Look = look{"off", s.word()}
	}
	return v
}

// brokenView is a switch in whose middle the run ended.
type brokenView struct {
	Environment string
	Steps       []stepView
}

func brokenViews(a *account) []brokenView {
	var all []brokenView
	for _, b := range a.brokenOff() {
		v := brokenView{Environment: short(b.environment)}
		for _, s := range b.steps {
			v.Steps = append(v.Steps, s.view(s.Name))
		}
		all = append(all, v)
	}
	return all
}

// switchView is the account of a switch.
type switchView struct {
	Anchor   string
	Look     look
	Path     string
	Became   string
	Serving  string
	URL      string
	Figures  []fact
	Trouble  string // the first request that failed
	Besides  []string
	Canary   *canaryView
	Steps    []stepView
	DiffOf   string
	Diff     []diffLine
	DiffLeft string
	LogOf    string
	Log      shown
	Open     bool
}

func switchViews(a *account, room *room) []switchView {
	var all []switchView
	for i, s := range a.switches {
		v := s.view(room)
		v.Anchor = switchAnchor(i)
		all = append(all, v)
	}
	return all
}

func (s switched) view(room *room) switchView {
	v := switchView{
		Look: lookOf(s.Outcome), Path: path(s.Switch), Became: became(s.Switch), URL: followable(s.URL),
		Figures: figureFacts(s.Switch), Besides: []string{reloads(s.Switch)}, DiffOf: short(s.ConfigPath), LogOf: short(strings.TrimPrefix(logged(s.Switch), "slot ")),
		Canary: canaryViewOf(s.Canary), Log: room.tail(s.Logs), Open: s.Outcome != event.Succeeded,
	}
	v.Diff, v.DiffLeft = room.diff(s.Diff)
	if !s.Unseen() {
		v.Serving = slot(s.Serving)
	}
	if s.Traffic != nil {
		v.Trouble = short(s.Traffic.FirstError)
	}
	if text := gap(s.Switch); text != "" {
		v.Besides = append(v.Besides, text)
	}
	if len(s.Proxies) > 1 {
		for _, p := range s.Proxies {
			v.Besides = append(v.Besides, short(p.Server+" "+p.Now()))
		}
	}
	if s.Drained != nil {
		v.Besides = append(v.Besides, drained(*s.Drained))
	}
	if at := place(s.Pos); at != "" {
		v.Besides = append(v.Besides, short(at))
	}
	for i, item := range s.Timeline {
		v.Steps = append(v.Steps, stepView{Name: short(item.Name), At: took(item.At), Text: short(item.Text), Bars: stepBars(s.Switch, i)})
	}
	return v
}

// figureFacts are the figures of the prober, one by one.
func figureFacts(s event.Switch) []fact {
	t := s.Traffic
	if t == nil {
		return nil
	}
	return []fact{
		{"requests", strconv.Itoa(t.Requests)}, {"failed", strconv.Itoa(t.Failed)},
		{"p99", strings.TrimPrefix(p99(*t), "p99 ")}, {"longest gap", millis(t.LongestGap)},
	}
}

// diffLine is a line of a diff with its class: "add", "del", "hunk" or none.
type diffLine struct{ Class, Text string }

func (r *room) diff(text string) ([]diffLine, string) {
	k := head(clean(split(text)), min(r.left, maxShown))
	var all []diffLine
	for _, line := range k.lines {
		r.left -= len(line)
		all = append(all, diffLine{diffClass(line), printable(line)})
	}
	if k.left == 0 {
		return all, ""
	}
	return all, count(k.left, "line is", "lines are") + " left out"
}

func diffClass(line string) string {
	switch {
	case strings.HasPrefix(line, "+++"), strings.HasPrefix(line, "---"), strings.HasPrefix(line, "@@"):
		return "hunk"
	case strings.HasPrefix(line, "+"):
		return "add"
	case strings.HasPrefix(line, "-"):
		return "del"
	}
	return ""
}

// artifactView is what became of an artifact.
type artifactView struct{ Name, Files, Size, Path, Sum, Removed string }

func artifactViews(a *account) []artifactView {
	var all []artifactView
	for _, f := range a.artifacts {
		v := artifactView{Name: short(f.Name), Files: "–", Size: "–", Path: missing}
		if !f.Missing {
			v.Files, v.Size, v.Path, v.Sum = strconv.Itoa(f.Files), packed(f), short(f.Path), short(f.SHA256)
			v.Removed = enumerate(shorts(f.Removed))
		}
		all = append(all, v)
	}
	return all
}

// noteView is a notice.
type noteView struct{ Class, Level, Where, Text, Hint string }

func noteViews(a *account) []noteView {
	classes := map[event.Level]string{event.Warning: "soft", event.Problem: "bad"}
	var all []noteView
	for _, n := range a.notes {
		all = append(all, noteView{classes[n.Level], short(string(n.Level)), short(place(n.Pos)), short(n.Text), short(n.Hint)})
	}
	return all
}
