// Package spec reads a deployment spec: HCL text in, plain typed structs out,
// with every reference resolved, every default filled in, and every mistake of
// the file found in one run. Nothing after this package knows HCL.
package spec

import (
	"time"

	"github.com/org/deploy-action/internal/value"
)

// Spec is a whole deployment spec. Slices are in the order of the file;
// pointers lead to the element that a reference names.
type Spec struct {
	File         string // as the user named it, used in messages
	Variables    []Variable
	Servers      []*Server
	Groups       []*Group
	Tasks        []*Task
	Environments []*Environment
	Pipelines    []*Pipeline
	Previews     []*Preview

	// Secrets are the values that must appear in no output: those of sensitive
	// variables and of private keys and passphrases.
	Secrets []string

	normal *normal // what an export is made from
}

// Pos is a place in a spec file. Lines and columns count from 1, columns in
// grapheme clusters; the end is exclusive. The zero Pos means "nowhere".
type Pos struct {
	File      string `json:"file,omitempty"`
	Line      int    `json:"line,omitempty"`
	Column    int    `json:"column,omitempty"`
	EndLine   int    `json:"end_line,omitempty"`
	EndColumn int    `json:"end_column,omitempty"`
}

// Variable is an input of the spec, with the value it has in this run.
type Variable struct {
	Name        string
	Description string
	Sensitive   bool
	Required    bool   // has no default
	Value       string // as text, for display; empty when Sensitive
	Pos         Pos
}

// Connection says how a server is reached.
type Connection string

const (
	SSH   Connection = "ssh"
	Local Connection = "local" // the machine that runs turnout
)

// Server is one machine.
type Server struct {
	Name       value.Name
	Connection Connection
	Host       string // DNS name or IP literal; empty for a local server
	Address    string // IP literal or DNS name that proxies connect to; default Host, 127.0.0.1 for a local one
	Tags       []string
	SSH        SSHOptions
	CallsAWS   bool // for the load balancer of an environment
	Pos        Pos
}

// SSHOptions is how a server is logged in to: the server's own settings over
// those of the ssh block.
type SSHOptions struct {
	User           string
	Port           value.Port
	PrivateKey     string // PEM text; secret
	Passphrase     string // of the key; secret
	IdentityFile   string
	Certificate    string // OpenSSH certificate of the key, the text of a *-cert.pub
	KnownHosts     string // known_hosts text, or the path of such a file
	Fingerprint    string // SHA256:…
	Via            *Server
	Become         bool
	Agent          string // path of a preinstalled agent
	ConnectTimeout time.Duration
}

// Group is a set of servers, by name, by tag, or both.
type Group struct {
	Name    value.Name
	Servers []*Server // those listed, then those with one of the tags, each once
	Pos     Pos
}

// Strategy is the order in which a task visits its servers.
type Strategy string

const (
	Parallel   Strategy = "parallel"
	Sequential Strategy = "sequential"
	Rolling    Strategy = "rolling"
)

// OnFailure says what a failure does to what comes after it.
type OnFailure string

const (
	Stop     OnFailure = "stop"
	Continue OnFailure = "continue"
	Ignore   OnFailure = "ignore"
)

// Quantity is a number or a percentage of a whole.
type Quantity struct {
	Number  int
	Percent bool
}

// Task is a command run on servers.
type Task struct {
	Name        value.Name
	Target      []*Server
	Run         string
	Env         map[string]string
	Strategy    Strategy
	Batch       Quantity // rolling only
	Pause       time.Duration
	OnFailure   OnFailure
	MaxFailures Quantity
	Timeout     time.Duration // per server
	Retry       Retry
	Pos         Pos
}

// KeepPrevious says what becomes of the slot that served before.
type KeepPrevious string

const (
	Warm        KeepPrevious = "warm" // left running: rollback is one flag
	StopDrained KeepPrevious = "stop" // stopped once it has drained
)

