package spec

import (
	"cmp"
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
	attributes: []string{"server", "root", "hostname", "ports", "release", "start", "stop", "ttl", "max", "state_dir", "start_timeout"},
	required:   []string{"server", "root", "hostname", "ports", "start", "stop"},
	singles:    []string{"health", "proxy"},
}

// previewHealthShape is that of an environment without "run": a preview that
// needs a program to judge it can answer at a path.
var previewHealthShape = shape{
	attributes: slices.DeleteFunc(slices.Clone(healthShape.attributes), func(name string) bool { return name == "run" }),
	singles:    healthShape.singles,
}

// previewProxyLacks are the attributes of an environment's proxy block that make no
// sense for many host names. Behind nginx each of them has a file of its own.
var previewProxyLacks = map[ProxyKind][]string{
	NGINX:   {"config", "hostname"},
	HAProxy: {"hostname"},
	AWSELB:  {"hostname"},
}

// The defaults of previews: how long one lives after its last update, and how
// many there are at most.
const (
	previewTTL  = 7 * 24 * time.Hour
	mostPreview = 20
)

// readPreviews reads the preview blocks.
func (r *reader) readPreviews() {
	for _, e := range r.previews.entries {
		r.readPreview(e.made, r.open(e.block, previewShape))
	}
	r.spec.Previews = r.previews.in()
	r.checkPorts()
	r.checkConfigs()
}

// checkConfigs refuses a preview that would write into the file of somebody else
// on the same machine.
func (r *reader) checkConfigs() {
	owners := make(map[string]string)
	own := func(p *Proxy, owner string) (before string) {
		for _, server := range p.Servers {
			key := string(server.Name) + "\x00" + string(p.Config)
			before = cmp.Or(before, owners[key])
			owners[key] = owner
		}
		return before
	}
	for _, e := range r.spec.Environments {
		for _, p := range e.Proxies {
			own(p, fmt.Sprintf("the environment %q at %s", e.Name, spot(e.Pos)))
		}
	}
	for _, entry := range r.previews.entries {
		p := entry.made
		if p.Proxy == nil || p.Proxy.Config == "" {
			continue
		}
		if before := own(p.Proxy, fmt.Sprintf("the preview %q at %s", p.Name, spot(p.Pos))); before != "" {
			b := &body{reader: r, block: (&body{reader: r, block: entry.block}).blocksOf("proxy")[0]}
			b.errorf(b.valueRange("config"), "Config of somebody else", "%s is the file of %s: each needs its own.", p.Proxy.Config, before)
		}
	}
}

// checkPorts refuses two blocks that would lease the same port of one server, or
// keep their leases in the same directory.
func (r *reader) checkPorts() {
	for i, entry := range r.previews.entries {
		b := &body{reader: r, block: entry.block}
		for _, before := range r.previews.entries[:i] {
			p, q := entry.made, before.made
			if p.Server != q.Server || p.Server == nil {
				continue
			}
			if p.Ports[0] <= q.Ports[1] && q.Ports[0] <= p.Ports[1] {
				b.errorf(b.valueRange("ports"), "Shared between previews", "The preview %q at %s leases ports of the same server out of %d-%d: give each its own range.", q.Name, spot(q.Pos), q.Ports[0], q.Ports[1])
			}
			if p.StateDir == q.StateDir {
				b.errorf(b.valueRange("state_dir"), "Shared between previews", "%s is the state_dir of the preview %q at %s: each needs its own.", p.StateDir, q.Name, spot(q.Pos))
			}
		}
	}
}

func (r *reader) readPreview(p *Preview, b *body) {
	p.Server, _ = refer(b, "server", "server", &r.servers)
	p.Ports = parsedPorts(b)
	p.Release = b.filled("release")
	p.TTL = b.duration("ttl", time.Minute, previewTTL)
	p.Max = b.integer("max", span{1, most}, mostPreview)
	p.StateDir = parsed(b, "state_dir", paths, value.Path(stateRoot+"previews/"+string(p.Name)))
	p.StartTimeout = b.duration("start_timeout", tick, startTimeout)
	p.Health = b.health(b.childOrDefault("health", previewHealthShape), &Environment{})
	p.of = b.instances(p, b.scope)
	b.scope = b.sample(p)
	parsed(b, "root", paths, "")
	parsed(b, "hostname", hostnames, "")
	b.command("start")
	b.command("stop")
	p.Deferred = b.deferredNames()
	for _, block := range b.blocksOf("proxy") {
		kind := b.proxyKind(block)
		p.Proxy = b.proxy(block, kind, previewProxyLacks[kind])
		break
	}
	b.checkApart(p)
	if p.Proxy == nil && !b.hurt(b.block.Range()) {
		b.errorf(b.header(), "Missing block", "%s needs a proxy block: the proxy that leads to the preview.", b.name)
	}
}

// sample is the scope of a preview with the values of a pull request 1 in it.
func (b *body) sample(p *Preview) *hcl.EvalContext { return of(p, b.scope, 1, p.Ports[0]) }

// of is the scope of one preview.
func of(p *Preview, scope *hcl.EvalContext, number int, port value.Port) *hcl.EvalContext {
	object, _ := lookup(scope, "github")
	fields := maps.Clone(object.AsValueMap())
	fields["pull_request"] = githubField(strconv.Itoa(number), false)
	inner := scope.NewChild()
	inner.Variables = map[string]cty.Value{
		"github": cty.ObjectVal(fields),
		"preview": cty.ObjectVal(map[string]cty.Value{
			"name": cty.StringVal(p.NameOf(number)),
			"port": cty.NumberIntVal(int64(port)),
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
