package plan

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/org/deploy-action/internal/spec"
)

// writeCanary prints the shares of a canary, how each is judged, and what becomes
// of the access log.
func (d *Deploy) writeCanary(b *strings.Builder) {
	c := d.Canary
	if c == nil {
		return
	}
	if d.Preview != nil && d.Preview.First {
		b.WriteString("    canary   skipped: nothing serves yet, so there is nothing to compare the first release with\n")
		return
	}
	var steps []string
	for _, step := range c.Steps {
		steps = append(steps, fmt.Sprintf("%d %% for %s", step.Weight, step.Hold))
	}
	fmt.Fprintf(b, "    canary   %s, then 100 %%; all within %s\n", strings.Join(steps, ", "), c.Deadline)
	fmt.Fprintf(b, "    clients  %s\n", clients(c))
	if text := d.synthetic(); text != "" {
		fmt.Fprintf(b, "    own      %s\n", text)
	}
	a := c.Analysis
	fmt.Fprintf(b, "    verdict  every %s by %s; %s\n", a.Interval, judge(a), failing(a))
	fmt.Fprintf(b, "    wanting  a step without a verdict is held up to 3 times as long, then %s\n", unproven[a.OnInsufficient])
	if text := d.unlogged(); text != "" {
		fmt.Fprintf(b, "    log      %s\n", text)
	}
}

// clients says who is at the new release.
func clients(c *spec.Canary) string {
	text := map[string]string{
		"none":      "by chance, request by request",
		"cookie":    "told apart by a cookie; who is at the new release stays there",
		"client_ip": "told apart by their address; who is at the new release stays there",
	}[c.Sticky]
	if c.Preview {
		text += "; the header X-Turnout-Slot chooses the slot"
	}
	return text
}

// synthetic says how many requests are sent, and how many of them the new release
// gets in the step where they are fewest.
func (d *Deploy) synthetic() string {
	c := d.Canary
	if c.Synthetic == 0 {
		return ""
	}
	path := cmp.Or(c.SyntheticPath, "/")
	if check := d.Environment.Health.HTTP; check != nil && c.SyntheticPath == "" {
		path = check.Path
	}
	text := fmt.Sprintf("%s a second for %s at each proxy", count(c.Synthetic, "request"), path)
	least, rate := d.fewest()
	if c.Analysis.Source != "proxy" || least.Hold == 0 {
		return text
	}
	text += fmt.Sprintf("; of these the new release gets about %.0f in the %s at %d %%", rate*least.Hold.Seconds(), least.Hold, least.Weight)
	longest := 3 * rate * least.Hold.Seconds()
	if need := enough(c.Analysis.MinRequests); longest < need {
		text += fmt.Sprintf(", %.0f when that is held 3 times as long. Without clients that may be too few for %s: hold it longer",
			longest, count(c.Analysis.MinRequests, "request"))
		if more := math.Ceil(float64(c.Synthetic) * need / longest); more <= spec.MostSynthetic {
			text += fmt.Sprintf(", or send %.0f a second", more)
		}
	}
	return text
}

// fewest is the step in which the new release gets the fewest synthetic requests, of
// those that are held, and how many a second these are.
func (d *Deploy) fewest() (least spec.CanaryStep, rate float64) {
	proxies := 0
	for _, p := range d.Environment.Proxies {
		proxies += len(p.Servers)
	}
	for _, step := range d.Canary.Steps {
		if step.Hold > 0 && (least.Hold == 0 || float64(step.Weight)*step.Hold.Seconds() < float64(least.Weight)*least.Hold.Seconds()) {
			least = step
		}
	}
	return least, float64(d.Canary.Synthetic*proxies*least.Weight) / 100
}

// enough is how many requests there have to be on average for as many as n to come
// but for once in seven hundred times.
func enough(n int) float64 { return float64(n) + 3*math.Sqrt(float64(n)) }

// judge says whose verdict counts, and by what.
func judge(a *spec.Analysis) string {
	if a.Run != "" {
		return "the command " + indented(a.Run)
	}
	if a.Prometheus != nil {
		var names []string
		for _, metric := range a.Prometheus.Metrics {
			names = append(names, string(metric.Name))
		}
		return fmt.Sprintf("%s of %s", strings.Join(names, ", "), a.Prometheus.Address)
	}
	return fmt.Sprintf("the proxy's counts: at most %g %% errors and %g × the p95 of the old release, from %s on",
		a.MaxErrorRate, a.MaxLatencyRatio, count(a.MinRequests, "request"))
}

