// Package value holds the types of the values that are placed into proxy
// configurations, paths and socket commands.
//
// nginx and HAProxy take almost every byte in almost every place, so nothing is
// ever escaped for them: a value either matches the allow-list of its type or
// is refused. The Parse functions are the only way a text of the spec becomes
// one of these types.
package value

import (
	"fmt"
	"net/netip"
	"regexp"
	"strconv"
	"strings"
)

// Name identifies an environment, a slot, a server or a release: it becomes part
// of upstream names, backend names and file names.
type Name string

// Hostname is a host name of RFC 1123 in lower case, optionally led by "*.".
type Hostname string

// Port is a TCP port, 1 to 65535.
type Port int

// Path is an absolute file path of letters, digits and "._/-", without "..".
type Path string

// URLPath is the path of a URL, as health checks ask it: it begins with "/" and
// has neither query nor fragment.
type URLPath string

// Container is the name or id of a container, as Docker and Podman allow it.
type Container string

// Address is what a proxy connects to or listens on: "10.0.1.11:8081",
// "[::1]:8081" or "unix:/run/shop/blue.sock".
type Address string

var (
	namePattern      = regexp.MustCompile(`\A[a-z][a-z0-9_-]{0,62}\z`)
	hostnamePattern  = regexp.MustCompile(`\A(\*\.)?[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?(\.[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)*\z`)
	pathPattern      = regexp.MustCompile(`\A/[A-Za-z0-9._/-]*\z`)
	containerPattern = regexp.MustCompile(`\A[A-Za-z0-9][A-Za-z0-9_.-]{0,127}\z`)
	urlPathPattern   = regexp.MustCompile(`\A/[A-Za-z0-9._~/-]{0,200}\z`)
)

// maxSocketPath is what HAProxy accepts for a unix socket (sun_path less the
// suffix it appends while binding); nginx would take 107.
const maxSocketPath = 97

// ParseName returns s as a Name.
func ParseName(s string) (Name, error) {
	if !namePattern.MatchString(s) {
		return "", fmt.Errorf("%q is not a name: a lower-case letter, then up to 62 of a-z, 0-9, _ and -", s)
	}
	return Name(s), nil
}

// ParseHostname returns s, in lower case, as a Hostname.
func ParseHostname(s string) (Hostname, error) {
	lower := strings.ToLower(s)
	if len(lower) > 253 || !hostnamePattern.MatchString(lower) {
		return "", fmt.Errorf("%q is not a host name: labels of a-z, 0-9 and - separated by dots (RFC 1123), with *. allowed in front", s)
	}
	return Hostname(lower), nil
}

// ParsePort returns n as a Port.
func ParsePort(n int) (Port, error) {
	if n < 1 || n > 65535 {
		return 0, fmt.Errorf("%d is not a port: 1 to 65535", n)
	}
	return Port(n), nil
}

// ParsePath returns s as a Path. Repeated and trailing slashes are refused along
// with "..": two spellings of one file would pass for two files.
func ParsePath(s string) (Path, error) {
	switch {
	case !strings.HasPrefix(s, "/"):
		return "", fmt.Errorf("%q is not an absolute path", s)
	case !pathPattern.MatchString(s):
		return "", fmt.Errorf("%q is not a path that can be placed in a proxy's configuration: letters, digits, and . _ / - only", s)
	case s != "/" && strings.HasSuffix(s, "/"), strings.Contains(s, "//"):
		return "", fmt.Errorf("%q has an empty path element: write the path without doubled or trailing slashes", s)
	}
	for _, element := range strings.Split(s, "/") {
		if element == ".." || element == "." {
			return "", fmt.Errorf("%q leaves its folder: write the path without %q", s, element)
		}
	}
	return Path(s), nil
}

// ParseSocket returns s as the Path of a unix socket, at most 97 bytes long.
func ParseSocket(s string) (Path, error) {
	p, err := ParsePath(s)
	if err == nil && len(s) > maxSocketPath {
		return "", fmt.Errorf("%q is too long for a unix socket: %d bytes, at most %d", s, len(s), maxSocketPath)
	}
	return p, err
}

// ParseURLPath returns s as a URLPath.
func ParseURLPath(s string) (URLPath, error) {
	if !urlPathPattern.MatchString(s) {
		return "", fmt.Errorf("%q is not a URL path: / and up to 200 letters, digits and . _ ~ / - (no query)", s)
	}
	return URLPath(s), nil
}

// ParseContainer returns s as a Container.
func ParseContainer(s string) (Container, error) {
	if !containerPattern.MatchString(s) {
		return "", fmt.Errorf("%q is not the name of a container: a letter or digit, then letters, digits and . _ -", s)
	}
	return Container(s), nil
}

// TCP is the Address of port on host; host is an IPv4 or IPv6 literal.
func TCP(host string, port Port) (Address, error) {
	ip, err := netip.ParseAddr(host)
	if err != nil || ip.Zone() != "" {
		return "", fmt.Errorf("%q is not an IP address", host)
	}
	return Address(netip.AddrPortFrom(ip, uint16(port)).String()), nil
}

// Unix is the Address of a unix socket.
func Unix(socket Path) Address { return Address("unix:" + string(socket)) }

// Network splits a into what net.Dial takes: "tcp" and "host:port", or "unix"
// and the socket's path.
func (a Address) Network() (network, address string) {
	if socket, ok := strings.CutPrefix(string(a), "unix:"); ok {
		return "unix", socket
	}
	return "tcp", string(a)
}

// ParseListen returns what a proxy listens on, from a port ("80") or an address
// and port ("127.0.0.1:8080", "[::1]:8080").
func ParseListen(s string) (Listen, error) {
	if n, err := strconv.Atoi(s); err == nil {
		port, err := ParsePort(n)
		return Listen{Port: port}, err
	}
	ap, err := netip.ParseAddrPort(s)
	if err != nil || ap.Port() == 0 || ap.Addr().Zone() != "" {
		return Listen{}, fmt.Errorf("%q is not a listener: a port (80) or an IP address with a port (\"127.0.0.1:8080\", \"[::1]:8080\")", s)
	}
	return Listen{Host: ap.Addr().String(), Port: Port(ap.Port())}, nil
}

// Listen is a listener of a proxy. An empty Host means every address.
type Listen struct {
	Host string `json:"host,omitempty"` // an IP literal as netip prints it
	Port Port   `json:"port"`
}

// Local is the address at which this machine reaches the listener.
func (l Listen) Local() Address {
	host := l.Host
	switch host {
	case "", "0.0.0.0":
		host = "127.0.0.1"
	case "::":
		host = "::1"
	}
	return Address(netip.AddrPortFrom(netip.MustParseAddr(host), uint16(l.Port)).String())
}

// String is the listener as the spec writes it.
func (l Listen) String() string {
	if l.Host == "" {
		return strconv.Itoa(int(l.Port))
	}
	return netip.AddrPortFrom(netip.MustParseAddr(l.Host), uint16(l.Port)).String()
}
