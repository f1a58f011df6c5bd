package ssh

import (
	"context"
	"os"
	"runtime"
	"time"

	"github.com/org/deploy-action/internal/machine"
)

// About is what an agent says of itself.
type About struct {
	Version string    `json:"version"` // of turnout
	OS      string    `json:"os"`      // as Go calls it
	Arch    string    `json:"arch"`
	Host    string    `json:"host"`  // the server's own name
	Clock   time.Time `json:"clock"` // what it takes the time for
}

// Describe is the operation in which an agent of a version says what it is. Who
// asks gives no version.
func Describe(version string) machine.Op[machine.None, About] {
	return machine.Op[machine.None, About]{Name: "agent.describe", Do: func(context.Context, machine.At, machine.None) (About, error) {
		host, err := os.Hostname()
		return About{Version: version, OS: runtime.GOOS, Arch: runtime.GOARCH, Host: host, Clock: time.Now()}, err
	}}
}
