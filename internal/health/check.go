// Package health decides, on the server itself, whether a slot is fit to serve.
package health

import (
	"time"

	"github.com/org/deploy-action/internal/ask"
	"github.com/org/deploy-action/internal/value"
)

// Check is what a slot must pass. A part that is left empty is not checked; a
// Check without any part passes.
type Check struct {
	Address value.Address     `json:"address"`
	Dir     string            `json:"dir"`             // the slot's folder: Files and Run begin there
	Files   []string          `json:"files,omitempty"` // slash-separated, relative to Dir, none outside of it
	TCP     bool              `json:"tcp,omitempty"`   // Address accepts connections
	HTTP    *HTTP             `json:"http,omitempty"`
	Run     string            `json:"run,omitempty"` // shell command that must exit with 0
	Env     map[string]string `json:"env,omitempty"` // for Run

	Timeout time.Duration `json:"timeout_ns"` // of each part; above 0

	// Of Await only, all above 0.
	Interval     time.Duration `json:"interval_ns,omitempty"`   // from the start of a round to the start of the next
	HealthyAfter int           `json:"healthy_after,omitempty"` // rounds passed in a row
	Deadline     time.Duration `json:"deadline_ns,omitempty"`   // of all rounds together
}

// HTTP is a GET of Path over a connection of its own, without following
// redirects.
type HTTP struct {
	Path       string        `json:"path"`
	Host       string        `json:"host,omitempty"` // Host header; empty: the address
	TLS        ask.TLS       `json:"tls,omitempty"`
	Status     []int         `json:"status,omitempty"` // empty: any 2xx
	Body       string        `json:"body,omitempty"`   // regular expression (RE2) for the first MiB; empty: any
	MaxLatency time.Duration `json:"max_latency_ns,omitempty"`
}

// Verdict is how a check ended. An unhealthy slot is a verdict and no error.
type Verdict struct {
	Healthy bool          `json:"healthy"`
	Rounds  int           `json:"rounds"`
	Passes  int           `json:"passes"` // in a row, at the end
	Took    time.Duration `json:"took_ns"`
	Latency time.Duration `json:"latency_ns,omitempty"` // median of the HTTP answers; 0 without one

	// Reason says in a sentence why the slot is not healthy.
	Reason string `json:"reason,omitempty"`

	// Last is what the last round found, one finding for each part checked. Of
	// an unhealthy slot it is the last round that failed, if one did.
	Last []Finding `json:"last,omitempty"`
}

// Finding is what one part of a check found: "files", "tcp", "http" or "run".
type Finding struct {
	Check string `json:"check"`
	OK    bool   `json:"ok"`
	Text  string `json:"text"`
}
