package spec

import (
	"fmt"
	"os"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/hashicorp/hcl/v2/hclwrite"
)

// Load reads the spec in the file at path. With an error among the problems the
// spec is partial and good for messages only; it is nil where the file cannot
// be read.
func Load(path string, o Options) (*Spec, Problems) {
	src, err := os.ReadFile(path)
	if err != nil {
		return nil, unreadable(path, err)
	}
	return Parse(src, path, o)
}

// unreadable is the problem of a file that the system does not hand out.
func unreadable(path string, err error) Problems {
	r := newReader(nil, path, Options{})
	r.errorf(hcl.Range{Filename: path, Start: hcl.InitialPos, End: hcl.InitialPos}, "Unreadable file", "%s", err)
	return r.sorted()
}

// Parse reads a spec from src; name stands for the file in messages. With an
// error among the problems the spec is partial and good for messages only.
func Parse(src []byte, name string, o Options) (*Spec, Problems) {
	r := newReader(src, name, o)
	root := r.syntax()
	r.rename(root)
	if o.Machines {
		root = r.withoutWork(root)
	}
	r.normal.root = root
	r.readTurnout(root)
	r.readVariables(root)
	r.readLocals(root)
	r.declareAll(root)
	r.readSSH(root)
	r.readServers()
	r.readGroups()
	r.readTasks()
	r.readEnvironments()
	r.readPipelines()
	r.readPreviews()
	return r.spec, r.sorted()
}

// Format returns src in the canonical layout. What does not parse is not
// formatted.
func Format(src []byte, name string) ([]byte, Problems) {
	r := newReader(src, name, Options{})
	if _, diags := hclsyntax.ParseConfig(src, name, hcl.InitialPos); diags.HasErrors() {
		r.syntax()
		return nil, r.sorted()
	}
	return hclwrite.Format(src), nil
}

// readTurnout checks the turnout block: the one that says for which versions of
// turnout the file is written.
func (r *reader) readTurnout(root *hclsyntax.Body) {
	b := r.single(root, "turnout", turnoutShape)
	if b == nil {
		return
	}
	constraint, ok := b.text("required_version", plain)
	if ok {
		b.checkVersion(constraint)
	}
}

var turnoutShape = shape{attributes: []string{"required_version"}}

// place is rng as messages name it.
func place(rng hcl.Range) string {
	return fmt.Sprintf("%s:%d,%d", rng.Filename, rng.Start.Line, rng.Start.Column)
}