// Environment is an application with two slots behind a proxy.
type Environment struct {
	Name         value.Name
	Servers      []*Server
	Root         value.Path
	StateDir     value.Path
	KeepReleases int
	Shared       []string // slash-separated, relative to a release
	Slots        []*Slot  // exactly two, in the order of the file
	Health       Health
	Proxies      []*Proxy // at least one
	Drain        time.Duration
	Watch        time.Duration // how long the new slot is watched before the commit point
	Probe        int           // requests per second of the built-in prober; 0 is off
	KeepPrevious KeepPrevious
	LockTimeout  time.Duration
	StartTimeout time.Duration // of each start and stop command
	Split        *Split        // what canaries of its deploy blocks ask for; nil: none has one
	Pos          Pos
}

// Slot is one of the two places a release can live in. Exactly one of Port and
// Socket is set. Start, Stop, Logs and HealthRun are the environment's commands
// with this slot's values in place; empty when there is none.
type Slot struct {
	Name      value.Name
	Port      value.Port
	Socket    value.Path
	Start     string
	Stop      string
	Logs      string // prints what the application has logged; empty: what start and stop put out is shown
	HealthRun string
	Pos       Pos
}

// Health says when a slot is fit to serve.
type Health struct {
	Files        []string // slash-separated, relative to the release
	TCP          bool     // the slot's address accepts connections
	HTTP         *HTTPCheck
	Interval     time.Duration
	Timeout      time.Duration // of one check
	HealthyAfter int           // consecutive passes
	Deadline     time.Duration
	Pos          Pos
}

// HTTPCheck asks a path of the slot, without following redirects.
type HTTPCheck struct {
	Path       value.URLPath
	Host       string // Host header; default the proxy's hostname, else the address
	Status     []int  // empty: any 2xx
	Body       string // regular expression (RE2); empty: any
	MaxLatency time.Duration
	Pos        Pos
}

// ProxyKind names a load balancer's dialect.
type ProxyKind string

const (
	NGINX   ProxyKind = "nginx"
	HAProxy ProxyKind = "haproxy"
	AWSELB  ProxyKind = "aws_elb"
)

// Proxy is a load balancer in front of an environment or a preview.
type Proxy struct {
	Kind      ProxyKind
	Servers   []*Server // default: the local machine
	Listen    value.Listen
	TLS       *TLS            // nil: plain HTTP
	Hostname  value.Hostname  // empty: any
	Config    value.Path      // the file we own; empty for previews behind nginx, which have one each
	Configs   value.Path      // directory of those files
	Main      value.Path      // the proxy's main file, read before Config
	Template  string          // path of a template of the user's; empty: built in
	Socket    value.Path      // HAProxy's stats socket
	ErrorLog  value.Path      // where the proxy says why it refused a reload
	Access    value.Path      // nginx: log of the requests to the site; empty: where the main file says, and nowhere for a canary
	Container value.Container // that the proxy runs in; empty: none
	Check     string          // shell command; empty: built in
	Reload    string          // shell command; empty: built in
	Balancer  *Balancer       // of AWS; nil for a proxy on a machine
	Pos       Pos
}

// TLS is how a proxy's listener encrypts. The paths are as the proxy sees them.
type TLS struct {
	Certificate value.Path // with its chain; empty: the user's template names it
	Key         value.Path // empty: in the certificate's file or, for HAProxy, beside it
	HTTP2       bool
	Redirect    value.Port // also listens here, in plain HTTP, and sends clients to the TLS listener; 0: not
}

// Balancer is the part of an Application Load Balancer that an environment is
// behind. The one server of its proxy is the one that calls AWS.
type Balancer struct {
	Resource  value.ARN                // a listener, whose default action is meant, or a rule
	Groups    map[value.Name]value.ARN // target group of each slot
	Instances map[value.Name]string    // ID by server; nil: targets are addresses
	Endpoint  string                   // URL of the API; empty: that of AWS
}

// Pipeline is a graph of stages.
type Pipeline struct {
	Name        value.Name
	MaxParallel int // default: the number of CPUs
	FailFast    bool
	Stages      []*Stage
	Artifacts   []*Artifact
	Rollbacks   []*Rollback
	Pos         Pos
}

