package spec

import (
	"slices"
	"time"

	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"

	"github.com/org/deploy-action/internal/value"
)

var (
	deployShape = shape{
		attributes: []string{"environment", "release"},
		required:   []string{"environment"},
		singles:    []string{"canary"},
	}
	canaryShape   = shape{attributes: []string{"sticky", "preview_header", "deadline", "synthetic", "synthetic_path"}, blocks: []string{"step"}, singles: []string{"analysis"}}
	stepShape     = shape{attributes: []string{"weight", "hold"}, required: []string{"weight"}}
	analysisShape = shape{attributes: []string{
		"source", "run", "interval", "min_requests", "max_error_rate", "max_latency_ratio", "failures", "on_insufficient",
	}, singles: []string{"prometheus"}}
)

// The defaults of a canary: shares in percent, how long each is held, and how long
// all may take with what is added for want of requests.
const (
	stepHold       = 30 * time.Second
	canaryDeadline = 15 * time.Minute
)

// MostSynthetic is how many synthetic requests a second a proxy is sent at most: no
// load worth the name.
const MostSynthetic = 50

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
	} else if d.Canary != nil && d.Environment != nil {
		block.split(d.Environment, d.Canary)
	}
	return d
}

// ArtifactPrefix begins a release that is an artifact: "artifact:app" is what this
// run has made, where its pipeline keeps an artifact of that name, else the newest
// that is kept; "artifact:app@RUN" is that of an earlier run.
const ArtifactPrefix = "artifact:"

