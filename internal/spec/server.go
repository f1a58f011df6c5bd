package spec

import (
	"cmp"
	"net/netip"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/hashicorp/hcl/v2/hclsyntax"

	"github.com/org/deploy-action/internal/value"
)

// loginAttributes are those of the ssh block, which every server may override.
var loginAttributes = []string{
	"user", "port", "private_key", "passphrase", "identity_file", "certificate", "known_hosts", "fingerprint", "via", "become",
	"agent", "connect_timeout",
}

var (
	sshShape    = shape{attributes: loginAttributes}
	serverShape = shape{
		labels:     []string{"name"},
		attributes: append([]string{"host", "address", "tags", "connection"}, loginAttributes...),
	}
	groupShape = shape{labels: []string{"name"}, attributes: []string{"servers", "tags"}}
)

// The defaults of a login: sshd's port (IANA), and how long a handshake may take.
const (
	sshPort        = 22
	connectTimeout = 10 * time.Second
)

// readSSH reads the defaults of every login.
func (r *reader) readSSH(root *hclsyntax.Body) {
	r.defaults = SSHOptions{Port: sshPort, ConnectTimeout: connectTimeout}
	if b := r.single(root, "ssh", sshShape); b != nil {
		r.defaults, r.ssh = b.login(r.defaults), b.form
	}
}

// login reads the attributes of a login over the defaults.
func (b *body) login(defaults SSHOptions) SSHOptions {
	o := defaults
	o.User = parsed(b, "user", users, o.User)
	o.Port = value.Port(b.integer("port", anyPort, int(o.Port)))
	o.PrivateKey = b.secret("private_key", o.PrivateKey)
	o.Passphrase = b.secret("passphrase", o.Passphrase)
	o.IdentityFile = b.textOr("identity_file", o.IdentityFile, plain)
	o.Certificate = b.textOr("certificate", o.Certificate, login)
	o.KnownHosts = b.textOr("known_hosts", o.KnownHosts, login)
	o.Fingerprint = parsed(b, "fingerprint", fingerprints, o.Fingerprint)
	o.Become = b.flag("become", o.Become)
	o.Agent = string(parsed(b, "agent", paths, value.Path(o.Agent)))
	o.ConnectTimeout = b.duration("connect_timeout", tick, o.ConnectTimeout)
	if via, ok := refer(b, "via", "server", &b.servers); ok {
		o.Via = via
	}
	for _, name := range loginAttributes {
		if b.ssh != nil {
			b.follow(name, b.ssh.terms[name])
		}
	}
	return o
}

// secret reads an attribute whose value must appear in no output.
func (b *body) secret(name, fallback string) string {
	s, ok := b.text(name, login)
	if !ok {
		return fallback
	}
	b.keep(b.attribute(name).Expr)
	if s != "" && !slices.Contains(b.spec.Secrets, s) {
		b.spec.Secrets = append(b.spec.Secrets, s)
	}
	return s
}

var (
	users        = kind[string]{"Invalid user name", login, parseUser}
	fingerprints = kind[string]{"Invalid fingerprint", plain, parseFingerprint}
	addresses    = kind[string]{"Invalid address", plain, parseAddress}
)

// userPattern is what useradd(8) takes, with capitals and dots as directories
// have them.
var userPattern = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`\A[A-Za-z_][A-Za-z0-9_.-]{0,31}\z`)
})

func parseUser(s string) (string, error) {
	if !userPattern().MatchString(s) {
		return "", refusal("%q is not a user name: a letter or _, then up to 31 letters, digits and _ . -", s)
	}
	return s, nil
}

// fingerprintPattern is a SHA-256 in unpadded base64, as ssh-keygen -l prints it.
var fingerprintPattern = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`\ASHA256:[A-Za-z0-9+/]{43}\z`)
})

func parseFingerprint(s string) (string, error) {
	if !fingerprintPattern().MatchString(s) {
		return "", refusal("%q is not a fingerprint: SHA256: and 43 characters, as ssh-keygen -lf prints it", s)
	}
	return s, nil
}

// parseAddress takes a DNS name or an IP literal.
func parseAddress(s string) (string, error) {
	if ip, err := netip.ParseAddr(s); err == nil && ip.Zone() == "" {
		return ip.String(), nil
	}
	host, err := value.ParseHostname(s)
	if err != nil || strings.HasPrefix(s, "*") {
		return "", refusal("%q is neither a host name (labels of a-z, 0-9 and - separated by dots) nor an IP address", s)
	}
	return string(host), nil
}

