package machine

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
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

	mu    sync.Mutex
	last  uint64
	calls map[uint64]chan frame
	cause error // why done is closed
}

// callBuffer is how many frames of a call wait for a slow listener before it
// holds up the other calls of the connection.
const callBuffer = 256

// Dial greets the agent that serves at the other ends of from and to, and
// returns its machine. Closing the machine closes to and waits for the end of
// from; that and everything else about the connection stays with the caller.
func Dial(ctx context.Context, name string, from io.Reader, to io.WriteCloser) (*Remote, error) {
	r := &Remote{
		name: name, to: to, out: &frameWriter{w: to},
		done: make(chan struct{}), calls: make(map[uint64]chan frame),
	}
	greeted := make(chan error, 1)
	go func() {
		err := greet(from)
		greeted <- err
		if err == nil {
			go r.beat()
			r.listen(from)
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

func greet(from io.Reader) error {
	f, err := readFrame(from)
	switch {
	case err != nil:
		return fmt.Errorf("no greeting: %w", err)
	case f.Kind != frameHello || f.Version != protocolVersion:
		return fmt.Errorf("speaks version %d of the protocol, this turnout version %d: install the same version on both", f.Version, protocolVersion)
	}
	return nil
}

// Name is the name given to Dial.
func (r *Remote) Name() string { return r.name }

// Call has the agent perform an operation; see Machine. Once ctx has ended it
// still waits for the agent to end the operation.
func (r *Remote) Call(ctx context.Context, op string, request []byte, out io.Writer) ([]byte, error) {
	id, frames := r.register()
	defer r.forget(id)
	if err := r.out.write(frame{Kind: frameCall, Call: id, Op: op, Body: request}); err != nil {
		return nil, r.lost(op, err)
	}
	ended := ctx.Done()
	for {
		select {
		case f := <-frames:
			if f.Kind == frameOutput {
				_, _ = out.Write(f.Data) // as on the local machine, a listener that has gone stops nothing
				continue
			}
			return f.Body, r.verdict(ctx, f)
		case <-ended:
			ended = nil
			_ = r.out.write(frame{Kind: frameCancel, Call: id}) // a lost connection cancels as well
		case <-r.done:
			return r.lastWord(ctx, op, frames, out)
		}
	}
}

// lastWord takes what arrived for a call before the connection ended.
func (r *Remote) lastWord(ctx context.Context, op string, frames chan frame, out io.Writer) ([]byte, error) {
	for {
		select {
		case f := <-frames:
			if f.Kind != frameOutput {
				return f.Body, r.verdict(ctx, f)
			}
			_, _ = out.Write(f.Data)
		default:
			return nil, r.lost(op, r.cause)
		}
	}
}

// verdict is the error that the last frame of a call carries.
func (r *Remote) verdict(ctx context.Context, f frame) error {
	if f.Failure == nil {
		return nil
	}
	return f.Failure.err(context.Cause(ctx))
}

func (r *Remote) lost(op string, cause error) error {
	return fmt.Errorf("%s: %s: %w: %w", r.name, op, ErrLost, cause)
}

func (r *Remote) register() (uint64, chan frame) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.last++
	frames := make(chan frame, callBuffer)
	r.calls[r.last] = frames
	return r.last, frames
}

func (r *Remote) forget(id uint64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.calls, id)
}

// listen hands frames to their calls until the agent says no more.
func (r *Remote) listen(from io.Reader) {
	defer close(r.done)
	for {
		f, err := readFrame(from)
		if err != nil {
			r.cause = err
			return
		}
		r.mu.Lock()
		frames := r.calls[f.Call]
		r.mu.Unlock()
		if frames != nil { // else it has given up
			frames <- f
		}
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
