package report

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/net/html"

	"github.com/org/deploy-action/internal/event"
	"github.com/org/deploy-action/templates"
)

func pageOf(t testing.TB, events []event.Event, logs Logs) []byte {
	t.Helper()
	text, err := HTML(events, logs)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// nodes are the elements of a page, in order.
func nodes(t testing.TB, page []byte) []*html.Node {
	t.Helper()
	root, err := html.Parse(bytes.NewReader(page))
	if err != nil {
		t.Fatal(err)
	}
	var all []*html.Node
	for n := range root.Descendants() {
		if n.Type == html.ElementNode {
			all = append(all, n)
		}
	}
	return all
}

func attribute(n *html.Node, name string) string {
	for _, a := range n.Attr {
		if a.Key == name {
			return a.Val
		}
	}
	return ""
}

// TestPageNeedsNothingElse looks for whatever would make a browser ask somebody.
func TestPageNeedsNothingElse(t *testing.T) {
	for _, name := range []string{"release", "rolled_back", "killed"} {
		t.Run(name, func(t *testing.T) { checkAlone(t, nodes(t, pageOf(t, recorded(t, name), logs(name)))) })
	}
	if found := regexp.MustCompile(`(?i)url\(|@import|@font-face|expression|https?:`).FindString(templates.ReportCSS); found != "" {
		t.Errorf("the style sheet has %q", found)
	}
}

func checkAlone(t *testing.T, page []*html.Node) {
	t.Helper()
	ids, policies := make(map[string]bool), 0
	for _, n := range page {
		if id := attribute(n, "id"); id != "" && ids[id] {
			t.Errorf("two elements have the id %q", id)
		} else if id != "" {
			ids[id] = true
		}
	}
	for _, n := range page {
		switch n.Data {
		case "script", "link", "img", "iframe", "object", "embed", "base", "form", "image", "foreignobject":
			t.Errorf("the page has a <%s>", n.Data)
		case "a", "use":
			if to, ok := strings.CutPrefix(attribute(n, "href"), "#"); ok && !ids[to] {
				t.Errorf("a link leads to %q, which is not there", to)
			} else if !ok && (n.Data == "use" || !strings.HasPrefix(attribute(n, "href"), "https://")) {
				t.Errorf("a link leads to %q", attribute(n, "href"))
			}
		case "meta":
			if attribute(n, "http-equiv") == "Content-Security-Policy" {
				policies++
				checkPolicy(t, attribute(n, "content"))
			}
		}
	}
	if policies != 1 {
		t.Errorf("%d policies", policies)
	}
}

// checkPolicy sees that nothing is allowed but the style sheet that is there.
func checkPolicy(t *testing.T, policy string) {
	t.Helper()
	sum := sha256.Sum256([]byte(templates.ReportCSS))
	want := "default-src 'none'; style-src 'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'; base-uri 'none'; form-action 'none'"
	if policy != want {
		t.Errorf("the policy is %q, want %q", policy, want)
	}
}

func TestPageCarriesTheStyleSheetAsItIs(t *testing.T) {
	for _, n := range nodes(t, pageOf(t, nil, nil)) {
		if n.Data == "style" && n.FirstChild.Data != templates.ReportCSS {
			t.Error("the style sheet of the page is not the one whose hash the policy has")
		}
	}
}

// TestPageIsForEveryone checks what keyboards, screen readers and phones need.
func TestPageIsForEveryone(t *testing.T) {
	count := make(map[string]int)
	for _, n := range nodes(t, pageOf(t, recorded(t, "release"), logs("release"))) {
		if n.Namespace == "" { // a drawing has titles of its own
			count[n.Data]++
		}
		switch {
		case n.Data == "html" && attribute(n, "lang") == "":
			t.Error("the page has no language")
		case n.Data == "th" && attribute(n, "scope") == "":
			t.Error("a table head does not say what it heads")
		case attribute(n, "role") == "region" && (attribute(n, "tabindex") != "0" || attribute(n, "aria-label") == ""):
			t.Error("a part that scrolls can't be reached by keyboard, or has no name")
		case n.Data == "svg" && attribute(n, "aria-hidden") == "" && attribute(n, "aria-label") == "" && !hiddenAbove(n):
			t.Error("a drawing has no name")
		case n.Data == "section" && attribute(n, "aria-labelledby") == "":
			t.Error("a section has no name")
		}
	}
	for _, landmark := range []string{"header", "nav", "main", "h1", "title"} {
		if count[landmark] != 1 {
			t.Errorf("%d <%s>", count[landmark], landmark)
		}
	}
}

func hiddenAbove(n *html.Node) bool {
	for p := n.Parent; p != nil; p = p.Parent {
		if attribute(p, "aria-hidden") == "true" {
			return true
		}
	}
	return false
}

// TestContrast holds every colour of text to WCAG's AA on what it stands on, in
// both themes.
func TestContrast(t *testing.T) {
	grounds := []string{"page", "card", "well", "ok-tint", "bad-tint", "soft-tint", "off-tint", "open-tint"}
	pairs := map[string][]string{"ink": grounds, "link": grounds, "dim": {"page", "card", "well", "ok-tint", "bad-tint", "soft-tint", "off-tint", "open-tint"}}
	for _, c := range []string{"ok", "bad", "soft", "stop", "off", "open"} {
		pairs[c] = []string{"card", "well"}
	}
	for i := range 6 {
		pairs[fmt.Sprintf("c%d", i+1)] = []string{"well"}
	}
	light, dark, _ := strings.Cut(templates.ReportCSS, "@media screen and (prefers-color-scheme: dark)")
	for theme, css := range map[string]string{"light": light, "dark": dark} {
		colours := make(map[string]float64)
		for _, m := range regexp.MustCompile(`--([a-z0-9-]+): #([0-9a-f]{6})`).FindAllStringSubmatch(css, -1) {
			colours[m[1]] = luminance(m[2])
		}
		for text, grounds := range pairs {
			for _, ground := range grounds {
				a, b := max(colours[text], colours[ground]), min(colours[text], colours[ground])
				if ratio := (a + 0.05) / (b + 0.05); ratio < 4.5 {
					t.Errorf("%s: %s on %s has a contrast of %.2f", theme, text, ground, ratio)
				}
			}
		}
	}
}

// luminance is WCAG's relative luminance of a colour in hex.
func luminance(hex string) float64 {
	sum := 0.0
	for i, weight := range []float64{0.2126, 0.7152, 0.0722} {
		n, _ := strconv.ParseUint(hex[2*i:2*i+2], 16, 8) // two hex digits by the pattern
		c := float64(n) / 255
		if c <= 0.04045 {
			c /= 12.92
		} else {
			c = math.Pow((c+0.055)/1.055, 2.4)
		}
		sum += weight * c
	}
	return sum
}

// big is a run of n stages, in layers of ten that need two of the layer before.
func big(n int) []event.Event {
	var all []event.Stage
	for i := range n {
		s := event.Stage{Name: fmt.Sprintf("stage-%d", i), Type: "test", Body: "run", Pos: line(i)}
		if i >= 10 {
			s.Needs = []string{fmt.Sprintf("stage-%d", i-10), fmt.Sprintf("stage-%d", i-i%10-1)}
		}
		all = append(all, s)
	}
	l := newLog(all...)
	l.events[0].Run.MaxParallel = 4
	for i, s := range all {
		l.start(s.Name).wait(time.Duration(1+i%7)*time.Second).end(s.Name, event.Result{Outcome: event.Succeeded, Attempts: 1, Took: time.Duration(1+i%7) * time.Second})
	}
	return l.finish(event.Result{Outcome: event.Succeeded, Took: time.Duration(4*n) * time.Second})
}

func TestLargeRuns(t *testing.T) {
	log := slices.Repeat([]string{strings.Repeat("x", 99)}, 300)
	for _, n := range []int{1000, 5000} {
		asked := 0
		page := pageOf(t, big(n), func(string) []string { asked++; return log })
		if len(page) > maxPage+n*1200 {
			t.Errorf("%d stages make a page of %d bytes", n, len(page))
		}
		if asked > maxPage/(logLines*99)+1 {
			t.Errorf("%d logs were read for a page with room for %d", asked, maxPage/(logLines*99))
		}
		if !strings.Contains(string(page), fmt.Sprintf("The graph is left out: %d boxes", n)) {
			t.Errorf("nothing says that the graph of %d stages is left out", n)
		}
	}
}

func BenchmarkHTML(b *testing.B) {
	for _, n := range []int{1000, 5000} {
		events := big(n)
		b.Run(strconv.Itoa(n), func(b *testing.B) {
			for b.Loop() {
				b.SetBytes(int64(len(pageOf(b, events, nil))))
			}
		})
	}
}

func TestFailuresComeFirstWhenThePageIsFull(t *testing.T) {
	l := newLog()
	for i := range 50 {
		l.good(fmt.Sprintf("good-%d", i), time.Second)
	}
	l.start("bad").end("bad", event.Result{Outcome: event.Failed, Reason: "no", Tail: []string{"kept in the log of events"}})
	long := slices.Repeat([]string{strings.Repeat("x", 1000)}, 200)
	page := string(pageOf(t, l.finish(event.Result{Outcome: event.Failed}), func(stage string) []string {
		if stage == "bad" {
			return nil
		}
		return long
	}))
	if !strings.Contains(page, "kept in the log of events") || !strings.Contains(page, "lines are left out") {
		t.Error("the log of the stage that failed is not there, or what is left out is not told")
	}
}

func TestOnlyFailuresAreUnfolded(t *testing.T) {
	var open []string
	for _, n := range nodes(t, pageOf(t, recorded(t, "rolled_back"), logs("rolled_back"))) {
		if n.Data != "details" || !strings.HasPrefix(attribute(n, "class"), "stage") {
			continue
		}
		for _, a := range n.Attr {
			if a.Key == "open" {
				open = append(open, attribute(n, "class"))
			}
		}
	}
	if want := []string{"stage bad", "stage bad"}; !slices.Equal(open, want) {
		t.Errorf("unfolded: %q, want %q", open, want)
	}
}

// outline is the page without its texts: elements, attributes and their values.
// Titles of elements stay out, for they are texts too.
func outline(t testing.TB, page []byte) []string {
	var all []string
	for _, n := range nodes(t, page) {
		line := n.Data
		for _, a := range n.Attr {
			if n.Data == "svg" && a.Key == "aria-label" {
				continue
			}
			line += " " + a.Key + "=" + a.Val
		}
		all = append(all, line)
	}
	return all
}

// harmless has nothing in it that means something to HTML, and looks the same
// to everything else.
var harmless = strings.NewReplacer("<", "=", ">", "=", "&", "#", `"`, "#", "'", "#")

// everywhere has two texts wherever a run has one.
func everywhere(a, b string) []event.Event {
	l := newLog(event.Stage{Name: a, Type: b, Body: b, Leg: "m" + b}, event.Stage{Name: a + "2", Leg: "m" + b}, event.Stage{Name: "z", Needs: []string{a}},
		event.Stage{Name: "rollback." + b, Rollback: true, Body: a})
	run := l.events[0].Run
	run.Commit, run.Ref, run.Actor, run.Pipeline, run.URL, run.Spec, run.Version = a, b, a, b, "https://example.com/run", a, b
	l.start(a).add(event.Event{Kind: event.StageRetry, Stage: a, Attempt: &event.Attempt{Number: 1, Of: 2, Error: b, Wait: time.Second}})
	l.end("z", event.Result{Outcome: event.Outcome("x" + a), Reason: a})
	l.add(event.Event{Kind: event.StepFinished, Stage: a, Step: &event.Step{Name: a, Server: "s" + b, Text: a}})
	l.add(event.Event{Kind: event.StepStarted, Step: &event.Step{Environment: "e" + a, Name: b}})
	l.wait(time.Second).end(a, event.Result{Outcome: event.Failed, Reason: b, Hint: a, Tail: []string{a, b}, Log: b, Attempts: 2})
	s := blueGreen
	s.Environment, s.Reason, s.Outcome, s.URL, s.Proxy, s.ConfigPath = b, a, event.Failed, "https://example.com/", a, b
	s.Diff, s.Logs, s.To.Release, s.Serving.Slot = "+x\n-y\n@@\n "+a, []string{a, b}, a, "s"+b
	s.Timeline = []event.TimelineItem{{Name: a, Text: b}, {Name: "commit", Text: a}}
	s.Traffic = &event.Traffic{Failed: 1, FirstError: a}
	l.switched(s).add(event.Event{Kind: event.Notice, Note: &event.Note{Level: event.Level(a), Text: b, Hint: a}})
	l.add(event.Event{Kind: event.ArtifactDone, Artifact: &event.Artifact{Name: a, Path: b, SHA256: a, Removed: []string{a, b}}})
	return l.finish(event.Result{Outcome: event.Failed, Reason: a, Hint: b, Took: time.Minute})
}

// invisible are characters that would change how the page reads.
func invisible(r rune) bool {
	return unicode.IsControl(r) && r != '\n' && r != '\t' || unicode.Is(unicode.Bidi_Control, r)
}

// FuzzHTML checks that texts stay texts: a run whose texts mean something to
// HTML has the same elements and attributes as one whose texts don't.
func FuzzHTML(f *testing.F) {
	f.Add(`<script>alert(1)</script>`, `"><img src=x onerror=alert(1)>`)
	f.Add("</title></style><!--", "' onmouseover='x")
	f.Add("\x1b[31m<b>\x1b[0m&amp;", "</details></pre>\n]]>{{.}}")
	f.Add("\x00\u202e<a href=javascript:alert(1)>", "a\r<i>\r\n&#60;b&#62;")
	f.Fuzz(func(t *testing.T, a, b string) {
		log := func(a, b string) Logs { return func(string) []string { return []string{a, b, a} } }
		page := pageOf(t, everywhere(a, b), log(a, b))
		if i := bytes.IndexFunc(page, invisible); i >= 0 {
			t.Errorf("a control character gets through: %q", page[max(i-40, 0):min(i+40, len(page))])
		}
		foreign := outline(t, page)
		a, b = harmless.Replace(a), harmless.Replace(b)
		if diff := cmp.Diff(outline(t, pageOf(t, everywhere(a, b), log(a, b))), foreign); diff != "" {
			t.Errorf("texts became markup (-harmless +as they are):\n%s", diff)
		}
	})
}

func TestLinksThatAreNotFollowed(t *testing.T) {
	for _, link := range []string{"javascript:alert(1)", "data:text/html,x", "//example.com", "https:", "ftp://example.com/", "ht tp://x", "JAVASCRIPT:alert(1)//https://example.com"} {
		l := newLog()
		l.events[0].Run.URL = link
		s := blueGreen
		s.URL = link
		for _, n := range nodes(t, pageOf(t, l.switched(s).finish(event.Result{}), nil)) {
			if href := attribute(n, "href"); href != "" && !strings.HasPrefix(href, "#") {
				t.Errorf("%q makes a link to %q", link, href)
			}
		}
	}
}

func TestPaint(t *testing.T) {
	for text, want := range map[string][]part{
		"plain":                                {{"", "plain"}},
		"":                                     nil,
		"\x1b[1;31mred\x1b[0m then":            {{"c1 b", "red"}, {"", " then"}},
		"\x1b[2m\x1b[92mdim\x1b[39m\x1b[22m":   {{"c2 d", "dim"}},
		"\x1b[38;5;31mother\x1b[m":             {{"", "other"}},
		"\x1b[37;41mwhite\x1b[2K\x1b]0;t\aend": {{"", "whiteend"}},
		"\x1b[31":                              {{"", "[31"}},
	} {
		if diff := cmp.Diff(want, paint(text)); diff != "" {
			t.Errorf("%q (-want +got):\n%s", text, diff)
		}
	}
}

// TestPageShowsACanary holds that the page draws a canary and tells every look at
// it, the one that decided too, and that of very many it shows the last.
func TestPageShowsACanary(t *testing.T) {
	events := aborted()
	charts := func(page []byte) (lines, rows int) {
		for _, n := range nodes(t, page) {
			switch {
			case n.Data == "polyline" && attribute(n, "points") != "":
				lines++
			case n.Data == "tr" && n.Parent.Parent.Parent.Data == "div" && attribute(n.Parent.Parent.Parent, "aria-label") == "Looks at the canary":
				rows++
			}
		}
		return lines, rows
	}
	if lines, rows := charts(pageOf(t, events, nil)); lines != 2 || rows != 5 {
		t.Errorf("%d lines and %d rows", lines, rows)
	}
	canary := events[2].Switch.Canary
	last := canary.Looks[3]
	for range 5000 {
		canary.Looks = append(canary.Looks, last)
	}
	page := pageOf(t, events, nil)
	if _, rows := charts(page); rows != mostLooks+1 || !bytes.Contains(page, []byte("4904 earlier looks are left out")) || len(page) > 200<<10 {
		t.Errorf("%d rows in %d bytes", rows, len(page))
	}
	if text := Markdown(events, Options{Limit: 64 << 10}); len(text) > 64<<10 || !strings.Contains(text, "xychart-beta") {
		t.Errorf("%d bytes of Markdown", len(text))
	}
}
