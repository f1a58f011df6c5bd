package plan

import (
	"fmt"
	"slices"

	"github.com/org/deploy-action/internal/spec"
)

// OffLinux names the switches of a plan that can't be done because a part of them
// is this machine, whose system (as Go calls it) is not Linux.
func OffLinux(system string, p *Plan) spec.Problems {
	if p == nil {
		return nil
	}
	deploys := slices.Clone(p.Deploys)
	for _, rollback := range p.Rollbacks {
		if rollback.Deploy != nil {
			deploys = append(deploys, rollback.Deploy)
		}
	}
	var all spec.Problems
	for _, d := range deploys {
		servers := slices.Clone(d.Environment.Servers)
		for _, p := range d.Environment.Proxies {
			servers = append(servers, p.Servers...)
		}
		if why := NeedsLinux(system, fmt.Sprintf("environment %q", d.Environment.Name), servers); why != "" {
			all = append(all, problem(d.Pos, "Needs Linux", "%s", why))
		}
	}
	return all
}

// NeedsLinux says why what runs on servers can't be where one of them is this
// machine; empty where it can. Slots and proxies are looked at through /proc, and
// moved by an agent, which is Linux's alone. Commands run on any system.
func NeedsLinux(system, what string, servers []*spec.Server) string {
	local := slices.IndexFunc(servers, func(s *spec.Server) bool { return s.Connection == spec.Local })
	if system == "linux" || local < 0 {
		return ""
	}
	if system == "darwin" {
		system = "macOS"
	}
	return fmt.Sprintf("On server %q, which is this machine (connection = \"local\"), %s needs Linux, and this is %s. Run it from a machine with Linux, or name servers that are reached over SSH.",
		servers[local].Name, what, system)
}