// artifactScope is scope with the names of artifacts, as a release takes them.
func artifactScope(scope *hcl.EvalContext, names []string) *hcl.EvalContext {
	if len(names) == 0 {
		return scope
	}
	releases := make(map[string]cty.Value, len(names))
	for _, name := range names {
		releases[name] = cty.StringVal(ArtifactPrefix + name)
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
	c := &Canary{
		Split:    Split{oneOf(block, "sticky", "none", "none", "cookie", "client_ip"), block.flag("preview_header", false)},
		Steps:    block.steps(),
		Deadline: block.duration("deadline", time.Second, canaryDeadline),

		Synthetic:     block.integer("synthetic", span{1, MostSynthetic}, 0),
		SyntheticPath: parsed(block, "synthetic_path", urlPaths, value.URLPath("")),

		Analysis: block.analysis(),
		Pos:      b.pos(block.block.TypeRange),
	}
	block.checkSynthetic(c)
	if held := c.Held(); held > c.Deadline {
		b.errorf(block.valueRange("deadline"), "Holds beyond the deadline", "The steps hold for %s together, and the deadline of the canary is %s: shorten the holds, or set a longer deadline.", held, c.Deadline)
	}
	return c
}

// checkSynthetic reports synthetic requests that could not do what they are for.
func (b *body) checkSynthetic(c *Canary) {
	if b.given("synthetic_path") && !b.given("synthetic") {
		b.errorf(b.attribute("synthetic_path").NameRange, "Attribute without effect", "It is the path of synthetic requests: write synthetic = 5 for five a second, or leave it out.")
	}
	if c.Synthetic > 0 && c.Sticky == "client_ip" {
		b.errorf(b.attribute("synthetic").NameRange, "All requests from one address", "A proxy's synthetic requests all come from its own address, and sticky = \"client_ip\" would send all of them to one release: write sticky = \"cookie\" or \"none\", or leave \"synthetic\" out.")
	}
}

// Held is how long the steps hold together, unless requests are wanting.
func (c *Canary) Held() time.Duration {
	var held time.Duration
	for _, step := range c.Steps {
		held += step.Hold
	}
	return held
}

// Same reports whether two canaries differ in nothing but their place.
func (c *Canary) Same(d *Canary) bool {
	x, y := *c.Analysis, *d.Analysis
	same := x.Prometheus.same(y.Prometheus)
	x.Pos, y.Pos, x.Prometheus, y.Prometheus = Pos{}, Pos{}, nil, nil
	same = same && c.Synthetic == d.Synthetic && c.SyntheticPath == d.SyntheticPath
	return same && c.Split == d.Split && c.Deadline == d.Deadline && x == y && slices.EqualFunc(c.Steps, d.Steps, func(s, t CanaryStep) bool {
		return s.Weight == t.Weight && s.Hold == t.Hold
	})
}

// DefaultCanary is the canary of an empty block, for a deploy that none is written
// for.
func DefaultCanary(at Pos) *Canary {
	c := &Canary{
		Split: Split{Sticky: "none"}, Deadline: canaryDeadline, Pos: at,
		Analysis: &Analysis{
			Source: sourceProxy, Interval: lookInterval, MinRequests: minRequests, MaxErrorRate: maxErrorRate,
			MaxLatencyRatio: maxLatencyRatio, Failures: failedWindows, OnInsufficient: AbortUnproven, Pos: at,
		},
	}
	for _, weight := range defaultWeights {
		c.Steps = append(c.Steps, CanaryStep{Weight: weight, Hold: stepHold, Pos: at})
	}
	return c
}

// split has the environment's proxies split requests as the canary asks. One
// configuration serves all deploys, or each would reload the proxies anew.
func (b *body) split(env *Environment, c *Canary) {
	if env.Split == nil {
		split := c.Split
		env.Split = &split
	} else if *env.Split != c.Split {
		b.errorf(b.blocksOf("canary")[0].TypeRange, "Two ways to split", "Another canary of the environment %q has other values of \"sticky\" or \"preview_header\". One configuration serves both: give them the same.", env.Name)
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

// The defaults of an analysis.
const (
	sourceProxy     = "proxy"
	sourceRun       = "run"
	sourceQueries   = "prometheus"
	lookInterval    = 10 * time.Second
	queryInterval   = time.Minute // some scrapes of Prometheus
	minRequests     = 50
	maxErrorRate    = 1.0
	maxLatencyRatio = 1.5
	failedWindows   = 2
)

// analysis reads how the canary is judged; without a block, by the defaults.
func (b *body) analysis() *Analysis {
	block := b.childOrDefault("analysis", analysisShape)
	a := &Analysis{
		Source:          oneOf(block, "source", sourceProxy, sourceProxy, sourceRun, sourceQueries),
		Run:             block.command("run"),
		MinRequests:     block.integer("min_requests", span{0, most}, minRequests),
		MaxErrorRate:    block.decimal("max_error_rate", 0, 100, maxErrorRate),
		MaxLatencyRatio: block.decimal("max_latency_ratio", 1, 1000, maxLatencyRatio),
		Failures:        block.integer("failures", span{1, 1000}, failedWindows),
		OnInsufficient:  oneOf(block, "on_insufficient", AbortUnproven, AbortUnproven, PromoteUnproven),
		Pos:             b.pos(block.block.TypeRange),
	}
	interval := lookInterval
	if a.Source == sourceQueries {
		interval = queryInterval
	}
	a.Interval = block.duration("interval", time.Second, interval)
	a.Prometheus = block.prometheus(a.Interval)
	block.checkSource(a)
	return a
}

// checkSource reports what the source of the verdicts lacks, or has no use for.
func (b *body) checkSource(a *Analysis) {
	if b.given("run") && a.Source != sourceRun {
		b.errorf(b.attribute("run").NameRange, "Attribute without effect", "The verdicts come from %s: leave \"run\" out, or write source = \"run\".", judges[a.Source])
	}
	if blocks := b.blocksOf("prometheus"); len(blocks) > 0 && a.Source != sourceQueries {
		b.errorf(blocks[0].TypeRange, "Block without effect", "The verdicts come from %s: leave \"prometheus\" out, or write source = \"prometheus\".", judges[a.Source])
	}
	switch a.Source {
	case sourceProxy:
		return
	case sourceRun:
		if !b.given("run") {
			b.missing("run")
		}
	case sourceQueries:
		if a.Prometheus == nil && !b.hurt(b.block.Range()) {
			b.errorf(b.header(), "Missing block", "Verdicts by queries need the server and the queries: prometheus { … }.")
		}
	}
	limits := []string{"min_requests", "max_error_rate", "max_latency_ratio"}
	for _, name := range limits {
		if b.given(name) {
			b.errorf(b.attribute(name).NameRange, "Attribute without effect", "The verdicts come from %s, which has limits of its own: leave %q out.", judges[a.Source], name)
		}
	}
	b.leave(limits...)
}

// judges are the sources of verdicts, as messages name them.
var judges = map[string]string{sourceProxy: "the proxy's counts", sourceRun: "a command", sourceQueries: "Prometheus"}
