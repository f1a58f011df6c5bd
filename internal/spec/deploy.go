package spec

import (
	"time"

	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"
)

var (
	deployShape = shape{
		attributes: []string{"environment", "release"},
		required:   []string{"environment"},
		singles:    []string{"canary"},
	}
	canaryShape   = shape{attributes: []string{"sticky"}, blocks: []string{"step"}, singles: []string{"analysis"}}
	stepShape     = shape{attributes: []string{"weight", "hold"}, required: []string{"weight"}}
	analysisShape = shape{attributes: []string{
		"source", "interval", "min_requests", "max_error_rate", "max_latency_ratio", "failures",
	}}
)

// The defaults of a canary: shares in percent and how long each is held.
const stepHold = 30 * time.Second

var defaultWeights = []int{10, 30, 50, 70, 90}

// deploy reads the deploy block of a stage, which moves forward and needs a
// release, or of a rollback, which has none; nil without one.
// In it, artifact.NAME stands for what the pipeline keeps under that name.
func (b *body) deploy(forward bool, artifacts []string) *Deploy {
	block := b.child("deploy", deployShape)
	if block == nil {
		return nil
	}
	block.scope = artifactScope(block.scope, artifacts)
	d := &Deploy{Release: block.filled("release"), Canary: block.canary(), Pos: b.pos(block.block.TypeRange)}
	d.Environment, _ = refer(block, "environment", "environment", &b.environments)
	if forward && !block.given("release") {
		block.missing("release")
	}
	if !forward {
		block.checkBackward()
	}
	return d
}

// artifactScope is scope with the names of artifacts, as a release takes them.
func artifactScope(scope *hcl.EvalContext, names []string) *hcl.EvalContext {
	if len(names) == 0 {
		return scope
	}
	releases := make(map[string]cty.Value, len(names))
	for _, name := range names {
		releases[name] = cty.StringVal("artifact:" + name)
	}
	inner := scope.NewChild()
	inner.Variables = map[string]cty.Value{"artifact": cty.ObjectVal(releases)}
	return inner
}

// checkBackward reports what a way back has no use for.
func (b *body) checkBackward() {
	if attribute := b.attribute("release"); attribute != nil {
		b.errorf(attribute.NameRange, "Attribute without effect", "A rollback goes back to the release that served before: leave \"release\" out.")
	}
	for _, canary := range b.blocksOf("canary") {
		b.errorf(canary.TypeRange, "Block without effect", "A rollback moves all traffic in one step: leave \"canary\" out.")
	}
}

// canary reads the canary block; nil without one.
func (b *body) canary() *Canary {
	block := b.child("canary", canaryShape)
	if block == nil {
		return nil
	}
	return &Canary{
		Steps:    block.steps(),
		Sticky:   oneOf(block, "sticky", "none", "none", "cookie", "client_ip"),
		Analysis: block.analysis(),
		Pos:      b.pos(block.block.TypeRange),
	}
}

// steps reads the ladder of shares, each above the one before.
func (b *body) steps() []CanaryStep {
	blocks := b.children("step", stepShape)
	if len(blocks) == 0 {
		return b.defaultSteps()
	}
	var all []CanaryStep
	highest := 0
	for _, block := range blocks {
		step := CanaryStep{
			Weight: block.integer("weight", span{1, 99}, 0),
			Hold:   block.duration("hold", 0, stepHold),
			Pos:    b.pos(block.block.TypeRange),
		}
		if step.Weight > 0 && step.Weight <= highest {
			b.errorf(block.valueRange("weight"), "Weight does not rise", "This step gives the new release %d%% of the traffic, and a step before it already gave %d%%: each step must give more.", step.Weight, highest)
		}
		highest, all = max(highest, step.Weight), append(all, step)
	}
	return all
}

func (b *body) defaultSteps() []CanaryStep {
	var all []CanaryStep
	for _, weight := range defaultWeights {
		step := b.openIn(b.form, b.empty("step"), shape{attributes: stepShape.attributes})
		all = append(all, CanaryStep{
			Weight: step.integer("weight", span{1, 99}, weight),
			Hold:   step.duration("hold", 0, stepHold),
			Pos:    b.pos(b.block.TypeRange),
		})
	}
	return all
}

// analysis reads how the canary is judged; without a block, by the defaults.
func (b *body) analysis() *Analysis {
	block := b.childOrDefault("analysis", analysisShape)
	return &Analysis{
		Source:          oneOf(block, "source", "proxy", "proxy"),
		Interval:        block.duration("interval", time.Second, 10*time.Second),
		MinRequests:     block.integer("min_requests", span{0, most}, 50),
		MaxErrorRate:    block.decimal("max_error_rate", 0, 100, 1),
		MaxLatencyRatio: block.decimal("max_latency_ratio", 1, 1000, 1.5),
		Failures:        block.integer("failures", span{1, 1000}, 2),
		Pos:             b.pos(block.block.TypeRange),
	}
}
