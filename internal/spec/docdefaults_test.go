package spec_test

import (
	"encoding/json"
	"fmt"
	"os"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/hashicorp/hcl/v2"

	"github.com/org/deploy-action/internal/spec"
)

// The pages of the language say a default in the comment of an attribute in a spec,
//
//	timeout = "5m"     # the default
//	sticky  = "cookie" # or "client_ip"; default "none"
//	dir     = "web"    # default: the working directory
//
// and in rows of tables: "default `10s`", "default: the local machine". What it is,
// is seen by leaving the attribute out: an export has every default filled in.
var (
	docFence   = regexp.MustCompile("(?ms)^```hcl\n(.*?)^```$")
	docShown   = regexp.MustCompile(`\bthe default\b`)
	docDefault = regexp.MustCompile("\\bdefault(?:: ([^;,()|]+)| (\"[^\"]*\"|\\d+|true|false|`[^`]+`))")
	docOr      = regexp.MustCompile(`\bor (\w+ = )?("[^"]*")`)
	docRows    = regexp.MustCompile("^\\| `([a-z0-9_]+)` \\|(.*)\\|$")
)

// docProse are the defaults that are no literal of the language, by what the pages
// call them, and what an export has then; nil is nothing.
var docProse = map[string]any{
	"any 2xx":                       nil,
	"none":                          nil,
	"only of one that succeeded":    nil,
	"preview up -release says it":   nil,
	"that of AWS in the region":     nil,
	"that of the health check":      nil,
	"the certificate's file":        nil,
	"the local machine":             []any{"local"},
	"the machine that runs turnout": []any{"local"},
	"the number of CPUs":            nil, // of the machine that reads it
	"the path of the health check":  nil,
	"the proxy's hostname":          "shop.example.com",
	"the user who runs turnout":     nil,
	"the working directory":         nil,
	"what start has put out":        nil,
}

// docTables are the tables of attributes that have defaults, with the kind of block
// of each column; one kind is that of all columns.
var docTables = []struct {
	page, header string
	kinds        []string
}{
	{"spec.md", "| attribute | nginx | haproxy |", []string{"proxy nginx", "proxy haproxy"}},
	{"servers.md", "| attribute | meaning |", []string{"ssh"}},
	{"elb.md", "| attribute | meaning |", []string{"proxy aws_elb"}},
	{"proxies.md", "| attribute | default | |", []string{"tls"}},
}

// docElsewhere are the defaults that a page says in a sentence of its own.
var docElsewhere = map[string]string{
	"environment.servers": "group.web                # default: the local machine",
	"server.address":      "`address`, by default its `host`",
	"server.connection":   "`connection` is `ssh` by default",
}

// TestDefaultsAreDocumented holds each default that the pages of the language say
// against what is read where the attribute is left out, and looks there for those of
// all attributes.
func TestDefaultsAreDocumented(t *testing.T) {
	t.Parallel()
	d := &docs{T: t, have: make(map[string][]any), said: make(map[string]bool)}
	d.bare()
	var pages strings.Builder
	for _, page := range []string{"spec.md", "servers.md", "elb.md", "canary.md", "proxies.md", "previews.md"} {
		text, err := os.ReadFile("../../docs/" + page)
		if err != nil {
			t.Fatal(err)
		}
		pages.Write(text)
		for _, fence := range docFence.FindAllStringSubmatch(string(text), -1) {
			all := places(t, fence[1])
			for _, p := range all {
				d.checkComment(page, fence[1], p, all)
			}
		}
		for _, table := range docTables {
			if table.page == page {
				d.checkTable(page, string(text), table.header, table.kinds)
			}
		}
	}
	for key, values := range d.have {
		kind, name, _ := strings.Cut(key, ".")
		_, inherits := d.have["ssh."+name]
		filled := slices.IndexFunc(values, func(value any) bool { return value != nil })
		if filled < 0 || d.said[key] || kind == "server" && inherits {
			continue
		}
		if sentence := docElsewhere[key]; sentence == "" || !strings.Contains(pages.String(), sentence) {
			t.Errorf("no page says the default of %s: %v", key, values[filled])
		}
	}
	if steps := stepsSentence(); !strings.Contains(pages.String(), steps) {
		t.Errorf("no page says the default of step: %q", steps)
	}
}

// stepsSentence is what is said of a canary without steps.
func stepsSentence() string {
	var weights []string
	steps := spec.DefaultCanary(spec.Pos{}).Steps
	for _, step := range steps {
		weights = append(weights, strconv.Itoa(step.Weight))
	}
	return fmt.Sprintf("# default: %s %%, %g s each", strings.Join(weights, ", "), steps[0].Hold.Seconds())
}

// docs is what is known while pages are read.
type docs struct {
	*testing.T
	have map[string][]any // by attribute: what an export has in its place where it is left out
	said map[string]bool  // attributes whose defaults a page says
}

// needed is what a spec says of an attribute that it lacks.
var needed = regexp.MustCompile(`needs (?:the attribute "|.*?)(\w+)(?:"| = )`)

