// Package workflow writes a pipeline as a workflow of GitHub Actions: a job for
// every stage, and one more that ends the run.
package workflow

import (
	"bytes"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"sync"
	"text/template"
	"time"

	"github.com/org/deploy-action/internal/plan"
	"github.com/org/deploy-action/internal/spec"
	"github.com/org/deploy-action/templates"
)

// Options says what the pipeline does not.
type Options struct {
	Command  string   // that wrote the workflow, for its first lines
	Args     []string // of every turnout run: -f, -var-file
	Branch   string   // pushes to it start the workflow
	RunsOn   []string // labels of the runners
	Settings []string // environment variables that the spec reads by env()
	Version  string   // of the setup action: a tag
}

// FinishID is the id of the job that ends the run.
const FinishID = "turnout-finish"

// Write writes the workflow of a plan of the whole pipeline. The same plan and
// options give the same bytes. Problems are warnings, of what a job of its own
// does otherwise than a run, and errors, of what no workflow can say.
func Write(s *spec.Spec, p *plan.Plan, o Options) ([]byte, spec.Problems) {
	problems := check(p, o)
	if problems.Failed() {
		return nil, problems
	}
	page := page{Options: o, Plan: p, Env: environment(s, o), Jobs: jobs(p), Exclusive: exclusive(p)}
	var out bytes.Buffer
	if err := workflow().Execute(&out, page); err != nil {
		panic("workflow: template: " + err.Error())
	}
	return out.Bytes(), problems
}

// page is what the template is given.
type page struct {
	Options
	Plan      *plan.Plan
	Env       []setting
	Jobs      []*job
	Exclusive string // the one environment that the last job may move
}

// FinishID is the id of the last job.
func (page) FinishID() string { return FinishID }

// IDs are the ids of the stages' jobs.
func (p page) IDs() []string {
	ids := make([]string, len(p.Jobs))
	for i, j := range p.Jobs {
		ids[i] = j.ID
	}
	return ids
}

// Pipeline is the argument that names the pipeline.
func (p page) Pipeline() []string { return []string{p.Plan.Pipeline} }

// setting is an environment variable of every turnout: GitHub's expression for it.
type setting struct{ Name, Value string }

// environment is what the spec reads: environment variables, from a secret or
// else a variable of that name; and its own variables that have no default or
// are secret. Others would lose their default to an empty value where GitHub
// has none.
func environment(s *spec.Spec, o Options) []setting {
	var all []setting
	for _, name := range o.Settings {
		all = append(all, setting{name, fmt.Sprintf("${{ secrets.%[1]s || vars.%[1]s }}", name)})
	}
	for _, v := range s.Variables {
		if !v.Required && !v.Sensitive {
			continue
		}
		from := "vars"
		if v.Sensitive {
			from = "secrets"
		}
		all = append(all, setting{"TURNOUT_VAR_" + v.Name, fmt.Sprintf("${{ %s.%s }}", from, githubName(v.Name))})
	}
	return all
}

// githubName is the name of a variable of the spec among GitHub's, which have no
// dash in theirs and are shown in capitals.
func githubName(name string) string { return strings.ToUpper(strings.ReplaceAll(name, "-", "_")) }

// job is a stage of the spec.
type job struct {
	ID          string
	Type        string
	Needs       []string
	Legs        []string // names of the stages; one without a matrix
	Timeout     int      // minutes; 0: GitHub's own
	Environment string   // that it deploys
}

// Matrix reports whether the job has several legs, or one that is called
// otherwise.
func (j *job) Matrix() bool { return len(j.Legs) > 1 || j.Legs[0] != j.ID }

// jobs are the stages of the plan, the legs of one put together.
func jobs(p *plan.Plan) []*job {
	var all []*job
	known := make(map[string]*job)
	for _, stage := range p.Stages {
		id := stage.Origin()
		j := known[id]
		if j == nil {
			j = &job{ID: id, Type: stage.Type, Needs: origins(stage.Needs), Timeout: minutes(stage)}
			if stage.Deploy != nil {
				j.Environment = string(stage.Deploy.Environment.Name)
			}
			known[id] = j
			all = append(all, j)
		}
		j.Legs = append(j.Legs, stage.Name)
	}
	return all
}

func origins(stages []*plan.Stage) []string {
	var all []string
	for _, stage := range stages {
		if !slices.Contains(all, stage.Origin()) {
			all = append(all, stage.Origin())
		}
	}
	return all
}

// spare is what a job takes beside its stage, in minutes: the checkout, and what
// is handed over.
const spare = 10

// minutes bounds a job by what its stage may take with all its attempts.
func minutes(s *plan.Stage) int {
	if s.Timeout <= 0 {
		return 0
	}
	attempts := time.Duration(s.Retry.Attempts + 1)
	waits := s.Retry.Backoff * attempts * attempts // more than any jitter
	return int((attempts*s.Timeout+waits+time.Minute-1)/time.Minute) + spare
}

// exclusive is the environment that the strategies move, where it is one.
func exclusive(p *plan.Plan) string {
	moved := make(map[string]bool)
	name := ""
	for _, s := range p.Rollbacks {
		if s.Deploy != nil {
			name = string(s.Deploy.Environment.Name)
			moved[name] = true
		}
	}
	if len(moved) != 1 {
		return ""
	}
	return name
}

// workflow is parsed when it is needed: every agent is this program too.
var workflow = sync.OnceValue(func() *template.Template {
	functions := template.FuncMap{"yaml": quote, "list": list, "shell": shell}
	return template.Must(template.New("workflow").Funcs(functions).Parse(templates.Workflow))
})

// quote is a text as a double-quoted scalar (YAML 1.2, 7.3.1). Check has refused
// what GitHub would take for an expression.
func quote(text string) string {
	var b strings.Builder
	b.WriteByte('"')
	for _, r := range text {
		switch {
		case r == '"' || r == '\\':
			b.WriteByte('\\')
			b.WriteRune(r)
		case r < ' ' || r == 0x7f || r == 0x85 || r == 0x2028 || r == 0x2029 || r == 0xfeff:
			fmt.Fprintf(&b, `\u%04x`, r)
		default:
			b.WriteRune(r)
		}
	}
	b.WriteByte('"')
	return b.String()
}

func list(texts []string) string {
	quoted := make([]string, len(texts))
	for i, text := range texts {
		quoted[i] = quote(text)
	}
	return "[" + strings.Join(quoted, ", ") + "]"
}

// bare is a word that a shell takes as it stands.
var bare = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`\A[A-Za-z0-9._/-]+\z`) })

// shell are arguments as words of a shell, each with a space before it.
func shell(args []string) string {
	var b strings.Builder
	for _, arg := range args {
		if !bare().MatchString(arg) {
			arg = "'" + strings.ReplaceAll(arg, "'", `'\''`) + "'"
		}
		b.WriteString(" " + arg)
	}
	return b.String()
}
