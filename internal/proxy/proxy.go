// Package proxy makes nginx or HAProxy serve one of two slots, and can say which
// one it serves.
//
// The rendered configuration holds both slots at all times. Which one receives
// requests is decided per request by a selector beside the configuration: for
// nginx a link that is there or not, for HAProxy a one-line map file that is
// changed by its Runtime API in the same step. A switch therefore needs no reload;
// a reload happens only when the rendered body changes, before traffic moves.
// The body of a canary also knows shares between none and all of the requests,
// see Share.
package proxy

import (
	"time"

	"github.com/org/deploy-action/internal/ask"
	"github.com/org/deploy-action/internal/elb"
	"github.com/org/deploy-action/internal/protocol"
	"github.com/org/deploy-action/internal/value"
)

// Kind names a proxy's dialect.
type Kind string

const (
	NGINX   Kind = "nginx"
	HAProxy Kind = "haproxy"
)

// Site is one environment as one proxy host serves it: all that a configuration
// is rendered from and all that is needed to put it to work.
type Site struct {
	Env       value.Name      `json:"env"`
	Kind      Kind            `json:"kind"`
	Listen    value.Listen    `json:"listen"`
	TLS       *TLS            `json:"tls,omitempty"`      // nil: plain HTTP
	Hostname  value.Hostname  `json:"hostname,omitempty"` // empty: any
	Pools     []Pool          `json:"pools"`              // two, sorted by slot name
	Config    value.Path      `json:"config"`             // the file we own
	Main      value.Path      `json:"main"`               // the proxy's main file
	Socket    value.Path      `json:"socket,omitempty"`   // HAProxy's stats socket
	ErrorLog  value.Path      `json:"error_log,omitempty"`
	StateDir  value.Path      `json:"state_dir"`
	Container value.Container `json:"container,omitempty"` // that the proxy runs in; empty: none
	Check     string          `json:"check,omitempty"`     // shell command; empty: built in
	Reload    string          `json:"reload,omitempty"`    // shell command; empty: built in

	// Template is the text of a template of the user's, with its name for
	// messages; empty for the built-in one.
	Template     string `json:"template,omitempty"`
	TemplateName string `json:"template_name,omitempty"`

	// Routes are host names that a HAProxy leads to a backend each, beside the pools;
	// only a template of its own shows them.
	Routes []Route `json:"routes,omitempty"`

	// Balancer is the load balancer of AWS that a site of that kind is behind, and
	// Epoch the run's that may write there: it has no lock and no state directory.
	Balancer *elb.Balancer  `json:"balancer,omitempty"`
	Epoch    protocol.Epoch `json:"epoch,omitzero"`

	// Canary asks for a body that can split traffic; nil: all or nothing.
	Canary *Canary `json:"canary,omitempty"`

	// AccessLog is where nginx logs requests to the site, in its combined format.
	// Empty: where the main file says, but nowhere for the body of a canary: that has
	// the log that Counters reads, and a server with a log of its own has no part in
	// those of the main file.
	AccessLog value.Path `json:"access_log,omitempty"`

	// Version is the proxy's, as Live.Version tells it. It only says which
	// directives may be used; unknown ("") leaves out those not every version has.
	Version string `json:"version,omitempty"`
	// IPv6 is whether the machine has IPv6, as Live.IPv6 tells it. Without it,
	// a listener for every address is one for those of IPv4.
	IPv6 bool `json:"ipv6,omitempty"`
}

// TLS says how the listener encrypts. The proxy reads the files itself, and
// protocols and ciphers are those of its own settings. With a template of the
// user's every field may be empty: then it only says how to ask the listener.
type TLS struct {
	Certificate value.Path `json:"certificate,omitempty"` // with its chain
	Key         value.Path `json:"key,omitempty"`         // nginx; empty: in the certificate's file
	HTTP2       bool       `json:"http2,omitempty"`
	// Redirect is a port on which plain HTTP is sent to the TLS listener; 0: none.
	Redirect value.Port `json:"redirect,omitempty"`
}

// Place names what a configuration is written to: a file, or a listener or rule of
// AWS.
func (s Site) Place() string {
	if s.Balancer != nil {
		return s.Balancer.Resource.Resource()
	}
	return string(s.Config)
}

// Canary says how a body splits traffic. It says nothing of shares: one body
// serves every share, of either slot.
type Canary struct {
	Sticky Sticky `json:"sticky"`
	// Preview lets a client choose its slot by the header X-Turnout-Slot.
	Preview bool `json:"preview,omitempty"`
}

// Sticky is what the slot of a request in a split depends on. A client that has
// been at the new slot stays there while the share of that slot only grows.
type Sticky string

const (
	StickyNone     Sticky = "none"      // chance, request by request
	StickyCookie   Sticky = "cookie"    // a random cookie, set where there is none
	StickyClientIP Sticky = "client_ip" // the address of the client
)

// Pool is a slot and the addresses that serve it.
type Pool struct {
	Slot      value.Name      `json:"slot"`
	Addresses []value.Address `json:"addresses"`
}

// Route leads one host name to one server.
type Route struct {
	Backend  value.Name     `json:"backend"`
	Hostname value.Hostname `json:"hostname"`
	Address  value.Address  `json:"address"`
}

// Rendered is a configuration ready to be installed.
type Rendered struct {
	ID   string `json:"id"`   // hash of what it was rendered from; the running proxy answers it
	Body string `json:"body"` // without the header
}

