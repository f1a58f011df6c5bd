package report

import (
	"bytes"
	"encoding/xml"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/org/deploy-action/internal/event"
)

// The elements of JUnit XML, in the order and with the attributes of Maven
// Surefire's schema; Jenkins, GitLab and the test reporters for GitHub read it.
type (
	testSuite struct {
		XMLName    xml.Name   `xml:"testsuite"`
		Name       string     `xml:"name,attr"`
		Time       string     `xml:"time,attr"`
		Tests      int        `xml:"tests,attr"`
		Errors     int        `xml:"errors,attr"`
		Skipped    int        `xml:"skipped,attr"`
		Failures   int        `xml:"failures,attr"`
		Timestamp  string     `xml:"timestamp,attr,omitempty"`
		Properties []property `xml:"properties>property"`
		Cases      []testCase `xml:"testcase"`
	}
	property struct {
		Name  string `xml:"name,attr"`
		Value string `xml:"value,attr"`
	}
	testCase struct {
		Name      string   `xml:"name,attr"`
		Class     string   `xml:"classname,attr"`
		Time      string   `xml:"time,attr"`
		Failure   *problem `xml:"failure"`
		Reruns    []rerun  `xml:"rerunFailure"` // of a case that failed in the end
		Flakes    []rerun  `xml:"flakyFailure"` // of a case that passed in the end
		Skipped   *reason  `xml:"skipped"`
		Error     *problem `xml:"error"`
		SystemOut *rawText `xml:"system-out"`
	}
	problem struct {
		Message string `xml:"message,attr"`
		Type    string `xml:"type,attr"`
		Text    string `xml:",cdata"`
	}
	rerun struct {
		Message    string  `xml:"message,attr"`
		Type       string  `xml:"type,attr"`
		StackTrace rawText `xml:"stackTrace"`
	}
	reason struct {
		Message string `xml:"message,attr"`
	}
	rawText struct {
		Text string `xml:",cdata"`
	}
)

// JUnit is the report of a run as JUnit XML: a test suite with a case per
// stage, and one per rollback strategy under the class "<pipeline>.rollback". A
// run without stages has a case per switch.
func JUnit(events []event.Event) ([]byte, error) {
	a := read(events)
	suite := testSuite{Name: a.class(), Time: seconds(a.result.Took), Properties: a.properties()}
	if !a.began.IsZero() {
		suite.Timestamp = a.began.UTC().Format("2006-01-02T15:04:05")
	}
	for _, s := range a.stages {
		suite.add(s.testCase(a.class()))
	}
	for _, s := range a.rollbacks {
		suite.add(s.testCase(a.class() + ".rollback"))
	}
	if len(a.stages) == 0 {
		for _, s := range a.switches {
			suite.add(switchCase(a.class(), s.Switch))
		}
	}
	return suite.marshal()
}

func (s *testSuite) marshal() ([]byte, error) {
	text, err := xml.MarshalIndent(s, "", "  ")
	if err != nil {
		return nil, err
	}
	return append(append([]byte(xml.Header), bytes.TrimSpace(text)...), '\n'), nil
}

func (s *testSuite) add(c testCase) {
	s.Tests++
	switch {
	case c.Failure != nil:
		s.Failures++
	case c.Error != nil:
		s.Errors++
	case c.Skipped != nil:
		s.Skipped++
	}
	s.Cases = append(s.Cases, c)
}

// class is what the cases of a run have in common.
func (a *account) class() string {
	switch {
	case a.run.Pipeline != "":
		return short(a.run.Pipeline)
	case a.run.Command != "":
		return short(a.run.Command)
	}
	return "run"
}

func (a *account) properties() []property {
	all := []property{{"outcome", a.ending()}}
	if a.finished {
		all[0].Value = string(a.result.Outcome)
	}
	for _, f := range shortFacts(append(a.origin(), fact{"url", a.run.URL})) {
		all = append(all, property(f))
	}
	return all
}

// testCase is a stage or a rollback strategy as a test.
func (s *stage) testCase(class string) testCase {
	c := testCase{Name: short(s.Name), Class: class, Time: seconds(s.took())}
	if s.Rollback {
		c.Name = short(s.Strategy())
	}
	switch {
	case s.idle():
		c.Skipped = &reason{"the strategy was not called for"}
	case !s.finished && s.started.IsZero():
		c.Skipped = &reason{"not reached"}
	case !s.finished:
		c.Error = &problem{Message: "the event log ends before the stage does", Type: "unfinished"}
	case s.result.Outcome == event.Succeeded:
		c.Flakes = s.reruns()
	case s.result.Outcome == event.Stranded:
		c.Error = s.problem()
	case s.result.Outcome == event.Failed && !s.result.Ignored:
		c.Failure, c.Reruns = s.problem(), s.reruns()
	default:
		c.Skipped = &reason{short(s.verdict() + because(s.result.Reason))}
	}
	c.SystemOut = s.systemOut()
	return c
}

// problem is why a stage failed, with its last lines.
func (s *stage) problem() *problem {
	text := append(present(s.result.Reason, s.result.Hint, place(s.Pos)), s.result.Tail...)
	return &problem{Message: short(s.result.Reason), Type: string(s.result.Outcome), Text: lines(text)}
}

// reruns are the attempts before the one that decided.
func (s *stage) reruns() []rerun {
	var all []rerun
	for _, r := range s.retries {
		text := lines([]string{fmt.Sprintf("attempt %d of %d, after %s%s", r.Number, r.Of, took(r.Took), because(r.Error))})
		all = append(all, rerun{Message: short(r.Error), Type: string(event.Failed), StackTrace: rawText{text}})
	}
	return all
}

// systemOut is how a task went on each server, and the last lines of a failure
// that the spec ignores.
func (s *stage) systemOut() *rawText {
	var text []string
	for _, server := range s.servers() {
		line := server.Server + ": " + server.word()
		if server.finished {
			line += " in " + server.lasted() + because(server.say())
		}
		text = append(text, line)
	}
	if s.result.Ignored {
		text = append(text, s.result.Tail...)
	}
	if len(text) == 0 {
		return nil
	}
	return &rawText{lines(text)}
}

// switchCase is a switch as a test, for runs that are nothing else.
func switchCase(class string, s event.Switch) testCase {
	c := testCase{Name: short(s.Environment), Class: class, Time: seconds(s.Took)}
	trouble := &problem{Message: short(s.Reason), Type: string(s.Outcome), Text: lines(append(present(became(s), place(s.Pos)), s.Logs...))}
	switch s.Outcome {
	case event.Succeeded:
	case event.Failed:
		c.Failure = trouble
	case event.Stranded:
		c.Error = trouble
	default:
		c.Skipped = &reason{short(string(s.Outcome) + because(s.Reason))}
	}
	return c
}

// present are those of the texts that are not empty.
func present(texts ...string) []string {
	return slices.DeleteFunc(texts, func(text string) bool { return text == "" })
}

// lines joins texts. What XML can't hold, not even as CDATA, is left out:
// control characters, and the two that are none in Unicode.
func lines(all []string) string {
	return strings.Map(func(r rune) rune {
		if r == '\uFFFE' || r == '\uFFFF' {
			return -1
		}
		return r
	}, printable(strings.Join(all, "\n")))
}

func seconds(d time.Duration) string { return fmt.Sprintf("%.3f", max(d, 0).Seconds()) }
