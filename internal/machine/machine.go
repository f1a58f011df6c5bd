// Package machine performs operations on a machine. Every operation is written
// once, as a Go function, and runs on the machine it is about: in-process on the
// machine that runs turnout, through an agent (the same functions) on another.
package machine

import (
	"context"
	"io"
)

// Machine is where operations are performed.
type Machine interface {
	// Name is the server's name in the spec, for messages.
	Name() string

	// Call performs the operation called op with its request as JSON, lets it
	// read what in has, copies what it streams to out, and returns its result
	// as JSON. in may be nil. Ending ctx ends the operation; a read of in that
	// is under way when the operation ends is not waited for.
	Call(ctx context.Context, op string, request []byte, in io.Reader, out io.Writer) ([]byte, error)

	// Close ends the session and with it whatever the session keeps, such as
	// locks.
	Close() error
}

// Op is one operation. Requests and results are plain data that survive JSON.
type Op[Req, Res any] struct {
	Name string // on the wire, "package.verb"
	Do   func(ctx context.Context, at At, request Req) (Res, error)
}

// At is what an operation finds on the machine it runs on.
type At struct {
	Session *Session  // keeps what outlives the call
	In      io.Reader // what the caller streams, at its end where there is nothing; never nil
	Out     io.Writer // what is written here reaches the caller at once; never nil
}
