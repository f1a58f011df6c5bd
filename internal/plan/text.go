package plan

import (
	"fmt"
	"io"
	"strings"

	"github.com/org/deploy-action/internal/spec"
)

// Write prints the plan for a person.
func (p *Plan) Write(w io.Writer) error {
	var b strings.Builder
	switch {
	case p.Pipeline != "":
		p.writePipeline(&b)
	case len(p.Stages) > 0:
		p.writeTask(&b)
	}
	for _, deploy := range p.Deploys {
		deploy.write(&b)
	}
	for _, artifact := range p.Artifacts {
		artifact.write(&b)
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
	for _, rollback := range p.Rollbacks {
		rollback.write(b)
	}
}

// writeTask prints a task that runs alone.
func (p *Plan) writeTask(b *strings.Builder) {
	for _, stage := range p.Stages {
		fmt.Fprintf(b, "Task %s of %s:%d: %s.\n\n", stage.Name, stage.Pos.File, stage.Pos.Line, count(len(stage.Task.Servers()), "server"))
		stage.Task.write(b)
		fmt.Fprintf(b, "    timeout  %s\n\n", stage.limits())
	}
}

func (s *Stage) write(b *strings.Builder) {
	fmt.Fprintf(b, "%s  %s:%d\n", s.title(), s.Pos.File, s.Pos.Line)
	if len(s.Needs) > 0 {
		fmt.Fprintf(b, "    needs    %s\n", strings.Join(names(s.Needs), ", "))
	}
	if s.When != nil {
		fmt.Fprintf(b, "    when     %s%s\n", s.When.Source, s.fixed())
	}
	switch {
	case s.Task != nil:
		s.Task.write(b)
	case s.Rollback && s.Deploy != nil:
		fmt.Fprintf(b, "    deploy   environment %s back to the slot that served before the run\n", s.Deploy.Environment.Name)
	case s.Deploy != nil:
		fmt.Fprintf(b, "    deploy   %s to environment %s\n", s.Deploy.source(), s.Deploy.Environment.Name)
	default:
		fmt.Fprintf(b, "    run      %s\n", indented(s.Run.Source))
	}
	fmt.Fprintf(b, "    timeout  %s\n\n", s.limits())
}

func (s *Stage) title() string {
	if name, ok := strings.CutPrefix(s.Name, "rollback."); ok && s.Rollback {
		return "rollback " + name
	}
	if s.Type == "" {
		return "stage " + s.Name
	}
	return fmt.Sprintf("stage %s (%s)", s.Name, s.Type)
}

// indented is a script, set in where it goes on over several lines.
func indented(script string) string {
	return strings.ReplaceAll(strings.TrimSpace(script), "\n", "\n             ")
}

// limits says how long an attempt may take and how often it is tried again.
func (s *Stage) limits() string {
	if s.Task == nil {
		return s.Timeout.String() + retries(s.Retry)
	}
	text := fmt.Sprintf("%s on each server%s", s.Task.Timeout, retries(s.Task.Retry))
	if s.Timeout > 0 {
		text += fmt.Sprintf("; %s in all%s", s.Timeout, retries(s.Retry))
	}
	return text
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

func retries(r spec.Retry) string {
	if r.Attempts == 0 {
		return ""
	}
	return fmt.Sprintf(", %s after %s × attempt", count(r.Attempts, "retry"), r.Backoff)
}

// source is what is shipped, in words.
func (d *Deploy) source() string {
	if d.Made != nil {
		return fmt.Sprintf("artifact %s of this run", d.Made.Name)
	}
	return d.Release
}

func (d *Deploy) write(b *strings.Builder) {
	env := d.Environment
	fmt.Fprintf(b, "environment %s  %s:%d\n", env.Name, d.Pos.File, d.Pos.Line)
	d.writeCanary(b)
	if d.Preview == nil {
		return
	}
	d.Preview.write(b)
	fmt.Fprintf(b, "    watch    %s, then drain up to %s and keep %s\n\n", env.Watch, env.Drain, count(env.KeepReleases, "release"))
}

func (v *Preview) write(b *strings.Builder) {
	v.writeHosts(b)
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
	fmt.Fprintf(b, "    cost     %s\n", indented(v.Cost))
	for _, change := range v.Changes {
		fmt.Fprintf(b, "    change   %s\n", change)
	}
	for _, drift := range v.Drift {
		fmt.Fprintf(b, "    drift    %s\n", drift)
	}
	for _, problem := range v.Problems {
		fmt.Fprintf(b, "    problem  %s\n", problem)
	}
}

// writeHosts names the machines, where there are several.
func (v *Preview) writeHosts(b *strings.Builder) {
	if len(v.Servers) > 1 || len(v.Proxies) > 1 {
		fmt.Fprintf(b, "    servers  %s\n    proxies  %s\n", join(v.Servers), join(v.Proxies))
	}
	if n := len(v.Proxies); n > 1 {
		fmt.Fprintf(b, "    gap      %d proxies can't switch in the same instant: they are told side by side, and the report says how far apart they moved\n", n)
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
