package cli

import (
	"fmt"
	"slices"

	"github.com/urfave/cli/v3"

	"github.com/org/deploy-action/internal/spec"
)

// targets are the servers that the arguments name, in the order of the spec: each
// is a server, else a group, else a tag. Without arguments: every server.
func (a *app) targets(c *cli.Command) ([]*spec.Server, error) {
	s, err := a.load(c)
	if err != nil {
		return nil, err
	}
	if len(s.Servers) == 0 {
		return nil, &usageError{fmt.Errorf("%s: has no server block", s.File)}
	}
	if !c.Args().Present() {
		return s.Servers, nil
	}
	meant := make(map[*spec.Server]bool)
	for _, name := range c.Args().Slice() {
		found := named(s, name)
		if found == nil {
			return nil, &usageError{fmt.Errorf("%s: is neither a server nor a group nor a tag of %s", name, s.File)}
		}
		for _, server := range found {
			meant[server] = true
		}
	}
	return slices.DeleteFunc(slices.Clone(s.Servers), func(server *spec.Server) bool { return !meant[server] }), nil
}

// named are the servers that a name means, nil where it means nothing.
func named(s *spec.Spec, name string) []*spec.Server {
	for _, server := range s.Servers {
		if string(server.Name) == name {
			return []*spec.Server{server}
		}
	}
	for _, group := range s.Groups {
		if string(group.Name) == name {
			return group.Servers
		}
	}
	var tagged []*spec.Server
	for _, server := range s.Servers {
		if slices.Contains(server.Tags, name) {
			tagged = append(tagged, server)
		}
	}
	return tagged
}
