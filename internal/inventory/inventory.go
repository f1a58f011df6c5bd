// Package inventory writes the servers of a spec as an inventory of Ansible.
//
// The form is Ansible's YAML inventory; the variables are those of its ssh
// connection (docs.ansible.com, "Connecting to hosts: behavioral inventory
// parameters").
package inventory

import (
	"bytes"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/org/deploy-action/internal/secret"
	"github.com/org/deploy-action/internal/spec"
)

// sshPort is what Ansible takes where an inventory names none; a Port of
// ~/.ssh/config counts then, as it does here.
const sshPort = 22

// Write writes every server, group and tag, in the order of the spec: Ansible
// visits servers in that order, too. A tag web becomes the group tag_web. The same
// spec gives the same bytes. Secrets have no place in an inventory; an error says
// which name can't be one of Ansible's, or that a secret would show.
func Write(s *spec.Spec) ([]byte, error) {
	groups, err := gather(s)
	if err != nil {
		return nil, err
	}
	hosts, children := mapping(), mapping()
	for _, server := range s.Servers {
		add(hosts, string(server.Name), variables(server))
	}
	for _, g := range groups {
		add(children, g.name, g.node())
	}
	all := mapping()
	add(all, "hosts", hosts)
	if len(groups) > 0 {
		add(all, "children", children)
	}
	root := mapping()
	add(root, "all", all)
	return encode(root, s.Secrets)
}

// encode is an inventory as text, unless that shows a secret.
func encode(root *yaml.Node, secrets []string) ([]byte, error) {
	var out bytes.Buffer
	encoder := yaml.NewEncoder(&out)
	encoder.SetIndent(2)
	if err := encoder.Encode(root); err != nil {
		return nil, err
	}
	if text := out.String(); secret.New(secrets).String(text) != text {
		return nil, fmt.Errorf("the inventory would show the value of a secret: nothing was written; put no secret into the name, address, user or key file of a server")
	}
	return out.Bytes(), nil
}

// variables are how Ansible reaches a server.
func variables(s *spec.Server) *yaml.Node {
	of := mapping()
	if s.Connection == spec.Local {
		add(of, "ansible_connection", text("local"))
		return of
	}
	add(of, "ansible_host", text(s.Host))
	if s.SSH.Port != sshPort {
		add(of, "ansible_port", scalar("!!int", strconv.Itoa(int(s.SSH.Port))))
	}
	if s.SSH.User != "" {
		add(of, "ansible_user", text(s.SSH.User))
	}
	if s.SSH.IdentityFile != "" {
		add(of, "ansible_ssh_private_key_file", text(s.SSH.IdentityFile))
	}
	if s.SSH.Via != nil {
		add(of, "ansible_ssh_common_args", text("-o ProxyJump="+strings.Join(jumps(s.SSH.Via), ",")))
	}
	if s.SSH.Become {
		add(of, "ansible_become", scalar("!!bool", "true"))
	}
	return of
}

// jumps are the servers to go through, the first hop first, as ssh's ProxyJump
// takes them. Hosts and users are of types that need no quotes.
func jumps(s *spec.Server) []string {
	hop := s.Host
	if strings.Contains(hop, ":") {
		hop = "[" + hop + "]"
	}
	if s.SSH.User != "" {
		hop = s.SSH.User + "@" + hop
	}
	if s.SSH.Port != sshPort {
		hop += ":" + strconv.Itoa(int(s.SSH.Port))
	}
	if s.SSH.Via == nil {
		return []string{hop}
	}
	return append(jumps(s.SSH.Via), hop)
}

// group is a group of Ansible's.
type group struct {
	name    string
	of      string // what it is in the spec, for messages
	servers []*spec.Server
}

// reserved are the groups that Ansible makes itself.
var reserved = []string{"all", "ungrouped"}

// gather lists the groups, then the tags, each under a name that Ansible takes:
// letters, digits and underscores.
func gather(s *spec.Spec) ([]*group, error) {
	var all []*group
	for _, g := range s.Groups {
		all = append(all, &group{underscored(string(g.Name)), fmt.Sprintf("the group %q", g.Name), g.Servers})
	}
	for _, tag := range tags(s) {
		tagged := slices.DeleteFunc(slices.Clone(s.Servers), func(one *spec.Server) bool { return !slices.Contains(one.Tags, tag) })
		all = append(all, &group{"tag_" + underscored(tag), fmt.Sprintf("the tag %q", tag), tagged})
	}
	taken := make(map[string]*group)
	for _, g := range all {
		if slices.Contains(reserved, g.name) {
			return nil, fmt.Errorf("%s: Ansible makes a group %q itself: give this one another name", g.of, g.name)
		}
		if before := taken[g.name]; before != nil {
			return nil, fmt.Errorf("%s and %s would both be Ansible's group %q: give one of them another name", before.of, g.of, g.name)
		}
		taken[g.name] = g
	}
	return all, nil
}

func underscored(name string) string { return strings.ReplaceAll(name, "-", "_") }

// tags are those of all servers, each once.
func tags(s *spec.Spec) []string {
	var all []string
	for _, server := range s.Servers {
		for _, tag := range server.Tags {
			if !slices.Contains(all, tag) {
				all = append(all, tag)
			}
		}
	}
	return all
}

func (g *group) node() *yaml.Node {
	hosts := mapping()
	for _, server := range g.servers {
		add(hosts, string(server.Name), scalar("!!null", "null"))
	}
	of := mapping()
	add(of, "hosts", hosts)
	return of
}

func mapping() *yaml.Node { return &yaml.Node{Kind: yaml.MappingNode} }

func scalar(tag, value string) *yaml.Node {
	return &yaml.Node{Kind: yaml.ScalarNode, Tag: tag, Value: value}
}

// text is a text that stays one: Ansible looks for expressions in every value but
// those marked as unsafe.
func text(value string) *yaml.Node {
	node := scalar("!!str", value)
	node.Style = yaml.DoubleQuotedStyle
	if strings.Contains(value, "{") {
		node.Tag = "!unsafe"
	}
	return node
}

// add adds a member. What YAML 1.1, which Ansible reads, has another meaning for is
// quoted: a server may be called no.
func add(to *yaml.Node, name string, value *yaml.Node) {
	var key yaml.Node
	_ = key.Encode(name) // a string always encodes
	to.Content = append(to.Content, &key, value)
}
