package spec

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"

	"github.com/org/deploy-action/internal/value"
)

var previewShape = shape{
	labels:     []string{"name"},
	attributes: []string{"server", "root", "hostname", "ports", "start", "stop", "ttl"},
	required:   []string{"server", "root", "hostname", "ports", "start"},
	singles:    []string{"proxy"},
}

// previewTTL is how long a preview lives.
const previewTTL = 7 * 24 * time.Hour

// readPreviews reads the preview blocks.
func (r *reader) readPreviews() {
	for _, e := range r.previews.entries {
		r.readPreview(e.made, r.open(e.block, previewShape))
	}
	r.spec.Previews = r.previews.in()
}

func (r *reader) readPreview(p *Preview, b *body) {
	p.Server, _ = refer(b, "server", "server", &r.servers)
	p.Ports = parsedPorts(b)
	p.TTL = b.duration("ttl", time.Minute, previewTTL)
	b.scope = b.sample(p)
	parsed(b, "root", paths, "")
	parsed(b, "hostname", hostnames, "")
	b.command("start")
	b.command("stop")
	p.Deferred = b.deferredNames()
	for _, block := range b.blocksOf("proxy") {
		p.Proxy = b.proxy(block, []string{"config", "hostname"})
		break
	}
	if p.Proxy == nil && !b.hurt(b.block.Range()) {
		b.errorf(b.header(), "Missing block", "%s needs a proxy block: the proxy that leads to the preview.", b.name)
	}
}

// sample is the scope of a preview with the values of a pull request 1 in it:
// what holds for that one holds for every number.
func (b *body) sample(p *Preview) *hcl.EvalContext {
	object, _ := lookup(b.scope, "github")
	fields := maps.Clone(object.AsValueMap())
	fields["pull_request"] = githubField("1", false)
	inner := b.scope.NewChild()
	inner.Variables = map[string]cty.Value{
		"github": cty.ObjectVal(fields),
		"preview": cty.ObjectVal(map[string]cty.Value{
			"name": cty.StringVal(string(p.Name) + "-pr-1"),
			"port": cty.NumberIntVal(int64(p.Ports[0])),
		}).Mark(outside),
	}
	return inner
}

// deferredNames are the attributes that differ from pull request to pull request.
func (b *body) deferredNames() []string {
	var names []string
	for _, name := range []string{"root", "hostname", "start", "stop"} {
		if attribute := b.attribute(name); attribute != nil && differs(attribute.Expr) {
			names = append(names, name)
		}
	}
	return names
}

// differs reports whether e reads what belongs to one pull request.
func differs(e hclsyntax.Expression) bool {
	return slices.ContainsFunc(e.Variables(), func(t hcl.Traversal) bool {
		names := attributeSteps(t)
		return t.RootName() == "preview" || t.RootName() == "github" && len(names) == 1 && names[0] == "pull_request"
	})
}

// parsedPorts reads the ports that previews are given, as in "20000-20999".
func parsedPorts(b *body) [2]value.Port {
	s, ok := b.text("ports", plain)
	if !ok {
		return [2]value.Port{}
	}
	ports, err := parsePorts(s)
	if err != nil {
		b.errorf(b.valueRange("ports"), "Invalid range of ports", "%s", err)
	}
	b.putText("ports", fmt.Sprintf("%d-%d", ports[0], ports[1]))
	return ports
}

func parsePorts(s string) ([2]value.Port, error) {
	low, high, _ := strings.Cut(s, "-")
	from, err := strconv.Atoi(low)
	to, err2 := strconv.Atoi(high)
	if err != nil || err2 != nil {
		return [2]value.Port{}, fmt.Errorf("%q is not a range of ports: write \"20000-20999\"", s)
	}
	first, err := value.ParsePort(from)
	if err != nil {
		return [2]value.Port{}, err
	}
	last, err := value.ParsePort(to)
	if err == nil && last < first {
		err = fmt.Errorf("%q ends before it begins", s)
	}
	return [2]value.Port{first, last}, err
}
