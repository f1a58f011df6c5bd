package plan

import (
	"fmt"
	"strings"

	"github.com/org/deploy-action/internal/spec"
)

// The language is read and checked as a whole; what this version cannot run yet
// is refused here, before anything starts.

// unsupported names what this version cannot run of a pipeline.
func unsupported(p *spec.Pipeline) spec.Problems {
	var all spec.Problems
	for _, stage := range p.Stages {
		if stage.Deploy != nil && stage.Deploy.Canary != nil {
			all = append(all, refuse(stage.Deploy.Canary.Pos, "Stage %q deploys by canary; leave the canary block out for a blue/green switch.", stage.Name))
		}
		if stage.Deploy != nil {
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
	var all spec.Problems
	for _, server := range env.Servers {
		if server.Connection != spec.Local {
			all = append(all, refuse(at, "Environment %q runs on server %q, reached over SSH; only servers with connection = \"local\" can be deployed to.", env.Name, server.Name))
		}
	}
	if len(env.Servers) != 1 && !all.Failed() {
		all = append(all, refuse(at, "Environment %q runs on %d servers; this version deploys to one.", env.Name, len(env.Servers)))
	}
	if len(env.Proxies) != 1 {
		all = append(all, refuse(at, "Environment %q has %d proxies; this version switches one.", env.Name, len(env.Proxies)))
	}
	for _, p := range env.Proxies {
		all = append(all, unsupportedProxy(env, p)...)
	}
	return all
}

func unsupportedProxy(env *spec.Environment, p *spec.Proxy) spec.Problems {
	var all spec.Problems
	if p.Kind == spec.AWSELB {
		all = append(all, refuse(p.Pos, "Environment %q has proxy \"aws_elb\"; nginx and haproxy can be switched.", env.Name))
	}
	for _, server := range p.Servers {
		if server.Connection != spec.Local {
			all = append(all, refuse(p.Pos, "Proxy %q of environment %q runs on server %q, reached over SSH; only the local machine's proxy can be switched.", p.Kind, env.Name, server.Name))
		}
	}
	return all
}

func refuse(at spec.Pos, format string, args ...any) spec.Problem {
	return spec.Problem{
		Severity: spec.Error,
		Summary:  "Not in this version",
		Detail:   fmt.Sprintf(format, args...) + " Nothing was started.",
		Pos:      at,
	}
}

func join(names []string) string { return strings.Join(names, ", ") }
