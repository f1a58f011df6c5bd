package release

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"sync/atomic"

	"github.com/org/deploy-action/internal/machine"
)

// talk is the client's part of the conversation with one machine.
type talk struct {
	name  string
	what  string // for errors
	to    *io.PipeWriter
	from  *bufio.Reader
	cause func() error // why the upload is broken off; nil while it is not
	stop  func() bool
	ended chan struct{}
	bytes atomic.Int64 // that travelled, both ways

	received Received // once ended
	err      error

	newest string // release on the machine, as it has told
}

// begin opens the conversation.
func (u *upload) begin(ctx context.Context, m machine.Machine, d Delivery) *talk {
	fromUs, to := io.Pipe()
	from, toUs := io.Pipe()
	t := &talk{name: m.Name(), what: fmt.Sprintf("ship %s to %s", u.source, d.Layout.Root), to: to, ended: make(chan struct{})}
	t.from = bufio.NewReader(counted{from, &t.bytes})
	t.cause = func() error { return context.Cause(ctx) }
	t.stop = context.AfterFunc(ctx, func() {
		_ = to.CloseWithError(context.Cause(ctx))   // a pipe's Close never fails
		_ = from.CloseWithError(context.Cause(ctx)) // nobody reads what a machine still has to say
	})
	go func() {
		defer close(t.ended)
		t.received, t.err = u.receive(ctx, m, d, fromUs, toUs)
		why := t.err
		if why == nil {
			why = errOver
		}
		_ = fromUs.CloseWithError(why)
		_ = toUs.CloseWithError(why)
	}()
	return t
}

// errOver is met where a machine has ended a conversation too early.
var errOver = errors.New("the upload ended early")

// Write sends to the machine.
func (t *talk) Write(p []byte) (int, error) {
	n, err := t.to.Write(p)
	t.bytes.Add(int64(n))
	return n, t.wrong(err)
}

// wrong is err with the place; nil stays nil.
func (t *talk) wrong(err error) error {
	if err == nil {
		return nil
	}
	if cause := t.cause(); cause != nil && errors.Is(err, io.ErrClosedPipe) {
		err = cause
	}
	return fmt.Errorf("%s: %s: %w", t.name, t.what, err)
}

// end waits for the machine's last word.
func (t *talk) end() error {
	<-t.ended
	t.stop()
	_ = t.to.Close()
	return t.wrong(t.err)
}

func (t *talk) arrival() Arrival {
	return Arrival{Server: t.name, Linked: t.received.Linked, Sent: t.bytes.Load(), Awaited: t.received.Awaited}
}

// counted counts what is read through it.
type counted struct {
	from  io.Reader
	bytes *atomic.Int64
}

func (c counted) Read(p []byte) (int, error) {
	n, err := c.from.Read(p)
	c.bytes.Add(int64(n))
	return n, err
}
