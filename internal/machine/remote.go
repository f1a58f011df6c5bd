package machine

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"sync"
	"sync/atomic"
)

// ErrLost is the connection to an agent that ended while it was needed. What the
// agent was doing is ended by the agent; whether it was done is not known.
var ErrLost = errors.New("connection to the agent lost")

// Remote is a machine reached through an agent on it.
type Remote struct {
	name string
	to   io.WriteCloser
	out  *frameWriter
	done chan struct{} // closed when the agent says no more

	turnout string      // version of the agent's program; fixed once it has greeted
	broken  atomic.Bool // a call was lost

	mu    sync.Mutex
	last  uint32
	calls map[uint32]*call
	cause error // why done is closed
}

// call is a call that waits for its last frame.
type call struct {
	id     uint32
	input  *outlet
	output *inlet
	last   chan frame // holds one
}

// Dial greets the agent that serves at the other ends of from and to, and
// returns its machine. Closing the machine closes to and waits for the end of
// from; that and everything else about the connection stays with the caller.
func Dial(ctx context.Context, name string, from io.Reader, to io.WriteCloser) (*Remote, error) {
	r := &Remote{
		name: name, to: to, out: &frameWriter{w: to},
		done: make(chan struct{}), calls: make(map[uint32]*call),
	}
	in := bufio.NewReaderSize(from, 2*maxChunk)
	greeted := make(chan error, 1)
	go func() {
		hello, err := greet(in)
		r.turnout = hello.Turnout
		greeted <- err
		if err == nil {
			go r.beat(hello.Lease)
			r.listen(in)
		}
	}()
	select {
	case err := <-greeted:
		if err == nil {
			return r, nil
		}
		return nil, errors.Join(fmt.Errorf("%s: agent: %w", name, err), to.Close())
	case <-ctx.Done():
		return nil, errors.Join(fmt.Errorf("%s: agent: no greeting: %w", name, context.Cause(ctx)), to.Close())
	}
}

// greet reads the agent's greeting.
func greet(from io.Reader) (greeting, error) {
	f, err := readFrame(from)
	if err != nil {
		return greeting{}, fmt.Errorf("no greeting: %w", err)
	}
	var hello greeting
	if err := json.Unmarshal(f.Body, &hello); err != nil || f.Kind != frameHello {
		return greeting{}, fmt.Errorf("no greeting, but %q", f.Body)
	}
	if hello.Version != protocolVersion {
		return greeting{}, fmt.Errorf("speaks version %d of the protocol, this turnout version %d: install the same version on both", hello.Version, protocolVersion)
	}
	if hello.Lease <= 0 {
		hello.Lease = DefaultLease
	}
	return hello, nil
}

// Turnout is the version of turnout that the agent is of; empty where it did not say.
func (r *Remote) Turnout() string { return r.turnout }

// Name is the name given to Dial.
func (r *Remote) Name() string { return r.name }

// Call has the agent perform an operation; see Machine. Once ctx has ended it
// still waits for the agent to end the operation.
func (r *Remote) Call(ctx context.Context, op string, request []byte, in io.Reader, out io.Writer) ([]byte, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	c := r.register()
	defer r.forget(c)
	head := callHead{Op: op, Request: request, Input: in != nil}
	if err := r.out.write(message(frameCall, c.id, head)); err != nil {
		return nil, r.lost(op, err)
	}
	copied := make(chan struct{})
	go func() {
		defer close(copied)
		c.copyOutput(out)
	}()
	if in != nil {
		go c.input.feed(in, cancel)
	}
	f, err := r.await(ctx, op, c)
	<-copied
	if err != nil || f.Kind == frameResult {
		return f.Body, err
	}
	return nil, failed(f, context.Cause(ctx))
}

// copyOutput copies the output to its end. As on the local machine, a listener
// that has gone stops nothing.
func (c *call) copyOutput(out io.Writer) {
	_, _ = io.Copy(out, c.output)
	_, _ = io.Copy(io.Discard, c.output)
}

