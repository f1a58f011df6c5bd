package spec

// Severity of a problem.
type Severity string

const (
	Error   Severity = "error"
	Warning Severity = "warning"
)

// Problem is one mistake of the user's file. Summary is constant for the kind
// of mistake; Detail is a sentence with the value, the rule and, where two
// places clash, the other one.
type Problem struct {
	Severity Severity `json:"severity"`
	Summary  string   `json:"summary"`
	Detail   string   `json:"detail"`
	Pos      Pos      `json:"pos"`
	Snippet  string   `json:"snippet,omitempty"` // the source line of Pos, secrets starred out
	Context  string   `json:"context,omitempty"` // the blocks around it: environment "shop", slot "blue"
}

// Problems are the mistakes found in one run, in the order of the file.
type Problems []Problem

// Failed reports whether there is an error among the problems.
func (p Problems) Failed() bool {
	for _, problem := range p {
		if problem.Severity == Error {
			return true
		}
	}
	return false
}

// Options is what the world outside the file gives a spec.
type Options struct {
	Vars    []Assignment        // in rising precedence: environment, files, flags
	Getenv  func(string) string // for env(); nil: every variable is empty
	Dir     string              // where relative paths of file() and fileexists() begin
	GitHub  map[string]string   // fields of the github object: sha, ref, actor, …
	Version string              // of turnout, for required_version
	CPUs    int                 // default of max_parallel

	// Machines leaves out tasks, pipelines and previews, and with them the
	// variables that nothing else reads: these need no value.
	Machines bool
}

// Assignment gives a variable a value.
type Assignment struct {
	Name   string
	Value  string // text; parsed as an HCL expression when the variable's type is not string
	Origin string // "-var", "TURNOUT_VAR_release", "prod.tfvars:3", "input vars": for messages
}