// Header is the first line of the file we own. It is the state: what is in the
// slots can be read from the file that makes the proxy serve them.
type Header struct {
	Schema     int                   `json:"schema"`
	Env        value.Name            `json:"env"`
	Generation int                   `json:"generation"` // rises by one with each write
	ID         string                `json:"id"`         // of the body, see Rendered
	Sum        string                `json:"sum"`        // sha256 of the body, hex
	Releases   map[value.Name]string `json:"releases"`   // by slot, or by backend of a Route; absent: empty slot
	Pools      []Pool                `json:"pools"`
	Canary     *Canary               `json:"canary,omitempty"` // how the body splits traffic; nil: it can't
}

// Live is what a proxy host has and serves.
type Live struct {
	Exists  bool       `json:"exists"`           // the file is there
	Header  *Header    `json:"header,omitempty"` // nil: no header, or not readable
	Body    string     `json:"body"`
	Edited  bool       `json:"edited"`            // the body does not match its header
	Active  value.Name `json:"active,omitempty"`  // by the selector on disk; empty without our file
	Share   int        `json:"share,omitempty"`   // percent of requests that go to the other slot than Active
	Running *Answer    `json:"running,omitempty"` // what the running proxy says; nil: no answer
	Trouble string     `json:"trouble,omitempty"` // why Running is nil
	Version string     `json:"version,omitempty"` // of the installed proxy, such as "1.22.1"; empty: not to be found
	IPv6    bool       `json:"ipv6,omitempty"`    // the machine can listen on IPv6
	Stopped string     `json:"stopped,omitempty"` // why the proxy is known not to run; empty: it runs, or that can't be told
	Door    *Door      `json:"door,omitempty"`    // of a load balancer; nil: Site.Listen says it
}

// Door is where the clients of a load balancer come in.
type Door struct {
	Address value.Address `json:"address"` // its DNS name, and the port
	TLS     ask.TLS       `json:"tls,omitempty"`
	Login   bool          `json:"login,omitempty"` // clients have to authenticate before they get to a slot
}

// Answer is what a running proxy says of itself at the proof path.
type Answer struct {
	ID    string     `json:"id"`
	Slot  value.Name `json:"slot"`
	Share int        `json:"share,omitempty"` // percent of requests that go to the other slot
}

// Install is a request to put a configuration in place. Traffic stays where it
// is: Active is what the selector must say before and after.
type Install struct {
	Site     Site                  `json:"site"`
	Rendered Rendered              `json:"rendered"`
	Releases map[value.Name]string `json:"releases"`
	Active   value.Name            `json:"active"`
	Expect   int                   `json:"expect"` // generation found by Inspect; 0: no file
}

// Installed is what Install did.
type Installed struct {
	Generation int  `json:"generation"`
	Reloaded   bool `json:"reloaded"` // the body changed, and the new one was proven to serve
	// Previous is the whole former file and lets Restore put it back; nil when
	// there was none.
	Previous []byte `json:"previous,omitempty"`
	// Saved is where a file that was edited by hand, or not ours, was copied
	// before it was replaced; empty when there was nothing to save.
	Saved string `json:"saved,omitempty"`
}

// Restoration is a request to take an Install back.
type Restoration struct {
	Site Site `json:"site"`
	// Previous is the file to put back, as Installed has it. When it is nil, the
	// copy that Install kept is used; where there was no file, ours is removed.
	Previous []byte     `json:"previous,omitempty"`
	Active   value.Name `json:"active"` // what the selector must say; empty: leave it
	// Expect is the generation to take back. Nothing is done where it is not the
	// live one, so that taking back twice is harmless.
	Expect int `json:"expect"`
}

// Restored is what Restore did.
type Restored struct {
	Restored bool `json:"restored"` // false: the generation was not the live one
	Reloaded bool `json:"reloaded"`
}

// Verified is a configuration found good.
type Verified struct {
	Way  Way           `json:"way"`
	Took time.Duration `json:"took_ns"`
}

// Way is how a configuration was shown to the proxy's own check.
type Way string

const (
	// InNamespace: in a mount namespace of its own; nobody else saw the file.
	InNamespace Way = "private mount namespace"
	// InPlace: put there for the time of the check, then put back. The running
	// proxy reads its files only when it is told to.
	InPlace Way = "swapped in and back"
	// ByReading: a load balancer of AWS tells what it would take; it has no check.
	ByReading Way = "compared with what AWS tells"
)

// Selected is a switch that was proven.
type Selected struct {
	From      value.Name `json:"from"` // what the selector said before
	FromShare int        `json:"from_share,omitempty"`
	// Took is the time from the order to the first request, of those that
	// prove it, that was answered by the slot.
	Took time.Duration `json:"took_ns"`
	// Ago is how long that answer was ago when Select returned.
	Ago time.Duration `json:"ago_ns"`
}

// Flow asks for the connections a proxy has to a slot.
type Flow struct {
	Site Site       `json:"site"`
	Slot value.Name `json:"slot"`
}

// Open is a number of connections.
type Open struct {
	Connections int `json:"connections"`
	// Uncounted says that there is no telling: a load balancer of AWS does not.
	Uncounted bool `json:"uncounted,omitempty"`
}

// Selection is a request to send all requests to a slot.
type Selection struct {
	Site Site       `json:"site"`
	Slot value.Name `json:"slot"`

	// Stay keeps what could be done where the rest fails: that slot is right, and
	// the one that requests go to now is not.
	Stay bool `json:"stay,omitempty"`

	// Unready takes a slot that takes no requests, as none does.
	Unready bool `json:"unready,omitempty"`
}

// Portion is a request to send a share of all requests to a slot.
type Portion struct {
	Site    Site       `json:"site"`
	Slot    value.Name `json:"slot"`
	Percent int        `json:"percent"` // 0 to 100

	stay, unready bool // see Selection
}
