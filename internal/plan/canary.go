package plan

import (
	"fmt"
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
