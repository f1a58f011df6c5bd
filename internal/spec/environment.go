package spec

import (
	"fmt"
	"strings"
	"time"

	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"

	"github.com/org/deploy-action/internal/value"
)

var (
	environmentShape = shape{
		labels: []string{"name"},
		attributes: []string{
			"servers", "root", "state_dir", "keep_releases", "shared", "start", "stop", "logs", "drain", "watch", "probe",
			"keep_previous", "lock_timeout", "start_timeout",
		},
		required: []string{"root"},
		blocks:   []string{"slot", "proxy"},
		singles:  []string{"health"},
	}
	slotShape = shape{labels: []string{"name"}, attributes: []string{"port", "socket"}}
)

// The defaults of an environment: semantics of the switch and of its lock.
const (
	keepReleases  = 3
	drainTime     = 30 * time.Second
	watchTime     = 30 * time.Second
	probeRate     = 20
	mostProbes    = 1000
	lockTimeout   = 15 * time.Minute
	startTimeout  = time.Minute
	stateRoot     = "/var/lib/turnout/"
	slotsPerPlace = 2
)

// readEnvironments reads the environment blocks and checks that no two of them
// share what belongs to one.
func (r *reader) readEnvironments() {
	for _, e := range r.environments.entries {
		r.readEnvironment(e.made, r.open(e.block, environmentShape))
	}
	r.spec.Environments = r.environments.in()
	r.checkShared()
}

func (r *reader) readEnvironment(e *Environment, b *body) {
	e.Servers = b.serversOrLocal("servers")
	e.Root = parsed(b, "root", paths, "")
	e.StateDir = parsed(b, "state_dir", paths, value.Path(stateRoot+string(e.Name)))
	e.KeepReleases = b.integer("keep_releases", span{1, most}, keepReleases)
	e.Shared = b.sharedPaths()
	e.Drain = b.duration("drain", 0, drainTime)
	e.Watch = b.duration("watch", 0, watchTime)
	e.Probe = b.probe()
	e.KeepPrevious = oneOf(b, "keep_previous", Warm, Warm, StopDrained)
	e.LockTimeout = b.duration("lock_timeout", 0, lockTimeout)
	e.StartTimeout = b.duration("start_timeout", tick, startTimeout)
	e.Proxies = b.proxies()
	health := b.childOrDefault("health", healthShape)
	b.readSlots(e, health)
	b.checkBalancers(e)
	e.Health = b.health(health, e)
}

// serversOrLocal reads an attribute as servers; without it there is the machine
// that runs turnout.
func (b *body) serversOrLocal(name string) []*Server {
	if b.attribute(name) == nil {
		if b.servers.byName[string(b.local.Name)] != nil {
			b.putServers(name, []*Server{b.local})
		}
		return []*Server{b.local}
	}
	return b.serverList(name)
}

// sharedPaths reads the paths that survive releases. One inside another would be
// linked twice.
func (b *body) sharedPaths() []string {
	all := b.relativePaths("shared")
	for _, inner := range all {
		for _, outer := range all {
			if strings.HasPrefix(inner.text, outer.text+"/") {
				b.errorf(inner.at, "Nested shared path", "%q lies in %q, which is shared as a whole at %s: leave one of them out.", inner.text, outer.text, place(outer.at))
			}
		}
	}
	return texts(all)
}

// relativePaths reads a list of paths below a folder.
func (b *body) relativePaths(name string) []item {
	var all []item
	for _, it := range b.items(name) {
		if _, err := relatives.parse(it.text); err != nil {
			b.errorf(it.at, relatives.summary, "%s", err)
			continue
		}
		all = append(all, it)
	}
	return all
}

// probe reads the prober's rate: a number, or "off".
func (b *body) probe() int {
	if attribute := b.attribute("probe"); attribute != nil {
		v, diags := attribute.Expr.Value(b.scope)
		if v, _ = v.Unmark(); !diags.HasErrors() && v.RawEquals(cty.StringVal("off")) {
			b.putNumber("probe", 0)
			return 0
		}
	}
	return b.integer("probe", span{0, mostProbes}, probeRate)
}