// readServers reads the server blocks and checks the jumps between them.
func (r *reader) readServers() {
	for _, e := range r.servers.entries {
		r.readServer(e.made, r.open(e.block, serverShape))
	}
	r.spec.Servers = r.servers.in()
	if e := r.servers.byName["local"]; e != nil {
		r.useLocal(e)
	}
	r.checkJumps()
}

func (r *reader) readServer(s *Server, b *body) {
	s.Connection = oneOf(b, "connection", SSH, SSH, Local)
	s.Tags = b.tags()
	s.Host = parsed(b, "host", addresses, "")
	s.SSH = b.login(r.defaults)
	if s.SSH.Via == s && b.attribute("via") == nil {
		s.SSH.Via = nil // the jump host of the ssh block itself
		b.leave("via")
	}
	s.Address = parsed(b, "address", addresses, cmp.Or(s.Host, "127.0.0.1"))
	b.follow("address", b.form.terms["host"])
	if s.Connection == Local {
		s.SSH = SSHOptions{}
		b.leave(loginAttributes...)
		b.checkLocal()
		return
	}
	if !b.given("host") {
		b.missing("host")
	}
}

// checkLocal reports what a server without SSH has no use for.
func (b *body) checkLocal() {
	for _, name := range append([]string{"host"}, loginAttributes...) {
		if attribute := b.attribute(name); attribute != nil {
			b.errorf(attribute.NameRange, "Attribute without effect", "%s is this machine (connection = \"local\"), which nobody logs in to: leave %q out.", b.name, name)
		}
	}
}

// useLocal makes the server called local the one that defaults name.
func (r *reader) useLocal(e *entry[*Server]) {
	if e.made.Connection == Local {
		r.local = e.made
		return
	}
	r.errorf(labelRange(e.block), "Reserved name", "\"local\" is the machine that runs turnout: give this server another name, or connection = \"local\".")
}

// checkJumps reports servers that are reached by way of each other.
func (r *reader) checkJumps() {
	via := func(name string) []string {
		if jump := r.servers.byName[name].made.SSH.Via; jump != nil && r.servers.byName[string(jump.Name)] != nil {
			return []string{string(jump.Name)}
		}
		return nil
	}
	for _, cycle := range cycles(r.servers.names(), via) {
		var steps []step
		for _, name := range cycle {
			steps = append(steps, step{"server." + name, labelRange(r.servers.byName[name].block)})
		}
		r.reportCycle("Cycle of jump hosts", "goes via", steps)
	}
}

// tags reads the tags of a server or a group; each is a name.
func (b *body) tags() []string {
	var all []string
	for _, it := range b.items("tags") {
		if _, err := value.ParseName(it.text); err != nil {
			b.errorf(it.at, "Invalid name", "%s", err)
			continue
		}
		all = append(all, it.text)
	}
	return all
}

// readGroups fills the groups with their servers.
func (r *reader) readGroups() {
	r.grouped = map[*Group]bool{}
	for _, e := range r.groups.entries {
		r.readGroup(e)
	}
	r.spec.Groups = r.groups.in()
}

// readGroup reads a group, once, after the groups that it is made of.
func (r *reader) readGroup(e *entry[*Group]) {
	g := e.made
	if _, begun := r.grouped[g]; begun {
		return
	}
	r.grouped[g] = false
	defer func() { r.grouped[g] = true }()
	b, before := r.open(e.block, groupShape), len(r.problems)
	g.Servers = b.serverList("servers")
	tags := b.items("tags")
	for _, tag := range tags {
		g.Servers = append(g.Servers, b.tagged(tag, g.Servers)...)
	}
	if b.attribute("servers") == nil && len(tags) == 0 && len(r.problems) == before {
		b.missing("servers")
	}
	b.leave("tags")
	b.putServers("servers", g.Servers)
}

// tagged are the servers with a tag that are not among those before.
func (b *body) tagged(tag item, before []*Server) []*Server {
	var found []*Server
	var known []string
	for _, server := range b.spec.Servers {
		known = append(known, server.Tags...)
		if slices.Contains(server.Tags, tag.text) && !slices.Contains(before, server) {
			found = append(found, server)
		}
	}
	if !slices.Contains(known, tag.text) && !b.lost(tag.text) {
		slices.Sort(known)
		known = slices.Compact(known)
		b.errorf(tag.at, "Unknown tag", "No server has the tag %q.%s", tag.text, choice(tag.text, nearest(tag.text, known), known))
	}
	return found
}
