package spec

import (
	"strings"
	"time"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
)

var stageShape = shape{
	labels: []string{"name"},
	attributes: []string{
		"type", "needs", "matrix", "when", "run", "task", "env", "dir", "timeout", "on_failure",
	},
	singles: []string{"retry", "deploy"},
}

// deployTimeout is how long a stage that deploys may take, besides the deadline of
// a canary.
const deployTimeout = 15 * time.Minute

func (g *graph) readStage(s *Stage, b *body) {
	in := reach{&g.stages, g.before(s)}
	s.Type = b.textOr("type", "", plain)
	s.When = b.condition(in)
	s.Run = b.run(in)
	s.Env = b.deferredEnvironment(in)
	s.Dir = parsed(b, "dir", relatives, "")
	s.Retry = b.retry()
	s.OnFailure = oneOf(b, "on_failure", Stop, Stop, Continue, Ignore)
	s.Deploy = b.deploy(true, g.artifacts.names())
	s.Task, _ = refer(b, "task", "task", &b.tasks)
	s.Timeout = b.stageTimeout(s)
	b.checkOne("run", "deploy", "task")
	b.checkBody(s)
}

// stageTimeout reads the timeout; a rollout must fit in it. A task has timeouts
// of its own, one for each server, and a stage's only where the spec sets it.
func (b *body) stageTimeout(s *Stage) time.Duration {
	fallback := commandTimeout
	switch {
	case s.Deploy != nil:
		fallback = deployTimeout
	case s.Task != nil:
		fallback = 0
	}
	if s.Deploy == nil || s.Deploy.Canary == nil {
		return b.duration("timeout", tick, fallback)
	}
	timeout := b.duration("timeout", tick, fallback+s.Deploy.Canary.Deadline)
	if held := s.Deploy.Canary.Held(); held >= timeout {
		b.errorf(b.valueRange("timeout"), "Holds beyond the timeout", "The steps of the canary hold for %s together, and the stage may take %s: shorten the holds, or set a longer timeout.", held, timeout)
	}
	return timeout
}

// checkBody reports attributes that the stage's body has no use for.
func (b *body) checkBody(s *Stage) {
	if b.attribute("run") != nil {
		return
	}
	for _, name := range []string{"env", "dir"} {
		if b.attribute(name) != nil {
			b.idle(name, "run")
		}
	}
	switch {
	case len(s.Matrix) > 0 && s.Deploy != nil:
		b.errorf(b.valueRange("matrix"), "Matrix of deploys", "%s deploys one environment, which cannot be done in several legs at once: give each environment a stage of its own.", b.name)
	case len(s.Matrix) > 0 && s.Task != nil:
		b.errorf(b.valueRange("matrix"), "Matrix of tasks", "%s runs a task, which is the same in every leg: leave the matrix out, or write the command into run.", b.name)
	}
}

// run reads the run attribute; nil without one.
func (b *body) run(in reach) *Text {
	attribute := b.attribute("run")
	if attribute == nil {
		return nil
	}
	text := b.deferred(attribute.Expr, shell, in, "run")
	if text == nil {
		return nil
	}
	if strings.TrimSpace(text.Source) == "" {
		b.checkFilled("run", text.Source)
	}
	b.putText("run", text.Source)
	return text
}

// deferredEnvironment reads an env attribute whose values may be known later.
func (b *body) deferredEnvironment(in reach) map[string]*Text {
	var all map[string]*Text
	said := object{}
	for _, s := range b.settings() {
		if all == nil {
			all = map[string]*Text{}
		}
		if text := b.deferred(s.expr, data, in, s.name); text != nil {
			all[s.name] = text
			said[s.name] = term{literal{cty.StringVal(text.Source)}, s.expr}
		}
	}
	b.putSettings(said)
	return all
}

// mostLegs bounds a matrix, as GitHub's own does (256 jobs for each run).
const mostLegs = 256

// matrix reads the axes of a stage's legs; nil without the attribute.
func (b *body) matrix() map[string][]string {
	attribute := b.attribute("matrix")
	if attribute == nil {
		return nil
	}
	v, ok := b.value(attribute.Expr, plain)
	if !ok {
		return nil
	}
	if v.IsNull() || !v.Type().IsObjectType() && !v.Type().IsMapType() {
		b.errorf(attribute.Expr.Range(), "Wrong type", "\"matrix\" takes an object of lists, and this is %s: write matrix = { suite = [\"unit\", \"integration\"] }.", describe(v))
		return nil
	}
	axes, legs := map[string][]string{}, 1
	for axis, list := range v.AsValueMap() {
		axes[axis] = b.axis(axis, list, attribute.Expr)
		legs *= max(1, min(len(axes[axis]), mostLegs+1))
		if legs > mostLegs {
			b.errorf(attribute.Expr.Range(), "Too many legs", "The matrix makes more than %d legs, which is the most that GitHub runs.", mostLegs)
			break
		}
	}
	if len(axes) == 0 {
		b.errorf(attribute.Expr.Range(), "Empty matrix", "The matrix has no axis: write matrix = { suite = [\"unit\", \"integration\"] }, or leave it out.")
	}
	b.put("matrix", literal{axesVal(axes)})
	return axes
}

func axesVal(axes map[string][]string) cty.Value {
	lists := map[string]cty.Value{}
	for axis, all := range axes {
		lists[axis] = textsVal(all)
	}
	return cty.ObjectVal(lists)
}

// axis reads one list of a matrix.
func (b *body) axis(name string, list cty.Value, e hclsyntax.Expression) []string {
	at := axisRange(e, name)
	if list.IsNull() || !list.CanIterateElements() || list.Type().IsObjectType() || list.Type().IsMapType() {
		b.errorf(at, "Wrong type", "The axis %q of the matrix takes a list of strings, and this is %s.", name, describe(list))
		return nil
	}
	var all []string
	seen := map[string]bool{}
	for _, element := range list.AsValueSlice() {
		text, ok := b.convert(element, cty.String, at, "A value of the axis "+name)
		if !ok {
			continue
		}
		s := text.AsString()
		if seen[s] {
			b.errorf(at, "Duplicate element", "%q stands in the axis %q twice.", s, name)
		}
		if strings.ContainsFunc(s, func(c rune) bool { return c < ' ' || c == 0x7f }) || s == "" {
			b.errorf(at, "Invalid name", "%q cannot name a leg of %q: it is empty, or has a control character in it.", s, name)
		}
		seen[s], all = true, append(all, s)
	}
	if len(all) == 0 {
		b.errorf(at, "Empty list", "The axis %q of the matrix has no values, so that no leg would run.", name)
	}
	return all
}

// axisRange is the place of an axis in the matrix e.
func axisRange(e hclsyntax.Expression, name string) hcl.Range {
	if object, ok := e.(*hclsyntax.ObjectConsExpr); ok {
		for _, it := range object.Items {
			if key, diags := it.KeyExpr.Value(nil); !diags.HasErrors() && key.RawEquals(cty.StringVal(name)) {
				return it.ValueExpr.Range()
			}
		}
	}
	return e.Range()
}