// readSlots reads the two slots, with the environment's commands in each.
func (b *body) readSlots(e *Environment, health *body) {
	var slots registry[*Slot]
	for _, block := range b.block.Body.Blocks {
		if block.Type == "slot" {
			declare(b.reader, &slots, block, func(n value.Name, p Pos) *Slot { return &Slot{Name: n, Pos: p} })
		}
	}
	for _, entry := range slots.entries {
		inner := b.within(entry.block, slotShape)
		inner.readAddress(entry.made)
		b.slotCommands(e, entry.made, health)
	}
	e.Slots = slots.in()
	b.checkSlots(slots.entries)
}

func (b *body) readAddress(s *Slot) {
	port, socket := b.given("port"), b.given("socket")
	switch {
	case port && socket:
		at := b.attribute("port").NameRange
		b.errorf(b.attribute("socket").NameRange, "Two addresses", "%s has a port at %s and a socket: give it one of them.", b.name, place(at))
	case !port && !socket && !b.hurt(b.block.Range()):
		b.errorf(b.header(), "Missing attribute", "%s needs an address: port = 8081, or socket = \"/run/app/%s.sock\".", b.name, s.Name)
	}
	s.Port = b.port("port")
	s.Socket = parsed(b, "socket", sockets, "")
}

// slotCommands evaluates the commands with the slot's values in place.
func (b *body) slotCommands(e *Environment, s *Slot, health *body) {
	inner := *b
	inner.scope = b.scope.NewChild()
	inner.scope.Variables = map[string]cty.Value{"slot": cty.ObjectVal(map[string]cty.Value{
		"name": cty.StringVal(string(s.Name)), "socket": cty.StringVal(string(s.Socket)),
		"port": cty.NumberIntVal(int64(s.Port)), "path": cty.StringVal(fmt.Sprintf("%s/%s", e.Root, s.Name)),
	}).Mark(outside)}
	s.Start, s.Stop, s.Logs = inner.command("start"), inner.command("stop"), inner.command("logs")
	check := *health
	check.scope = inner.scope
	s.HealthRun = check.command("run")
}

func (b *body) checkSlots(slots []*entry[*Slot]) {
	if len(slots) != slotsPerPlace && !b.hurt(b.block.Range()) {
		b.errorf(b.header(), "Wrong number of slots", "%s needs exactly two slots, one that serves and one for the next release; it has %d.", b.name, len(slots))
		return
	}
	if len(slots) < slotsPerPlace {
		return
	}
	first, second := slots[0].made, slots[1].made
	if first.Port != second.Port || first.Socket != second.Socket || first.Port == 0 && first.Socket == "" {
		return
	}
	at := headerRange(slots[1].block)
	b.duplicate(at, fmt.Sprintf("slot %q", first.Name), slotAddress(second), first.Pos)
}

// slotAddress is a slot's address as messages name it.
func slotAddress(s *Slot) string {
	if s.Socket != "" {
		return fmt.Sprintf("socket %s", s.Socket)
	}
	return fmt.Sprintf("port %d", s.Port)
}

// claims remembers which environment took what.
type claims struct {
	*reader
	by map[string]*Environment
}

// checkShared reports what two environments have in common on one server.
func (r *reader) checkShared() {
	c := &claims{reader: r, by: map[string]*Environment{}}
	for _, entry := range r.environments.entries {
		e := entry.made
		b := &body{reader: r, block: entry.block}
		c.claim(e, e.Servers, "root "+string(e.Root), b.valueRange("root"))
		for _, slot := range e.Slots {
			c.claim(e, e.Servers, slotAddress(slot), r.slotRange(b, slot))
		}
		for i, proxy := range b.blocksOf("proxy") {
			c.claimProxy(e, e.Proxies[i], proxy)
		}
	}
}

// slotRange is the place of a slot's block.
func (r *reader) slotRange(b *body, s *Slot) hcl.Range {
	for _, block := range b.block.Body.Blocks {
		if block.TypeRange.Start.Line == s.Pos.Line {
			return headerRange(block)
		}
	}
	return b.header()
}

// claim takes what for e on each of the servers.
func (c *claims) claim(e *Environment, servers []*Server, what string, at hcl.Range) {
	if strings.HasSuffix(what, " ") || what == "port 0" {
		return
	}
	for _, server := range servers {
		key := string(server.Name) + "\x00" + what
		before := c.by[key]
		if before == nil {
			c.by[key] = e
			continue
		}
		if before != e {
			c.errorf(at, "Shared between environments", "The %s on the server %q is that of the environment %q at %s: each environment needs its own.", what, server.Name, before.Name, spot(before.Pos))
			return
		}
	}
}
