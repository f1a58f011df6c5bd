package agent

import (
	"context"
	"os"
	"runtime"
	"time"

	"github.com/org/deploy-action/internal/machine"
	"github.com/org/deploy-action/internal/version"
)

// About is what an agent says of itself.
type About struct {
	Version string    `json:"version"` // of turnout
	OS      string    `json:"os"`      // as Go calls it
	Arch    string    `json:"arch"`
	Host    string    `json:"host"`  // the server's own name
	Clock   time.Time `json:"clock"` // what it takes the time for
}

// Describe is the operation in which an agent says what it is.
var Describe = machine.Op[machine.None, About]{Name: "agent.describe", Do: func(context.Context, machine.At, machine.None) (About, error) {
	host, err := os.Hostname()
	return About{Version: version.Number, OS: runtime.GOOS, Arch: runtime.GOARCH, Host: host, Clock: time.Now()}, err
}}
