package spec

import (
	"math/big"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/zclconf/go-cty/cty"

	"github.com/org/deploy-action/internal/value"
)

var (
	healthShape = shape{
		attributes: []string{"files", "tcp", "run", "interval", "timeout", "healthy_after", "deadline"},
		singles:    []string{"http"},
	}
	httpShape = shape{
		attributes: []string{"path", "host", "status", "body", "max_latency"},
		required:   []string{"path"},
	}
)

// The defaults of health checks.
const (
	healthInterval = time.Second
	healthTimeout  = 2 * time.Second
	healthyAfter   = 3
	healthDeadline = time.Minute
)

// health reads the health block of e. One that says nothing means that a slot is
// healthy when its address accepts connections.
func (b *body) health(block *body, e *Environment) Health {
	h := Health{
		Files:        texts(block.relativePaths("files")),
		HTTP:         block.httpCheck(b.hostname(e.Proxies)),
		Interval:     block.duration("interval", tick, healthInterval),
		Timeout:      block.duration("timeout", tick, healthTimeout),
		HealthyAfter: block.integer("healthy_after", span{1, 1000}, healthyAfter),
		Deadline:     block.duration("deadline", tick, healthDeadline),
		Pos:          b.pos(block.block.TypeRange),
	}
	h.TCP = block.flag("tcp", h.HTTP == nil && !block.given("run"))
	block.checkDeadline(h)
	return h
}

// checkDeadline reports a deadline that not even an application that is healthy
// at once could meet.
func (b *body) checkDeadline(h Health) {
	if least := time.Duration(h.HealthyAfter-1) * h.Interval; h.Deadline <= least {
		b.errorf(b.valueRange("deadline"), "Unreachable deadline", "%d checks in a row, one every %s, take %s at least, and the deadline is %s.", h.HealthyAfter, h.Interval, least, h.Deadline)
	}
}

// httpCheck reads the http block; nil without one. The host is, unless it says
// so, the one that clients of the proxies ask for.
func (b *body) httpCheck(host value.Hostname, said term) *HTTPCheck {
	block := b.child("http", httpShape)
	if block == nil {
		return nil
	}
	check := &HTTPCheck{
		Path:       parsed(block, "path", urlPaths, value.URLPath("")),
		Host:       string(parsed(block, "host", hostnames, host)),
		Status:     block.statuses(),
		Body:       parsed(block, "body", patterns, ""),
		MaxLatency: block.duration("max_latency", tick, 0),
		Pos:        b.pos(block.block.TypeRange),
	}
	block.follow("host", said)
	return check
}

// hostname is the name that the proxies' clients ask for, and what the file says
// of it; empty where they have none, or a wildcard.
func (b *body) hostname(proxies []*Proxy) (value.Hostname, term) {
	for i, proxy := range proxies {
		if proxy.Hostname != "" && !strings.HasPrefix(string(proxy.Hostname), "*") {
			return proxy.Hostname, b.form.of("proxy")[i].terms["hostname"]
		}
	}
	return "", term{}
}

// statuses reads the HTTP status codes that count as healthy (RFC 9110, 15).
func (b *body) statuses() []int {
	v, ok := b.as("status", cty.List(cty.Number), plain)
	if !ok {
		return nil
	}
	var all []int
	for _, element := range v.AsValueSlice() {
		if element.IsNull() {
			continue
		}
		n, accuracy := element.AsBigFloat().Int64()
		if accuracy != big.Exact || n < http.StatusContinue || n > 599 {
			b.errorf(b.valueRange("status"), "Value out of range", "%s is not an HTTP status: a whole number from 100 to 599.", element.AsBigFloat().Text('g', 10))
			continue
		}
		if slices.Contains(all, int(n)) {
			b.errorf(b.valueRange("status"), "Duplicate element", "%d stands in \"status\" twice.", n)
			continue
		}
		all = append(all, int(n))
	}
	b.put("status", literal{numbersVal(all)})
	return all
}

func numbersVal(all []int) cty.Value {
	var elements []cty.Value
	for _, n := range all {
		elements = append(elements, cty.NumberIntVal(int64(n)))
	}
	return cty.TupleVal(elements)
}