// Stage is one node of a pipeline. Exactly one of Run, Deploy and Task is set.
type Stage struct {
	Name      value.Name
	Type      string // label for reports
	Needs     []*Stage
	Matrix    map[string][]string
	When      *Condition // nil: always
	Run       *Text
	Deploy    *Deploy
	Task      *Task
	Env       map[string]*Text
	Dir       string        // working directory relative to the workspace
	Timeout   time.Duration // 0: none, for a task
	Retry     Retry
	OnFailure OnFailure
	Pos       Pos
}

// Retry says how often and at what distance something is tried again.
type Retry struct {
	Attempts   int           // beyond the first
	Backoff    time.Duration // × attempt, ±20 %
	BackoffMax time.Duration // 0: no bound
}

// Deploy moves an environment to a release, or back.
type Deploy struct {
	Environment *Environment
	Release     string // directory or archive; empty only in a rollback
	Canary      *Canary
	Pos         Pos
}

// Canary is a rollout by steps.
type Canary struct {
	Split
	Steps    []CanaryStep
	Deadline time.Duration // from the first step on
	// Synthetic is how many requests a second each proxy is sent beside those of
	// clients; 0: none.
	Synthetic     int
	SyntheticPath value.URLPath // that they ask for; empty: that of the health check, or "/"
	Analysis      *Analysis
	Pos           Pos
}

// Split says how requests are told apart while two releases serve.
type Split struct {
	Sticky  string // "none", "cookie" or "client_ip"
	Preview bool   // the header X-Turnout-Slot chooses the slot
}

// CanaryStep is a share of the traffic, in percent, and how long it is held.
type CanaryStep struct {
	Weight int
	Hold   time.Duration
	Pos    Pos
}

// Analysis says how a canary is judged.
type Analysis struct {
	Source          string // "proxy", "run" or "prometheus"
	Run             string // shell command of "run"
	Prometheus      *Prometheus
	Interval        time.Duration
	MinRequests     int
	MaxErrorRate    float64 // percent
	MaxLatencyRatio float64
	Failures        int
	OnInsufficient  OnInsufficient
	Pos             Pos
}

// Prometheus is a server that tells figures of both releases.
type Prometheus struct {
	Address            string // of its API, without a trailing slash
	Token              string // secret; empty: none
	Username, Password string // the password is secret
	Metrics            []*Metric
}

// Metric is a query that is asked for either release, and what it may be.
type Metric struct {
	Name  value.Name
	Query string // for an example
	Limits
	Pos Pos
	of  func(slot value.Name, release string) (string, error)
}

// Limits are what the value of a metric may be; nil: anything. A value beyond Max is
// good as long as it is not beyond MaxRatio times that of the old release, where
// both are given; so it is with Min and MinRatio. Below Enough it says nothing.
type Limits struct{ Max, MaxRatio, Min, MinRatio, Enough *float64 }

// OnInsufficient says what becomes of a canary that too few requests reach.
type OnInsufficient string

const (
	AbortUnproven   OnInsufficient = "abort"
	PromoteUnproven OnInsufficient = "promote"
)

// Artifact is what a run keeps of its workspace once it has ended.
type Artifact struct {
	Name     value.Name
	Patterns []string   // globs relative to the workspace; one with "!" in front leaves out
	When     *Condition // nil: the run succeeded
	Keep     int        // newest runs
	Required bool
	Pos      Pos
}

// Rollback is what happens after a run that failed or was cancelled. Exactly one
// of Run and Deploy is set.
type Rollback struct {
	Name    value.Name
	When    *Condition
	Run     *Text
	Env     map[string]*Text
	Deploy  *Deploy
	Timeout time.Duration
	Pos     Pos
}

// Preview is an environment per pull request.
type Preview struct {
	Name         value.Name
	Server       *Server
	Ports        [2]value.Port
	Release      string // directory or archive; empty: the command line says it
	TTL          time.Duration
	Max          int        // previews at a time
	StateDir     value.Path // on the server and on every proxy's
	StartTimeout time.Duration
	Health       Health
	Proxy        *Proxy
	Domain       value.Hostname // "*." and what all host names end in
	Deferred     []string       // attributes that depend on the pull request
	Pos          Pos

	of func(number int, port value.Port) (Instance, error)
}
