package plan

import (
	"fmt"
	"net/netip"
	"strings"

	"github.com/org/deploy-action/internal/spec"
	"github.com/org/deploy-action/internal/value"
)

// The language is read and checked as a whole; what can't be run all the same is
// refused here, before anything starts.

// unsupported names what can't be run of a pipeline.
func unsupported(p *spec.Pipeline) spec.Problems {
	var all spec.Problems
	for _, stage := range p.Stages {
		if stage.Deploy != nil {
			all = append(all, balancedCanary(stage.Deploy)...)
			all = append(all, unsupportedEnvironment(stage.Deploy.Environment, stage.Deploy.Pos)...)
		}
	}
	for _, rollback := range p.Rollbacks {
		if rollback.Deploy != nil {
			all = append(all, unsupportedEnvironment(rollback.Deploy.Environment, rollback.Deploy.Pos)...)
		}
	}
	return all
}

// unsupportedEnvironment names what this version cannot do with an environment.
func unsupportedEnvironment(env *spec.Environment, at spec.Pos) spec.Problems {
	all := sameMachine(env, env.Servers, at, "its releases there would be in each other's way")
	var edges []*spec.Server
	for _, p := range env.Proxies {
		if p.Kind == spec.AWSELB {
			all = append(all, beyondReach(env, p)...)
			continue
		}
		edges = append(edges, p.Servers...)
		all = append(all, outOfReach(env, p)...)
	}
	return append(all, sameMachine(env, edges, at, "a machine has one proxy for an environment, and one state directory")...)
}

// sameMachine refuses servers that are one and the same machine.
func sameMachine(env *spec.Environment, servers []*spec.Server, at spec.Pos, why string) spec.Problems {
	var all spec.Problems
	names := make(map[string]value.Name)
	for _, server := range servers {
		key := fmt.Sprintf("%s %s:%d", server.Connection, server.Host, server.SSH.Port)
		if via := server.SSH.Via; via != nil { // networks behind jump hosts may have the same addresses
			key += " via " + string(via.Name)
		}
		if before, known := names[key]; known {
			all = append(all, problem(at, "Same machine twice", "Environment %q has the same machine twice, as %q and as %q: %s.", env.Name, before, server.Name, why))
			continue
		}
		names[key] = server.Name
	}
	return all
}

// outOfReach names the servers whose address means the proxy's machine itself.
func outOfReach(env *spec.Environment, p *spec.Proxy) spec.Problems {
	var all spec.Problems
	for _, edge := range p.Servers {
		for _, server := range env.Servers {
			near := server == edge || server.Connection == spec.Local && edge.Connection == spec.Local
			if near || !loopback(server.Address) {
				continue
			}
			all = append(all, problem(p.Pos, "Address of the proxy itself", "The proxy on %q would look for server %q at %s, which is %q itself: give server %q the address that proxies connect to, address = \"…\".",
				edge.Name, server.Name, server.Address, edge.Name, server.Name))
		}
	}
	return all
}

// balancedCanary names what a load balancer of AWS can't do in a canary.
func balancedCanary(d *spec.Deploy) spec.Problems {
	var all spec.Problems
	for _, p := range d.Environment.Proxies {
		if p.Balancer == nil || d.Canary == nil {
			continue
		}
		if d.Canary.Sticky == "client_ip" {
			all = append(all, problem(d.Canary.Pos, "Sticky by address", "The load balancer of environment %q does not part clients by their addresses: write sticky = \"cookie\", or leave it out.", d.Environment.Name))
		}
		if d.Canary.Analysis != nil && d.Canary.Analysis.Source == "proxy" {
			all = append(all, problem(d.Canary.Analysis.Pos, "No figures", "AWS counts the requests of environment %q by the minute, too coarsely to judge a canary by: write source = \"prometheus\", or source = \"run\" to have a command judge.", d.Environment.Name))
		}
	}
	return all
}

// beyondReach names the servers that a load balancer of AWS can't connect to. One
// of somebody else, at an endpoint, may be anywhere.
func beyondReach(env *spec.Environment, p *spec.Proxy) spec.Problems {
	var all spec.Problems
	for _, server := range env.Servers {
		if p.Balancer.Endpoint == "" && loopback(server.Address) {
			all = append(all, problem(p.Pos, "Address out of reach", "The load balancer would look for server %q at %s: give the server the address that it has in the VPC, address = \"…\".", server.Name, server.Address))
		}
	}
	return all
}

func loopback(address string) bool {
	ip, err := netip.ParseAddr(address)
	return address == "localhost" || err == nil && ip.IsLoopback()
}

func problem(at spec.Pos, summary, format string, args ...any) spec.Problem {
	return spec.Problem{
		Severity: spec.Error,
		Summary:  summary,
		Detail:   fmt.Sprintf(format, args...) + " Nothing was started.",
		Pos:      at,
	}
}

func join(names []string) string { return strings.Join(names, ", ") }
