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
	s, err := a.loadMachines(c)
	if err != nil {
		return nil, err
	}
	return pick(s, c.Args().Slice())
}

// pick are the servers that names mean; all of the spec's without a name.
func pick(s *spec.Spec, names []string) ([]*spec.Server, error) {
	if len(s.Servers) == 0 {
		return nil, &usageError{fmt.Errorf("%s: has no server block", s.File)}
	}
	if len(names) == 0 {
		return s.Servers, nil
	}
	meant := make(map[*spec.Server]bool)
	for _, name := range names {
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

// named are the servers that a name means, none where it means nothing.
func named(s *spec.Spec, name string) []*spec.Server {
	for _, find := range []func(*spec.Spec, string) []*spec.Server{called, grouped, tagged} {
		if found := find(s, name); found != nil {
			return found
		}
	}
	return nil
}

// called is the server of that name.
func called(s *spec.Spec, name string) []*spec.Server {
	for _, server := range s.Servers {
		if string(server.Name) == name {
			return []*spec.Server{server}
		}
	}
	return nil
}

// grouped are the servers of the group of that name.
func grouped(s *spec.Spec, name string) []*spec.Server {
	for _, group := range s.Groups {
		if string(group.Name) == name {
			return group.Servers
		}
	}
	return nil
}

// tagged are the servers with that tag.
func tagged(s *spec.Spec, tag string) []*spec.Server {
	var found []*spec.Server
	for _, server := range s.Servers {
		if slices.Contains(server.Tags, tag) {
			found = append(found, server)
		}
	}
	return found
}