// await waits for the last frame of a call.
func (r *Remote) await(ctx context.Context, op string, c *call) (frame, error) {
	ended := ctx.Done()
	for {
		select {
		case f := <-c.last:
			return f, nil
		case <-ended:
			ended = nil
			_ = r.out.write(frame{Kind: frameCancel, Call: c.id}) // a lost connection cancels as well
		case <-r.done:
			select {
			case f := <-c.last: // it came before the end
				return f, nil
			default:
				return frame{}, r.lost(op, r.cause)
			}
		}
	}
}

// failed is the error that a frameError carries. cause is why the caller's
// context ended, nil while it has not.
func failed(f frame, cause error) error {
	var why failure
	if err := json.Unmarshal(f.Body, &why); err != nil {
		return fmt.Errorf("not a message of turnout's agent: %w", err)
	}
	return why.err(cause)
}

func (r *Remote) lost(op string, cause error) error {
	r.broken.Store(true)
	return &lossError{remote: r, text: fmt.Sprintf("%s: %s: %v: %v", r.name, op, ErrLost, cause), cause: cause}
}

// lossError is a call that was not answered because its connection ended.
type lossError struct {
	remote *Remote
	text   string
	cause  error
}

func (e *lossError) Error() string   { return e.text }
func (e *lossError) Unwrap() []error { return []error{ErrLost, e.cause} }

// LostIn reports whether err, of a call, says that this connection was lost. A call
// that was cancelled because another connection was says ErrLost as well.
func (r *Remote) LostIn(err error) bool {
	var loss *lossError
	return errors.As(err, &loss) && loss.remote == r
}

func (r *Remote) register() *call {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.last++
	id := r.last
	c := &call{id: id, input: newOutlet(r.out, id), last: make(chan frame, 1)}
	c.output = newInlet(func(bytes int) { _ = r.out.write(roomFor(id, bytes)) })
	r.calls[id] = c
	if r.cause != nil {
		c.end(r.cause)
	}
	return c
}

func (r *Remote) forget(c *call) {
	c.end(errEnded)
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.calls, c.id)
}

// errEnded stops streams of a call that has ended.
var errEnded = errors.New("the call has ended")

func (c *call) end(why error) {
	c.input.close(why)
	c.output.end(why)
}

// listen hands frames to their calls until the agent says no more.
func (r *Remote) listen(from io.Reader) {
	defer close(r.done)
	for {
		f, err := readFrame(from)
		if err == nil {
			err = r.hand(f)
		}
		if err != nil {
			r.abandon(err)
			return
		}
	}
}

// hand hands a frame to its call; it never waits. A call that is not there has
// given up.
func (r *Remote) hand(f frame) error {
	r.mu.Lock()
	c := r.calls[f.Call]
	r.mu.Unlock()
	if c == nil {
		return nil
	}
	switch f.Kind {
	case frameData:
		return c.output.put(f.Body)
	case frameRoom:
		bytes, err := f.room()
		c.input.widen(bytes)
		return err
	case frameResult, frameError:
		c.output.end(io.EOF)
		select {
		case c.last <- f:
			return nil
		default:
		}
	}
	return fmt.Errorf("not a message of turnout's agent: %q out of place", f.Kind)
}

// abandon ends the streams of all calls when the connection has ended.
func (r *Remote) abandon(cause error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.cause = cause
	for _, c := range r.calls {
		c.end(cause)
	}
}

// Lost reports whether the agent can't be asked any more.
func (r *Remote) Lost() bool {
	select {
	case <-r.done:
		return true
	default:
		return r.broken.Load()
	}
}

// Close ends the session: the agent ends what runs, lets its locks go and says
// no more.
func (r *Remote) Close() error {
	if err := r.out.close(r.to); err != nil {
		return fmt.Errorf("%s: close: %w", r.name, err)
	}
	<-r.done
	return nil
}
