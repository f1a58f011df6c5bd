package spec

import (
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"

	"github.com/org/deploy-action/internal/value"
)

var (
	prometheusShape = shape{
		attributes: []string{"address", "token", "username", "password"}, required: []string{"address"}, blocks: []string{"metric"},
	}
	metricShape = shape{
		labels: []string{"name"}, attributes: []string{"query", "max", "max_ratio", "min", "min_ratio", "enough"}, required: []string{"query"},
	}
)

// prometheuses are addresses of Prometheus, which may be behind a path.
var prometheuses = kind[string]{"Invalid address", plain, parsePrometheus}

func parsePrometheus(s string) (string, error) {
	u, err := url.Parse(s)
	if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" || (&url.URL{Scheme: u.Scheme, Host: u.Host, Path: u.Path}).String() != s {
		return "", fmt.Errorf("%q is not the address of a Prometheus server: a scheme, a host and perhaps a path, such as http://prometheus.example.com:9090", s)
	}
	return strings.TrimSuffix(s, "/"), nil
}

// prometheus reads where the figures of a canary are asked for; nil without a block.
func (b *body) prometheus(interval time.Duration) *Prometheus {
	block := b.child("prometheus", prometheusShape)
	if block == nil {
		return nil
	}
	p := &Prometheus{
		Address: parsed(block, "address", prometheuses, ""), Token: block.secret("token", ""),
		Username: block.textOr("username", "", login), Password: block.secret("password", ""),
	}
	switch basic := block.given("username") || block.given("password"); {
	case basic && block.given("token"):
		block.errorf(block.attribute("token").NameRange, "Two logins", "Prometheus is asked with a token, or with a user name and a password: leave one out.")
	case basic && !(block.given("username") && block.given("password")):
		block.errorf(block.header(), "Half a login", "A user name needs a password, and the other way round: give \"username\" and \"password\".")
	}
	var metrics registry[*Metric]
	for _, inner := range block.blocksOf("metric") {
		declare(b.reader, &metrics, inner, func(n value.Name, at Pos) *Metric { return &Metric{Name: n, Pos: at} })
	}
	for _, entry := range metrics.entries {
		block.within(entry.block, metricShape).metric(entry.made, interval)
		p.Metrics = append(p.Metrics, entry.made)
	}
	if len(p.Metrics) == 0 && !block.hurt(block.block.Range()) {
		block.errorf(block.header(), "Nothing to judge by", "The block prometheus needs at least one metric \"name\" { … } with a query and a limit.")
	}
	return p
}

// metric reads a query and what its value may be. The query was found good with
// the names of an example; a release is known only while a canary climbs.
func (b *body) metric(m *Metric, interval time.Duration) {
	example := *b
	example.scope = queryScope(b.scope, "green", "20261123t184501z-1a2b3c4d", interval)
	if query, ok := example.text("query", plain); ok {
		m.Query = query
		example.checkFilled("query", query)
	}
	m.of = func(slot value.Name, release string) (string, error) {
		e := &instant{body: b, scope: queryScope(b.scope, slot, release, interval)}
		return e.text("query", plain), e.err
	}
	for name, limit := range map[string]**float64{
		"max": &m.Max, "max_ratio": &m.MaxRatio, "min": &m.Min, "min_ratio": &m.MinRatio, "enough": &m.Enough,
	} {
		if b.given(name) {
			n := b.decimal(name, -mostOfMetric, mostOfMetric, 0)
			*limit = &n
		}
	}
	if m.Limits == (Limits{}) && !b.hurt(b.block.Range()) {
		b.errorf(b.header(), "Metric without a limit", "%s needs what its value may be: \"max\", \"max_ratio\", \"min\", \"min_ratio\" or \"enough\".", b.name)
	}
}

// mostOfMetric is beyond what a metric counts or measures.
const mostOfMetric = 1e15

// queryScope is what a query may name besides. None of it has a character that
// means anything in PromQL.
func queryScope(scope *hcl.EvalContext, slot value.Name, release string, interval time.Duration) *hcl.EvalContext {
	inner := scope.NewChild()
	inner.Variables = map[string]cty.Value{
		"slot": cty.ObjectVal(map[string]cty.Value{
			"name": cty.StringVal(string(slot)), "release": cty.StringVal(release),
		}).Mark(outside),
		"interval": cty.StringVal(fmt.Sprintf("%dms", interval.Milliseconds())).Mark(outside),
	}
	return inner
}

// For is the query for one slot and the release in it. The error names the place
// in the spec.
func (m *Metric) For(slot value.Name, release string) (string, error) { return m.of(slot, release) }

func (p *Prometheus) same(q *Prometheus) bool {
	if p == nil || q == nil {
		return p == q
	}
	return p.Address == q.Address && p.Token == q.Token && p.Username == q.Username && p.Password == q.Password &&
		slices.EqualFunc(p.Metrics, q.Metrics, func(m, n *Metric) bool {
			return m.Name == n.Name && m.Query == n.Query && m.Limits.same(n.Limits)
		})
}

func (l Limits) same(m Limits) bool {
	return slices.EqualFunc(l.all(), m.all(), func(x, y *float64) bool { return x == y || x != nil && y != nil && *x == *y })
}

func (l Limits) all() []*float64 { return []*float64{l.Max, l.MaxRatio, l.Min, l.MinRatio, l.Enough} }
