package plan

import (
	"fmt"
	"io"
	"strings"
)

// Write prints the plan for a person.
func (p *Plan) Write(w io.Writer) error {
	var b strings.Builder
	if p.Pipeline != "" {
		p.writePipeline(&b)
	}
	for _, deploy := range p.Deploys {
		deploy.write(&b)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func (p *Plan) writePipeline(b *strings.Builder) {
	fmt.Fprintf(b, "Pipeline %s of %s: %s, at most %d at once.\n\n", p.Pipeline, p.Spec, count(len(p.Stages), "stage"), p.MaxParallel)
	for i, wave := range p.Waves {
		fmt.Fprintf(b, "  %2d  %s\n", i+1, strings.Join(wave, ", "))
	}
	b.WriteByte('\n')
	for _, stage := range p.Stages {
		stage.write(b)
	}
}

func (s *Stage) write(b *strings.Builder) {
	fmt.Fprintf(b, "stage %s", s.Name)
	if s.Type != "" {
		fmt.Fprintf(b, " (%s)", s.Type)
	}
	fmt.Fprintf(b, "  %s:%d\n", s.Pos.File, s.Pos.Line)
	if len(s.Needs) > 0 {
		fmt.Fprintf(b, "    needs    %s\n", strings.Join(names(s.Needs), ", "))
	}
	if s.When != nil {
		fmt.Fprintf(b, "    when     %s%s\n", s.When.Source, s.fixed())
	}
	if s.Deploy != nil {
		fmt.Fprintf(b, "    deploy   %s to environment %s\n", s.Deploy.Release, s.Deploy.Environment.Name)
	} else {
		fmt.Fprintf(b, "    run      %s\n", strings.ReplaceAll(strings.TrimSpace(s.Run.Source), "\n", "\n             "))
	}
	fmt.Fprintf(b, "    timeout  %s%s\n\n", s.Timeout, s.retries())
}

// fixed tells what a condition that depends on nothing comes to.
func (s *Stage) fixed() string {
	switch {
	case s.When.Fixed == nil:
		return ""
	case *s.When.Fixed:
		return "  → runs"
	default:
		return "  → skipped"
	}
}

func (s *Stage) retries() string {
	if s.Retry.Attempts == 0 {
		return ""
	}
	return fmt.Sprintf(", %s after %s × attempt", count(s.Retry.Attempts, "retry"), s.Retry.Backoff)
}

func (d *Deploy) write(b *strings.Builder) {
	env := d.Environment
	fmt.Fprintf(b, "environment %s  %s:%d\n", env.Name, d.Pos.File, d.Pos.Line)
	if d.Preview == nil {
		return
	}
	d.Preview.write(b)
	fmt.Fprintf(b, "    watch    %s, then drain up to %s and keep %s\n\n", env.Watch, env.Drain, count(env.KeepReleases, "release"))
}

func (v *Preview) write(b *strings.Builder) {
	from := "nothing serves yet"
	if !v.First {
		from = v.From + " (" + or(v.FromID, "release unknown") + ")"
	}
	fmt.Fprintf(b, "    traffic  %s → %s (%s)\n", from, v.To, or(v.ToID, "a new release"))
	switch {
	case v.Diff == "":
		fmt.Fprintf(b, "    config   %s stays as it is\n", v.Config)
	default:
		fmt.Fprintf(b, "    config   %s changes:\n\n%s\n", v.Config, indent(v.Diff, "        "))
	}
	fmt.Fprintf(b, "    cost     %s\n", v.Cost)
	for _, drift := range v.Drift {
		fmt.Fprintf(b, "    drift    %s\n", drift)
	}
	for _, problem := range v.Problems {
		fmt.Fprintf(b, "    problem  %s\n", problem)
	}
}

func indent(text, by string) string {
	return by + strings.ReplaceAll(strings.TrimRight(text, "\n"), "\n", "\n"+by) + "\n"
}

func or(s, other string) string {
	if s == "" {
		return other
	}
	return s
}

func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	if stem, ok := strings.CutSuffix(what, "y"); ok {
		return fmt.Sprintf("%d %sies", n, stem)
	}
	return fmt.Sprintf("%d %ss", n, what)
}