// bare notes what is read of a spec that has every block, and of the attributes no
// more than these need.
func (d *docs) bare() {
	d.Helper()
	text, err := os.ReadFile(corpus + "/ok/attributes.hcl")
	if err != nil {
		d.Fatal(err)
	}
	whole := string(text)
	all, needs := places(d.T, whole), make(map[int]bool)
	for {
		src := whole
		for i, p := range all {
			if !needs[i] {
				src = blanked(src, p.SrcRange)
			}
		}
		export, problems := read(d.T, src)
		if problems == nil {
			for i, p := range all {
				if !needs[i] {
					d.have[p.key()] = append(d.have[p.key()], p.in(export))
				}
			}
			return
		}
		before := len(needs)
		for _, problem := range problems {
			for _, i := range lacking(all, needs, problem) {
				needs[i] = true
			}
		}
		if len(needs) == before {
			d.Fatalf("%+v", problems)
		}
	}
}

// lacking are the attributes whose lack may be a problem: the one that it names, or
// those of the innermost block around it that lacks any.
func lacking(all []place, needs map[int]bool, problem spec.Problem) (found []int) {
	name := needed.FindStringSubmatch(problem.Detail)
	inner := hcl.Range{}
	for i, p := range all {
		if needs[i] || problem.Pos.Line < p.block.Start.Line || problem.Pos.Line > p.block.End.Line {
			continue
		}
		if name != nil && name[1] == p.name && problem.Pos.Line == p.block.Start.Line {
			return []int{i}
		}
		if p.block.Start.Line > inner.Start.Line {
			inner, found = p.block, nil
		}
		if p.block == inner {
			found = append(found, i)
		}
	}
	return found
}

// checkComment holds what a comment says of its attribute.
func (d *docs) checkComment(page, src string, p place, all []place) {
	d.Helper()
	comment := p.comment(src)
	wrong := func(format string, values ...any) {
		d.Helper()
		d.Errorf("%s: %s # %s: "+format, slices.Concat([]any{page, p.key(), comment}, values)...)
	}
	for _, or := range docOr.FindAllStringSubmatch(comment, -1) {
		at := p.Expr.Range()
		if or[1] != "" {
			at = p.SrcRange
		}
		_, problems := read(d.T, replaced(src, at, or[1]+or[2]))
		for _, problem := range problems {
			if problem.Pos.Line == p.SrcRange.Start.Line {
				wrong("%s", problem.Detail)
			}
		}
	}
	shown, other := docShown.MatchString(comment), docDefault.FindStringSubmatch(comment)
	if !shown && other == nil {
		return
	}
	d.said[p.key()] = true
	without := leftOut(d.T, src, p, all)
	if without == nil {
		wrong("it can't be left out")
		return
	}
	var want any
	switch {
	case shown:
		export, _ := read(d.T, src) // TestDocumentedSpecsAreValid has read it
		want = p.in(export)
	case other[1] != "":
		prose := strings.TrimSpace(other[1])
		if _, known := docProse[prose]; !known {
			wrong("docProse has no %q", prose)
		}
		want = docProse[prose]
	default:
		if err := json.Unmarshal([]byte(other[2]), &want); err != nil {
			wrong("%v", err)
		}
	}
	if got := p.in(without); !reflect.DeepEqual(got, want) {
		wrong("it is %v, and not %v", got, want)
	}
}

// checkTable holds what the rows below a header say of attributes.
func (d *docs) checkTable(page, text, header string, kinds []string) {
	d.Helper()
	_, table, found := strings.Cut(text, header+"\n")
	if !found {
		d.Errorf("%s has no %s", page, header)
	}
	columns := cells(header)[1:]
	for line := range strings.Lines(table) {
		row := docRows.FindStringSubmatch(strings.TrimSpace(line))
		if !strings.HasPrefix(line, "|") {
			return
		}
		if row == nil || row[1] == "check" || row[1] == "reload" {
			continue // no attribute; or one whose default package proxy has, and a test of its own
		}
		for i, cell := range cells(row[2]) {
			if cell == "the same" {
				cell = cells(row[2])[i-1]
			}
			said := docDefault.FindStringSubmatch("default: " + cell)
			if columns[i] != "default" {
				said = docDefault.FindStringSubmatch(cell)
			}
			if said == nil {
				continue
			}
			key := kinds[min(i, len(kinds)-1)] + "." + row[1]
			d.said[key] = true
			text := strings.Trim(strings.TrimSpace(said[1]+said[2]), "`")
			want, known := docProse[text]
			if !known {
				want = text
			}
			if !slices.ContainsFunc(d.have[key], func(got any) bool {
				return reflect.DeepEqual(got, want) || got != nil && fmt.Sprint(got) == want
			}) {
				d.Errorf("%s: default of %s: it is %v, and not %v", page, key, d.have[key], want)
			}
		}
	}
}

// cells are those of a row of a table.
func cells(row string) []string {
	all := strings.Split(strings.Trim(row, "|"), "|")
	for i := range all {
		all[i] = strings.TrimSpace(all[i])
	}
	return all
}
