package plan

import "slices"

// ChangesServers reports whether the plan has a deploy or a task that is not
// certain to be skipped.
func (p *Plan) ChangesServers() bool {
	skipped := func(s *Stage) bool { return s.When != nil && s.When.Fixed != nil && !*s.When.Fixed }
	acts := func(s *Stage) bool { return s.Body() != "run" && !skipped(s) }
	return len(p.Stages) == 0 && len(p.Deploys) > 0 || slices.ContainsFunc(p.Stages, acts)
}
