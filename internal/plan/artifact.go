package plan

import (
	"fmt"
	"slices"
	"strings"

	"github.com/org/deploy-action/internal/spec"
)

// Artifact is what the run keeps of its workspace once it has ended.
type Artifact struct {
	Name     string
	Patterns []string        // globs relative to the workspace; one with "!" in front leaves out
	Keep     int             // newest runs
	Required bool            // a run without it has failed
	When     *spec.Condition // nil: the run succeeded
	Pos      spec.Pos
}

type artifactJSON struct {
	Name     string   `json:"name"`
	Path     []string `json:"path"`
	Keep     int      `json:"keep"`
	Required bool     `json:"required,omitempty"`
	When     string   `json:"when,omitempty"`
	Pos      spec.Pos `json:"pos"`
}

func newArtifact(from *spec.Artifact) *Artifact {
	return &Artifact{
		Name: string(from.Name), Patterns: from.Patterns, Keep: from.Keep, Required: from.Required,
		When: from.When, Pos: from.Pos,
	}
}

// made is the artifact of the plan that a release names; nil where it names none.
func (p *Plan) made(release string) *Artifact {
	name, is := strings.CutPrefix(release, spec.ArtifactPrefix)
	i := slices.IndexFunc(p.Artifacts, func(a *Artifact) bool { return is && a.Name == name })
	if i < 0 {
		return nil
	}
	return p.Artifacts[i]
}

func (a *Artifact) write(b *strings.Builder) {
	fmt.Fprintf(b, "artifact %s  %s:%d\n", a.Name, a.Pos.File, a.Pos.Line)
	fmt.Fprintf(b, "    path     %s\n", strings.Join(a.Patterns, ", "))
	fmt.Fprintf(b, "    when     %s\n", a.condition())
	fmt.Fprintf(b, "    keep     the newest %d%s\n\n", a.Keep, a.need())
}

func (a *Artifact) condition() string {
	if a.When == nil {
		return "the run succeeded"
	}
	return a.When.Source
}

func (a *Artifact) need() string {
	if a.Required {
		return "; the run fails without it"
	}
	return ""
}

func (a *Artifact) json() artifactJSON {
	out := artifactJSON{Name: a.Name, Path: a.Patterns, Keep: a.Keep, Required: a.Required, Pos: a.Pos}
	if a.When != nil {
		out.When = a.When.Source
	}
	return out
}