// failing says what many failed windows come to.
func failing(a *spec.Analysis) string {
	if a.Failures == 1 {
		return "one failed window may abort"
	}
	return fmt.Sprintf("%d failed windows in a row may abort", a.Failures)
}

var unproven = map[spec.OnInsufficient]string{
	spec.AbortUnproven: "the canary aborts", spec.PromoteUnproven: "it is taken all the same",
}

// unlogged says which requests an access log of the main file goes without.
func (d *Deploy) unlogged() string {
	mute := slices.ContainsFunc(d.Environment.Proxies, func(p *spec.Proxy) bool {
		return p.Kind == spec.NGINX && p.Access == "" && p.Template == ""
	})
	if !mute {
		return ""
	}
	return "nginx writes requests to this site into no access_log of its main file any more: set access_log in the proxy block"
}

type canaryJSON struct {
	Steps          []canaryStepJSON `json:"steps"`
	Sticky         string           `json:"sticky"`
	Preview        bool             `json:"preview_header,omitempty"`
	Deadline       float64          `json:"deadline_seconds"`
	Synthetic      int              `json:"synthetic,omitempty"`      // requests a second, to each proxy
	SyntheticPath  string           `json:"synthetic_path,omitempty"` // where the spec names one
	Source         string           `json:"source"`
	Run            string           `json:"run,omitempty"`        // of source "run", which knows no limits of ours
	Prometheus     *prometheusJSON  `json:"prometheus,omitempty"` // the same
	Interval       float64          `json:"interval_seconds"`
	MinRequests    int              `json:"min_requests,omitempty"`
	MaxErrorRate   float64          `json:"max_error_rate,omitempty"` // percent
	MaxLatency     float64          `json:"max_latency_ratio,omitempty"`
	Failures       int              `json:"failures"`
	OnInsufficient string           `json:"on_insufficient"`
	Pos            spec.Pos         `json:"pos"`
}

type prometheusJSON struct {
	Address string       `json:"address"`
	Metrics []metricJSON `json:"metrics"`
}

type metricJSON struct {
	Name     string   `json:"name"`
	Query    string   `json:"query"` // for an example of a slot and a release
	Max      *float64 `json:"max,omitempty"`
	MaxRatio *float64 `json:"max_ratio,omitempty"`
	Min      *float64 `json:"min,omitempty"`
	MinRatio *float64 `json:"min_ratio,omitempty"`
	Enough   *float64 `json:"enough,omitempty"`
}

type canaryStepJSON struct {
	Percent int     `json:"percent"`
	Hold    float64 `json:"hold_seconds"`
}

func (d *Deploy) canaryJSON() *canaryJSON {
	c := d.Canary
	if c == nil {
		return nil
	}
	a := c.Analysis
	out := &canaryJSON{
		Sticky: c.Sticky, Preview: c.Preview, Deadline: c.Deadline.Seconds(), Source: a.Source, Run: a.Run,
		Synthetic: c.Synthetic, SyntheticPath: string(c.SyntheticPath),
		Interval: a.Interval.Seconds(), Failures: a.Failures, OnInsufficient: string(a.OnInsufficient), Pos: c.Pos,
	}
	if p := a.Prometheus; p != nil {
		out.Prometheus = &prometheusJSON{Address: p.Address}
		for _, m := range p.Metrics {
			out.Prometheus.Metrics = append(out.Prometheus.Metrics, metricJSON{string(m.Name), m.Query, m.Max, m.MaxRatio, m.Min, m.MinRatio, m.Enough})
		}
	}
	if a.Source == "proxy" {
		out.MinRequests, out.MaxErrorRate, out.MaxLatency = a.MinRequests, a.MaxErrorRate, a.MaxLatencyRatio
	}
	for _, step := range c.Steps {
		out.Steps = append(out.Steps, canaryStepJSON{step.Weight, step.Hold.Seconds()})
	}
	return out
}
