package machine

import (
	"context"
	"errors"
	"io/fs"
	"syscall"
)

// failure is an error on the wire: its text, and what callers decide on.
type failure struct {
	Text    string        `json:"text"`
	Errno   syscall.Errno `json:"errno,omitempty"`
	Kinds   []string      `json:"kinds,omitempty"`
	Command *CommandError `json:"command,omitempty"`
}

// kinds are the errors that errors.Is finds again at the other end. Those of the
// system come through as their number.
var kinds = map[string]error{
	"not_exist":  fs.ErrNotExist,
	"exist":      fs.ErrExist,
	"permission": fs.ErrPermission,
	"canceled":   context.Canceled,
	"deadline":   context.DeadlineExceeded,
}

func newFailure(err error) *failure {
	f := &failure{Text: err.Error()}
	errors.As(err, &f.Errno)
	errors.As(err, &f.Command)
	for name, kind := range kinds {
		if errors.Is(err, kind) {
			f.Kinds = append(f.Kinds, name)
		}
	}
	return f
}

// remoteError is an error that an operation had on another machine.
type remoteError struct {
	text   string
	causes []error
}

func (e *remoteError) Error() string   { return e.text }
func (e *remoteError) Unwrap() []error { return e.causes }

// err is the failure as an error again. cause is why the caller's context ended,
// nil while it has not.
func (f *failure) err(cause error) error {
	e := &remoteError{text: f.Text}
	if cause != nil {
		e.causes = append(e.causes, cause)
	}
	if f.Errno != 0 {
		e.causes = append(e.causes, f.Errno)
	}
	if f.Command != nil {
		e.causes = append(e.causes, f.Command)
	}
	for _, name := range f.Kinds {
		if kind, known := kinds[name]; known {
			e.causes = append(e.causes, kind)
		}
	}
	return e
}
