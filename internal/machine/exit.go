package machine

import (
	"fmt"
	"strings"
	"time"
)

// Exit is how a command ended.
type Exit struct {
	Code     int           `json:"code"`             // 128 + signal, as a shell has it, where a signal ended it
	Signal   string        `json:"signal,omitempty"` // its name, such as "killed"
	TimedOut bool          `json:"timed_out,omitempty"`
	Took     time.Duration `json:"took_ns"`
	Tail     []string      `json:"tail,omitempty"` // last lines of the output, at most 50
}

// Err is nil for a command that ended by itself with status 0 and a
// *CommandError otherwise. The caller puts the command's name in front.
func (e Exit) Err() error {
	if e.Code == 0 && !e.TimedOut {
		return nil
	}
	return &CommandError{Exit: e}
}

// CommandError is a command that did not succeed.
type CommandError struct {
	Exit Exit `json:"exit"`
}

// shownTail is how many of a command's last lines its error shows.
const shownTail = 5

// Error says how the command ended, with its last lines beneath.
func (e *CommandError) Error() string {
	var b strings.Builder
	b.WriteString(e.Exit.how())
	for _, line := range e.Exit.Tail[max(0, len(e.Exit.Tail)-shownTail):] {
		b.WriteString("\n    " + line)
	}
	return b.String()
}

func (e Exit) how() string {
	switch {
	case e.TimedOut:
		return fmt.Sprintf("timed out after %s", e.Took.Round(100*time.Millisecond))
	case e.Signal != "":
		return "ended by signal: " + e.Signal
	}
	return fmt.Sprintf("exit status %d", e.Code)
}
