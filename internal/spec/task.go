package spec

import (
	"regexp"
	"strings"
	"time"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
)

var (
	taskShape = shape{
		labels: []string{"name"},
		attributes: []string{
			"target", "run", "env", "strategy", "batch", "pause", "on_failure", "max_failures", "timeout",
		},
		required: []string{"target", "run"},
		singles:  []string{"retry"},
	}
	retryShape = shape{attributes: []string{"attempts", "backoff", "backoff_max"}, required: []string{"attempts"}}
)

// The defaults of commands: how long one may take, and how a retry waits.
const (
	commandTimeout = 5 * time.Minute
	retryBackoff   = 5 * time.Second
	rollingBatch   = 2
	rollingPause   = 5 * time.Second
)

// readTasks reads the task blocks.
func (r *reader) readTasks() {
	for _, e := range r.tasks.entries {
		r.readTask(e.made, r.open(e.block, taskShape))
	}
	r.spec.Tasks = r.tasks.in()
}

func (r *reader) readTask(t *Task, b *body) {
	t.Target = b.serverList("target")
	t.Run = b.command("run")
	t.Env = b.fixedEnvironment()
	t.Strategy = oneOf(b, "strategy", Parallel, Parallel, Sequential, Rolling)
	t.OnFailure = oneOf(b, "on_failure", Stop, Stop, Continue, Ignore)
	t.MaxFailures = b.quantity("max_failures", Quantity{})
	t.Timeout = b.duration("timeout", tick, commandTimeout)
	t.Retry = b.retry()
	b.rolling(t)
	if t.OnFailure != Stop {
		b.idle("max_failures", `on_failure = "stop"`)
	}
}

// rolling reads what only waves have.
func (b *body) rolling(t *Task) {
	if t.Strategy != Rolling {
		b.idle("batch", `strategy = "rolling"`)
		b.idle("pause", `strategy = "rolling"`)
		return
	}
	t.Batch = b.quantity("batch", Quantity{Number: rollingBatch})
	t.Pause = b.duration("pause", 0, rollingPause)
}

// idle reports an attribute that has an effect with another one only.
func (b *body) idle(name, with string) {
	if attribute := b.attribute(name); attribute != nil {
		b.errorf(attribute.NameRange, "Attribute without effect", "%q has an effect with %s only: write that, or leave %q out.", name, with, name)
	}
}

// retry reads the retry block; without one nothing is tried again.
func (b *body) retry() Retry {
	block := b.child("retry", retryShape)
	if block == nil {
		return Retry{}
	}
	retry := Retry{
		Attempts:   block.integer("attempts", span{0, 100}, 0),
		Backoff:    block.duration("backoff", 0, retryBackoff),
		BackoffMax: block.duration("backoff_max", 0, 0),
	}
	if retry.BackoffMax > 0 && retry.BackoffMax < retry.Backoff {
		b.errorf(block.valueRange("backoff_max"), "Value out of range", "backoff_max is %s, which is less than the backoff of %s that it bounds.", retry.BackoffMax, retry.Backoff)
	}
	return retry
}

// environmentName is a portable name of an environment variable (POSIX, XBD 8.1).
var environmentName = regexp.MustCompile(`\A[A-Za-z_][A-Za-z0-9_]*\z`)

// setting is one element of an env attribute.
type setting struct {
	name string
	expr hclsyntax.Expression
}

// settings reads the env attribute's names; the values are for the caller.
func (b *body) settings() []setting {
	attribute := b.attribute("env")
	if attribute == nil {
		return nil
	}
	object, ok := attribute.Expr.(*hclsyntax.ObjectConsExpr)
	if !ok {
		b.errorf(attribute.Expr.Range(), "Wrong type", "%q takes an object: write env = { NAME = value }.", "env")
		return nil
	}
	var all []setting
	seen := map[string]hcl.Range{}
	for _, it := range object.Items {
		name, ok := b.settingName(it.KeyExpr)
		if !ok {
			continue
		}
		if before, twice := seen[name]; twice {
			b.errorf(it.KeyExpr.Range(), "Duplicate name", "%q is set at %s already.", name, place(before))
			continue
		}
		seen[name] = it.KeyExpr.Range()
		all = append(all, setting{name, it.ValueExpr})
		if b.normal.kept[it.KeyExpr] {
			b.keep(object)
		}
	}
	return all
}

func (b *body) settingName(e hclsyntax.Expression) (string, bool) {
	v, ok := b.value(e, plain)
	if !ok || v.IsNull() || v.Type().FriendlyName() != "string" {
		return "", false
	}
	name := v.AsString()
	switch {
	case !environmentName.MatchString(name):
		b.errorf(e.Range(), "Invalid name", "%q is not the name of an environment variable: letters, digits and _, not beginning with a digit.", name)
	case strings.HasPrefix(name, "TURNOUT_"):
		b.errorf(e.Range(), "Reserved name", "%q begins with TURNOUT_, which is for what turnout itself sets.", name)
	default:
		return name, true
	}
	return "", false
}

// fixedEnvironment reads an env attribute whose values are known at once.
func (b *body) fixedEnvironment() map[string]string {
	var all map[string]string
	said := object{}
	for _, s := range b.settings() {
		if all == nil {
			all = map[string]string{}
		}
		if v, ok := b.textOf(s.expr, data, s.name); ok {
			all[s.name] = v
			said[s.name] = term{literal{cty.StringVal(v)}, s.expr}
		}
	}
	b.putSettings(said)
	return all
}

func (b *body) putSettings(said object) {
	if len(said) > 0 {
		b.put("env", said)
	}
}
