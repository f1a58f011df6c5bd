package rollout

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/org/deploy-action/internal/canary"
	"github.com/org/deploy-action/internal/event"
	"github.com/org/deploy-action/internal/prometheus"
	"github.com/org/deploy-action/internal/spec"
)

// longestQuery bounds the queries of a look, or words to a canary would wait for
// them.
const longestQuery = 10 * time.Second

// question is a metric of one release; its name is that of the metric.
type question struct {
	*spec.Metric
	query string
}

func (q question) Name() string { return "metric " + string(q.Metric.Name) }

// measured asks Prometheus for all metrics of both releases side by side.
func (a *ascent) measured(ctx context.Context) (*canary.Opinion, error) {
	of := a.Canary.Analysis
	questions, err := a.questions()
	if err != nil {
		return nil, err
	}
	limited, stop := context.WithTimeout(ctx, min(of.Interval, longestQuery))
	defer stop()
	server := prometheus.Server{
		Address: of.Prometheus.Address, Token: of.Prometheus.Token, Username: of.Prometheus.Username, Password: of.Prometheus.Password,
	}
	answers, err := gather(limited, questions, func(ctx context.Context, q question) (prometheus.Answer, error) {
		return server.Query(ctx, q.query)
	})
	if err != nil {
		return nil, err
	}
	var figures []canary.Figure
	a.figures = nil
	for i, metric := range of.Prometheus.Metrics {
		newer, older := answers[2*i], answers[2*i+1]
		a.warn(metric, slices.Concat(newer.Warnings, older.Warnings))
		figures = append(figures, canary.Figure{Name: string(metric.Name), New: newer.Value, Old: older.Value, Limits: canary.Limits(metric.Limits)})
		a.figures = append(a.figures, event.Figure{Name: string(metric.Name), New: newer.Value, Old: older.Value})
	}
	opinion := canary.Weigh(figures)
	return &opinion, nil
}

// questions are the queries of each metric, for the new and for the old release.
func (a *ascent) questions() ([]question, error) {
	var all []question
	for _, metric := range a.Canary.Analysis.Prometheus.Metrics {
		newer, err := metric.For(a.to.Name, a.toID)
		if err != nil {
			return nil, err
		}
		older, err := metric.For(a.from.Name, a.fromID)
		if err != nil {
			return nil, err
		}
		all = append(all, question{metric, newer}, question{metric, older})
	}
	return all, nil
}

// warn tells once what Prometheus warns of.
func (a *ascent) warn(of *spec.Metric, warnings []string) {
	for _, text := range warnings {
		if !slices.Contains(a.warned, text) {
			a.warned = append(a.warned, text)
			a.notice(event.Warning, fmt.Sprintf("Prometheus warns of metric %s: %s", of.Name, text), "what it tells may not be all there is")
		}
	}
}
