package github

import (
	"fmt"
	"path"
	"strconv"

	actions "github.com/sethvargo/go-githubactions"

	"github.com/org/deploy-action/internal/event"
	"github.com/org/deploy-action/internal/spec"
)

const (
	// maxOfKind is how many annotations of a kind a step may have, less the one
	// that says how many more there are. The runner drops those past 10
	// (actions/runner, ExecutionContext, _maxCountPerIssueType).
	maxOfKind = 9
	// maxMessage is where the runner cuts a message (_maxIssueMessageLength).
	maxMessage = 4096
)

// annotation is a remark at a place of the spec. Its kind is "error", "warning"
// or "notice".
type annotation struct {
	kind, title, text string
	pos               spec.Pos
}

// Annotate puts problems on the lines of the spec they belong to.
func (a *Actions) Annotate(problems spec.Problems) {
	var list []annotation
	for _, p := range problems {
		list = append(list, annotation{kind: kindOf(event.Level(p.Severity)), title: p.Summary, text: p.Detail, pos: p.Pos})
	}
	a.annotate(list)
}

// annotate issues at most maxOfKind annotations of each kind in a step and one
// that counts the rest of the list.
func (a *Actions) annotate(list []annotation) {
	left := make(map[string]int)
	for _, n := range list {
		if a.issued[n.kind] >= maxOfKind {
			left[n.kind]++
			continue
		}
		a.issued[n.kind]++
		a.issue(n)
	}
	for _, kind := range []string{"error", "warning", "notice"} {
		if left[kind] > 0 && a.issued[kind] == maxOfKind {
			a.issued[kind]++
			a.issue(annotation{kind: kind, text: fmt.Sprintf("and %d more: see the log and the job summary", left[kind])})
		}
	}
}

func (a *Actions) issue(n annotation) {
	a.api.IssueCommand(&actions.Command{Name: n.kind, Message: cut(a.masker.String(n.text)), Properties: a.properties(n)})
}

// properties are the place and the title of an annotation. The runner drops
// columns of a range of several lines, so they are left out.
func (a *Actions) properties(n annotation) actions.CommandProperties {
	p := actions.CommandProperties{}
	add := func(name string, number int) {
		if number > 0 {
			p[name] = strconv.Itoa(number)
		}
	}
	if n.title != "" {
		p["title"] = a.masker.String(n.title)
	}
	if n.pos.File == "" {
		return p
	}
	p["file"] = a.fromWorkspace(n.pos.File)
	add("line", n.pos.Line)
	if n.pos.EndLine > n.pos.Line {
		add("endLine", n.pos.EndLine)
		return p
	}
	add("col", n.pos.Column)
	if n.pos.EndColumn > n.pos.Column {
		add("endColumn", n.pos.EndColumn)
	}
	return p
}

// fromWorkspace is a file as seen from the workspace: those of the spec are
// named from the working directory.
func (a *Actions) fromWorkspace(file string) string {
	if path.IsAbs(file) {
		return file
	}
	return path.Join(a.api.GetInput("working_directory"), file)
}

// kindOf is the annotation for a level.
func kindOf(level event.Level) string {
	switch level {
	case event.Problem:
		return "error"
	case event.Warning:
		return "warning"
	}
	return "notice"
}

// cut is a message as long as the runner keeps it.
func cut(text string) string {
	runes := []rune(text)
	if len(runes) <= maxMessage {
		return text
	}
	return string(runes[:maxMessage-1]) + "…"
}
