package spec

import (
	"fmt"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
)

// reference is a name such as server.web01.
type reference struct {
	kind, name string
	at         hcl.Range
}

// reference reads e as a reference to an element of one of the kinds. Names that
// a quoted string spells right are reported with the way to write them.
func (b *body) reference(e hclsyntax.Expression, kinds ...string) (reference, bool) {
	traversal, diags := hcl.AbsTraversalForExpr(e)
	if !diags.HasErrors() && len(traversal) == 2 && slices.Contains(kinds, traversal.RootName()) {
		if step, ok := traversal[1].(hcl.TraverseAttr); ok {
			return reference{traversal.RootName(), step.Name, e.Range()}, true
		}
	}
	b.errorf(e.Range(), "Not a reference", "%s is not a reference to %s: write %s, without quotes.", b.quoted(e.Range()), alternatives(kinds), b.spelled(e, kinds))
	return reference{}, false
}

func alternatives(kinds []string) string {
	var all []string
	for _, kind := range kinds {
		all = append(all, article(kind))
	}
	return strings.Join(all, " or ")
}

// spelled is how e would be written as a reference.
func (b *body) spelled(e hclsyntax.Expression, kinds []string) string {
	text := strings.Trim(b.quoted(e.Range()), `"`)
	if hclsyntax.ValidIdentifier(text) {
		return kinds[0] + "." + text
	}
	return kinds[0] + ".NAME"
}

// find resolves a reference within a registry.
func find[T any](r *reader, all *registry[T], ref reference) (T, bool) {
	if e := all.byName[ref.name]; e != nil {
		return e.made, true
	}
	var none T
	if !r.lost(ref.name) {
		names := all.names()
		r.errorf(ref.at, "Unknown "+ref.kind, "There is no %s %q.%s", ref.kind, ref.name, choice(ref.name, nearest(ref.name, names), names))
	}
	return none, false
}

// refer reads an attribute as one reference of the kind that all holds.
func refer[T any](b *body, name, kind string, all *registry[T]) (T, bool) {
	var none T
	attribute := b.attribute(name)
	if attribute == nil {
		return none, false
	}
	ref, ok := b.reference(attribute.Expr, kind)
	if !ok {
		return none, false
	}
	b.put(name, bare{kind + "." + ref.name, ref.name})
	return find(b.reader, all, ref)
}

// serverList reads an attribute as servers: one server or group, or a list of
// them. Each server counts once; without the attribute there are none.
func (b *body) serverList(name string) []*Server {
	attribute := b.attribute(name)
	if attribute == nil {
		return nil
	}
	var all []*Server
	for _, e := range references(attribute.Expr) {
		ref, ok := b.reference(e, "server", "group")
		if !ok {
			continue
		}
		for _, server := range b.members(ref) {
			if !slices.Contains(all, server) {
				all = append(all, server)
			}
		}
	}
	if tuple, ok := attribute.Expr.(*hclsyntax.TupleConsExpr); ok && len(tuple.Exprs) == 0 {
		b.errorf(attribute.Expr.Range(), "Empty list", "%q is an empty list: name at least one server or group.", name)
	}
	b.putServers(name, all)
	return all
}

// putServers notes the servers that an attribute comes to.
func (b *body) putServers(name string, servers []*Server) {
	var all list
	for _, s := range servers {
		all = append(all, bare{"server." + string(s.Name), string(s.Name)})
	}
	b.put(name, all)
}

// references are the elements of a list, or the expression itself.
func references(e hclsyntax.Expression) []hclsyntax.Expression {
	if tuple, ok := e.(*hclsyntax.TupleConsExpr); ok {
		return tuple.Exprs
	}
	return []hclsyntax.Expression{e}
}

// members are the servers a reference leads to.
func (b *body) members(ref reference) []*Server {
	if ref.kind == "group" {
		group, ok := find(b.reader, &b.groups, ref)
		if !ok {
			return nil
		}
		b.readGroup(b.groups.byName[ref.name])
		if !b.grouped[group] {
			b.errorf(ref.at, "Cycle of groups", "The group %q is made of itself: a group holds servers, and groups without a way back to it.", ref.name)
		}
		return group.Servers
	}
	server, ok := find(b.reader, &b.servers, ref)
	if !ok {
		return nil
	}
	return []*Server{server}
}

// duplicate reports a value that belongs to one element only and was taken at
// before.
func (r *reader) duplicate(at hcl.Range, what, value string, before Pos) {
	r.errorf(at, "Address in use", "%s is taken: %s at %s has it already.", value, what, fmt.Sprintf("%s:%d,%d", before.File, before.Line, before.Column))
}
