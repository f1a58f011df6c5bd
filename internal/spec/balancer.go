package spec

import (
	"fmt"
	"maps"
	"slices"

	"github.com/zclconf/go-cty/cty"

	"github.com/org/deploy-action/internal/value"
)

// balancer reads what a proxy "aws_elb" says of the load balancer.
func (b *body) balancer(p *Proxy) *Balancer {
	if len(p.Servers) > 1 {
		b.errorf(b.valueRange("servers"), "Several servers", "%s names %d servers, and one of them calls AWS: name that one, or none for the machine that runs turnout.", b.name, len(p.Servers))
	}
	listener, rule := b.given("listener_arn"), b.given("rule_arn")
	switch {
	case listener && rule:
		b.errorf(b.attribute("rule_arn").NameRange, "Two places", "%s has a rule, and a listener at %s: requests are moved at one of them.", b.name, place(b.attribute("listener_arn").NameRange))
	case !listener && !rule && !b.hurt(b.block.Range()):
		b.errorf(b.header(), "Missing attribute", "%s needs the rule whose requests it moves, rule_arn = \"…\", or the listener whose default action is meant, listener_arn = \"…\".", b.name)
	}
	made := &Balancer{
		Resource:  parsed(b, "listener_arn", listeners, ""),
		Groups:    parsedMap(b, "target_groups", groupARNs),
		Instances: parsedMap(b, "instances", instances),
		Endpoint:  parsed(b, "endpoint", endpoints, ""),
	}
	if arn := parsed(b, "rule_arn", rules, ""); arn != "" {
		made.Resource = arn
	}
	return made
}

// parsedMap reads an attribute as an object of texts of a kind, by names.
func parsedMap[T ~string](b *body, name string, k kind[T]) map[value.Name]T {
	attribute := b.attribute(name)
	if attribute == nil {
		return nil
	}
	v, ok := b.value(attribute.Expr, k.use)
	if !ok || v.IsNull() {
		return nil
	}
	if !v.Type().IsObjectType() && !v.Type().IsMapType() {
		b.errorf(attribute.Expr.Range(), "Wrong type", "%q takes an object, and this is %s: write %s = { name = \"…\" }.", name, describe(v), name)
		return nil
	}
	all, said := make(map[value.Name]T), make(map[string]cty.Value)
	elements := v.AsValueMap()
	for _, text := range slices.Sorted(maps.Keys(elements)) {
		at := axisRange(attribute.Expr, text)
		n, err := value.ParseName(text)
		s, ok := b.convert(elements[text], cty.String, at, "A value of "+name)
		if err != nil {
			b.errorf(at, "Invalid name", "%s", err)
		}
		if err != nil || !ok {
			continue
		}
		if all[n], err = k.parse(s.AsString()); err != nil {
			b.errorf(at, k.summary, "%s", err)
		}
		said[text] = s
	}
	b.put(name, literal{cty.ObjectVal(said)})
	return all
}

// checkBalancers reports what a load balancer of AWS and the rest of the
// environment do not agree on.
func (b *body) checkBalancers(e *Environment) {
	for i, block := range b.blocksOf("proxy") {
		if made := e.Proxies[i].Balancer; made != nil {
			inner := &body{reader: b.reader, block: block, name: blockName(block), scope: b.scope}
			inner.checkGroups(e, made)
			inner.checkInstances(e, made)
		}
	}
}

// checkGroups reports slots without a target group of their own.
func (b *body) checkGroups(e *Environment, made *Balancer) {
	at := b.valueRange("target_groups")
	for _, slot := range e.Slots {
		arn, ok := made.Groups[slot.Name]
		switch {
		case !ok && made.Groups != nil && !b.hurt(b.block.Range()):
			b.errorf(at, "Missing target group", "The slot %q at %s has no target group: add %s = \"arn:…\" to target_groups.", slot.Name, spot(slot.Pos), slot.Name)
		case arn != "" && made.Resource != "" && arn.Region() != made.Resource.Region():
			b.errorf(at, "Target group elsewhere", "The target group of the slot %q is in %s, and the load balancer is in %s.", slot.Name, arn.Region(), made.Resource.Region())
		}
		if slot.Socket != "" {
			b.errorf(b.header(), "Socket behind a load balancer", "The slot %q at %s listens on a socket, and a load balancer of AWS connects to ports: give the slot a port.", slot.Name, spot(slot.Pos))
		}
	}
	for name := range made.Groups {
		if !slices.ContainsFunc(e.Slots, func(s *Slot) bool { return s.Name == name }) {
			b.errorf(at, "Unknown slot", "target_groups names %q, which is no slot of the environment %q.", name, e.Name)
		}
	}
	if len(e.Slots) == slotsPerPlace && made.Groups[e.Slots[0].Name] != "" && made.Groups[e.Slots[0].Name] == made.Groups[e.Slots[1].Name] {
		b.errorf(at, "One target group for two slots", "Both slots have the target group %s: requests could not be told apart.", made.Groups[e.Slots[0].Name])
	}
}

// checkInstances reports instances that are not those of the servers.
func (b *body) checkInstances(e *Environment, made *Balancer) {
	if made.Instances == nil {
		return
	}
	at := b.valueRange("instances")
	for _, server := range e.Servers {
		if made.Instances[server.Name] == "" && !b.hurt(b.block.Range()) {
			b.errorf(at, "Missing instance", "The server %q of the environment %q has no instance: add %s = \"i-…\" to instances.", server.Name, e.Name, server.Name)
		}
	}
	for name := range made.Instances {
		if !slices.ContainsFunc(e.Servers, func(s *Server) bool { return s.Name == name }) {
			b.errorf(at, "Unknown server", "instances names %q, which is no server of the environment %q.", name, e.Name)
		}
	}
}

// claimBalancer takes for e the rule and the target groups, which are one's own
// wherever they are called from.
func (c *claims) claimBalancer(e *Environment, p *Proxy, b *body) {
	if p.Balancer == nil {
		return
	}
	arns := slices.Sorted(maps.Values(p.Balancer.Groups))
	for _, arn := range append(arns, p.Balancer.Resource) {
		if arn == "" {
			continue
		}
		before := c.by[string(arn)]
		if before == nil {
			c.by[string(arn)] = e
		} else if before != e {
			c.errorf(b.header(), "Shared between environments", "The ARN %s is that of the environment %q at %s: each environment needs its own.", arn, before.Name, spot(before.Pos))
			return
		}
	}
}

// spot is a place as messages name it.
func spot(p Pos) string { return fmt.Sprintf("%s:%d,%d", p.File, p.Line, p.Column) }
