package report

import (
	"bytes"
	"encoding/xml"
	"io"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/org/deploy-action/internal/event"
)

// shape is an element of JUnit XML that both Maven Surefire's schema
// (surefire-test-report.xsd) and Jenkins' (junit-10.xsd) allow: its attributes,
// "!" marking those that must be there, and its children in Surefire's order.
type shape struct{ attributes, children []string }

var rerunShape = shape{[]string{"message", "type!"}, []string{"stackTrace", "system-out", "system-err"}}

var shapes = map[string]shape{
	"testsuite":    {[]string{"name!", "time", "tests!", "errors!", "skipped!", "failures!", "timestamp"}, []string{"properties", "testcase"}},
	"properties":   {nil, []string{"property"}},
	"property":     {[]string{"name!", "value!"}, nil},
	"testcase":     {[]string{"name!", "classname", "time!"}, []string{"failure", "rerunFailure", "flakyFailure", "skipped", "error", "system-out"}},
	"failure":      {[]string{"message", "type!"}, nil},
	"error":        {[]string{"message", "type!"}, nil},
	"skipped":      {[]string{"message"}, nil},
	"rerunFailure": rerunShape,
	"flakyFailure": rerunShape,
	"stackTrace":   {},
	"system-out":   {},
}

// surefireTime is the schema's own pattern of times.
var surefireTime = regexp.MustCompile(`^(([0-9]{0,3},)*[0-9]{3}|[0-9]{0,3})*(\.[0-9]{0,3})?$`)

// checkShape reads a document and compares each element with its shape.
func checkShape(t *testing.T, document []byte) {
	t.Helper()
	decoder := xml.NewDecoder(bytes.NewReader(document))
	var within []string
	at := map[int]int{} // by depth: the place of the last child in its parent's order
	for {
		token, err := decoder.Token()
		if err == io.EOF {
			return
		}
		if err != nil {
			t.Fatalf("the document is not XML: %v\n%s", err, document)
		}
		switch element := token.(type) {
		case xml.StartElement:
			checkChild(t, within, at, element.Name.Local)
			checkAttributes(t, element)
			within = append(within, element.Name.Local)
			at[len(within)] = 0
		case xml.EndElement:
			within = within[:len(within)-1]
		}
	}
}

func checkChild(t *testing.T, within []string, at map[int]int, name string) {
	t.Helper()
	if len(within) == 0 {
		if name != "testsuite" {
			t.Errorf("the document is a <%s>", name)
		}
		return
	}
	parent := within[len(within)-1]
	place := slices.Index(shapes[parent].children, name)
	if place < at[len(within)] {
		t.Errorf("<%s> has no place in <%s>, or not there", name, parent)
	}
	at[len(within)] = place
}

func checkAttributes(t *testing.T, element xml.StartElement) {
	t.Helper()
	values := make(map[string]string)
	for _, a := range element.Attr {
		values[a.Name.Local] = a.Value
		if s := shapes[element.Name.Local].attributes; !slices.Contains(s, a.Name.Local) && !slices.Contains(s, a.Name.Local+"!") {
			t.Errorf("<%s> has no attribute %q", element.Name.Local, a.Name.Local)
		}
	}
	for _, name := range shapes[element.Name.Local].attributes {
		if bare, must := strings.CutSuffix(name, "!"); must {
			if _, there := values[bare]; !there {
				t.Errorf("<%s> lacks %q", element.Name.Local, bare)
			}
		}
	}
	if lasted, there := values["time"]; there && !surefireTime.MatchString(lasted) {
		t.Errorf("<%s> lasted %q", element.Name.Local, lasted)
	}
}

func junit(t *testing.T, events []event.Event) []byte {
	t.Helper()
	text, err := JUnit(events)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func TestJUnitHasItsShape(t *testing.T) {
	for name, events := range map[string][]event.Event{
		"release": recorded(t, "release"), "rolled_back": recorded(t, "rolled_back"), "killed": recorded(t, "killed"),
		"succeeded": succeeded(), "put_back": putBack(), "stranded": stranded(), "cancelled": cancelled(), "cut short": killed(),
		"hostile": hostile(), "empty": nil,
	} {
		t.Run(name, func(t *testing.T) { checkShape(t, junit(t, events)) })
	}
}

// TestJUnitCounts reads how stages that ended in each way are counted.
func TestJUnitCounts(t *testing.T) {
	l := newLog(event.Stage{Name: "good"}, event.Stage{Name: "bad"}, event.Stage{Name: "ignored"}, event.Stage{Name: "torn"},
		event.Stage{Name: "later"}, event.Stage{Name: "rollback.undo", Rollback: true})
	l.good("good", 1500e6)
	for _, number := range []int{1, 2} {
		l.add(event.Event{Kind: event.StageRetry, Stage: "bad", Attempt: &event.Attempt{Number: number, Of: 3, Error: "no"}})
	}
	l.end("bad", event.Result{Outcome: event.Failed, Reason: "at last", Attempts: 3, Tail: []string{"", "]]> end"}})
	l.end("ignored", event.Result{Outcome: event.Failed, Ignored: true, Reason: "so what"})
	l.end("torn", event.Result{Outcome: event.Stranded, Reason: "left"})
	var suite testSuite
	if err := xml.Unmarshal(junit(t, l.finish(event.Result{Outcome: event.Stranded})), &suite); err != nil {
		t.Fatal(err)
	}
	if suite.Tests != 6 || suite.Failures != 1 || suite.Errors != 1 || suite.Skipped != 3 {
		t.Errorf("%d tests, %d failures, %d errors, %d skipped", suite.Tests, suite.Failures, suite.Errors, suite.Skipped)
	}
	good, bad, undo := suite.Cases[0], suite.Cases[1], suite.Cases[5]
	if good.Time != "1.500" || good.Class != "release" || good.Failure != nil {
		t.Errorf("good is %+v", good)
	}
	if len(bad.Reruns) != 2 || bad.Failure.Message != "at last" || !strings.HasSuffix(bad.Failure.Text, "\n\n]]> end") {
		t.Errorf("bad is %+v, %+v", bad, bad.Failure)
	}
	if undo.Class != "release.rollback" || undo.Name != "undo" || undo.Skipped == nil {
		t.Errorf("undo is %+v", undo)
	}
}

func TestJUnitOfADeployHasItsSwitch(t *testing.T) {
	text := string(junit(t, stranded()))
	for _, want := range []string{`<testcase name="shop" classname="deploy" time="36.200">`, `<error message="proxy edge-2 could not be put back`} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in:\n%s", want, text)
		}
	}
}

// FuzzJUnit checks that the document is XML of the right shape whatever texts
// hold.
func FuzzJUnit(f *testing.F) {
	f.Add("]]>", "<failure/>")
	f.Add("\x00\x0b\ufffe\uffff", "\xff\xc3(\r\n")
	f.Add("\x1b[31m&amp;", "\"><error/>")
	f.Fuzz(func(t *testing.T, a, b string) { checkShape(t, junit(t, everywhere(a, b))) })
}
